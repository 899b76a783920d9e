//! Looks for what will go wrong: missing privileges, a read-only server, and notifications that do not arrive.

use sqlx::Row;

use super::Database;
use super::listening::Notified;
use super::statements::RIGHTS;
use crate::finding::{Finding, Severity, Subject};
use crate::store::StoreError;

/// The rights of the user in the store's URL.
#[derive(Clone, Debug, PartialEq)]
struct Rights {
    is_read_only: bool,
    has_table: bool,
    may_make_table: bool,
    /// The privileges on the table that the user lacks.
    missing: Vec<&'static str>,
}

impl Database {
    /// Fails if the server cannot be reached. Everything else is a finding.
    pub(super) async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        if let Some(finding) = self.rights().await?.finding() {
            return Ok(vec![finding]);
        }
        Ok(Vec::from_iter(of_notifications(self.try_to_notify().await)))
    }

    async fn rights(&self) -> Result<Rights, StoreError> {
        let rows = self.connections.ask_without_table(|| sqlx::query(RIGHTS)).await?;
        let row = rows.first();
        let is = |column: usize| {
            let value = row.and_then(|row| row.try_get::<bool, _>(column).ok());
            value.ok_or_else(|| StoreError::new("PostgreSQL did not return the user's privileges"))
        };
        let privileges = ["SELECT", "INSERT", "UPDATE", "DELETE"];
        let granted = [is(3)?, is(4)?, is(5)?, is(6)?];
        let missing = privileges.into_iter().zip(granted).filter(|(_, is_granted)| !is_granted);
        Ok(Rights {
            is_read_only: is(0)?,
            has_table: is(1)?,
            may_make_table: is(2)?,
            missing: missing.map(|(privilege, _)| privilege).collect(),
        })
    }
}

impl Rights {
    fn finding(&self) -> Option<Finding> {
        let (problem, remedy) = if self.is_read_only {
            let problem = "The PostgreSQL server is a read-only standby, so users cannot sign in.".to_owned();
            (problem, "Name the primary server in the store's URL.")
        } else if !self.has_table && !self.may_make_table {
            let problem =
                "The table osc_auth_sessions does not exist, and the user in the store's URL may not make it.".to_owned();
            let remedy = "Let an administrator run the statements of PostgresStore::schema(), and GRANT SELECT, INSERT, UPDATE, \
                          DELETE ON osc_auth_sessions to the user.";
            (problem, remedy)
        } else if self.has_table && !self.missing.is_empty() {
            let missing = self.missing.join(" and ");
            let problem =
                format!("The user in the store's URL lacks {missing} on the table osc_auth_sessions.");
            (problem, "GRANT SELECT, INSERT, UPDATE, DELETE ON osc_auth_sessions to the user.")
        } else {
            return None;
        };
        Some(Finding::new(Subject::Store, Severity::Error, problem, remedy))
    }
}

fn of_notifications(notified: Result<Notified, StoreError>) -> Option<Finding> {
    let (severity, problem, remedy) = match notified {
        Ok(Notified::Arrived) => return None,
        Ok(Notified::Shared) => (
            Severity::Warning,
            "A pooler shares the connections to PostgreSQL, so no notifications of changes arrive. Each request with a session \
             asks the database.",
            "Name the server itself in the store's URL, or a pooler in session mode. Or leave it so.",
        ),
        Ok(Notified::Lost) => (
            Severity::Warning,
            "PostgreSQL sent no notification of a change within a second, so each request with a session asks the database.",
            "Check what is between the app and PostgreSQL, and the load of both.",
        ),
        Err(_) => (
            Severity::Warning,
            "The connection for notifications of changes could not be opened, so each request with a session asks the database.",
            "Allow one connection more for each node (max_connections, CONNECTION LIMIT).",
        ),
    };
    Some(Finding::new(Subject::Store, severity, problem, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_privilege_is_named() {
        let good = Rights { is_read_only: false, has_table: true, may_make_table: false, missing: vec![] };
        assert_eq!(good.finding(), None);
        let new = Rights { has_table: false, may_make_table: true, missing: vec!["SELECT"], ..good.clone() };
        assert_eq!(new.finding(), None, "the store makes the table");
        let told = |rights: Rights| rights.finding().expect("a finding").to_string();
        let lacking = told(Rights { missing: vec!["UPDATE", "DELETE"], ..good.clone() });
        assert!(lacking.contains("lacks UPDATE and DELETE"), "{lacking}");
        assert!(told(Rights { has_table: false, ..good.clone() }).contains("does not exist"));
        assert!(told(Rights { is_read_only: true, ..good }).contains("read-only standby"));
    }
}
