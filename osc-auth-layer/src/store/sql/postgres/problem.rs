//! The problems with PostgreSQL, in words that help. The server's own texts contain no values of parameters.

use crate::store::StoreError;

/// Returns the server's code of an error (SQLSTATE).
fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// The consequence of an error for the operation. Operations may be repeated, because each write has a version of its own.
pub(super) enum Next {
    GiveUp,
    /// The transaction met another one.
    Repeat,
    /// All connections of the time are probably lost, or know statements that the server does not.
    Reconnect,
    MakeTable,
}

pub(super) fn next(error: &sqlx::Error) -> Next {
    // A protocol error may be a notification for another client of the same pooler.
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) {
        return Next::Reconnect;
    }
    match code(error).as_deref() {
        Some("42P01") => Next::MakeTable,
        Some("40001" | "40P01") => Next::Repeat,
        Some("57P01" | "57P02" | "57P05" | "26000" | "42P05" | "0A000") => Next::Reconnect,
        Some(code) if code.starts_with("08") => Next::Reconnect,
        _ => Next::GiveUp,
    }
}

pub(super) fn problem(error: sqlx::Error) -> StoreError {
    let remedy = match &error {
        sqlx::Error::Io(cause) => {
            let text = format!("PostgreSQL cannot be reached ({cause}); check its host and port");
            return StoreError::new(text);
        }
        sqlx::Error::Tls(cause) => {
            let text =
                format!("PostgreSQL cannot be reached over TLS ({cause}); check sslmode and sslrootcert");
            return StoreError::new(text);
        }
        _ => match code(&error).as_deref() {
            Some("28P01" | "28000") => "it refuses the user or the password; check them in the URL",
            Some("3D000") => "there is no such database; create it",
            Some("42501") => {
                "the user lacks a privilege; make the table of PostgresStore::schema(), and grant SELECT, INSERT, UPDATE and \
                 DELETE on it"
            }
            Some("3F000") => "the user has no schema for the table; create one, and set its search_path",
            Some("25006") => "the server is read-only; name the primary server",
            Some("42703" | "42804" | "42883" | "42809" | "42P10" | "23502" | "55000") => {
                "another table is named osc_auth_sessions; rename it, or use another database"
            }
            Some("53100") => "its disk is full; make room",
            Some("53300") => "it has no connection left; raise max_connections",
            Some("57P03") => "it starts or stops; wait",
            Some("08P01" | "26000" | "42P05") => {
                "a pooler loses prepared statements; use PgBouncer 1.21 or later with max_prepared_statements, or no pooler"
            }
            // The text of sqlx contains its cause already.
            _ => return StoreError::new(error.to_string()),
        },
    };
    StoreError::new(format!("PostgreSQL failed: {remedy} ({})", code(&error).unwrap_or_default()))
}
