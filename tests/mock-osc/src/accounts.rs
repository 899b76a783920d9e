//! The users who can sign in, and the workspaces that each user may choose.

use std::collections::BTreeSet;
use std::fmt;

/// A user with at least one workspace. Users may share a workspace.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) workspaces: Vec<String>,
}

impl User {
    pub(crate) fn new(id: &str, workspaces: &[&str]) -> Self {
        Self { id: id.to_owned(), workspaces: workspaces.iter().map(|&name| name.to_owned()).collect() }
    }
}

/// A user in one of their workspaces. The user chooses it at sign-in, and the grant is bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) workspace: String,
}

/// Writes the account as the consent form sends it.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.workspace)
    }
}

/// All users, in the order of the consent page. The first account is the default.
#[derive(Clone, Debug)]
pub(crate) struct Accounts(Vec<User>);

impl Default for Accounts {
    fn default() -> Self {
        Self(vec![User::new("ada", &["adalovelace", "team"]), User::new("grace", &["gracehopper", "team"])])
    }
}

impl Accounts {
    pub(crate) fn new(users: Vec<User>) -> Self {
        if users.is_empty() { Self::default() } else { Self(users) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Account> {
        self.0.iter().flat_map(|User { id, workspaces }| {
            workspaces.iter().map(|name| Account { user: id.clone(), workspace: name.clone() })
        })
    }

    pub(crate) fn default_account(&self) -> Account {
        self.iter().next().expect("a user has a workspace")
    }

    /// Returns the user's account in a workspace, or in the user's first workspace if none is named.
    pub(crate) fn find(&self, user: &str, workspace: Option<&str>) -> Option<Account> {
        self.iter().find(|account| {
            account.user == user && workspace.is_none_or(|workspace| account.workspace == workspace)
        })
    }

    /// Returns the account as [`find`](Self::find) does. The error is one line that names the accounts there are.
    pub(crate) fn require(&self, user: &str, workspace: Option<&str>) -> Result<Account, String> {
        self.find(user, workspace).ok_or_else(|| {
            let place = workspace.map(|name| format!(" in the workspace {name:?}")).unwrap_or_default();
            let all = self.iter().map(|account| account.to_string()).collect::<Vec<_>>().join(", ");
            format!("the mock has no user {user:?}{place}; it has {all}")
        })
    }

    pub(crate) fn workspaces(&self) -> BTreeSet<String> {
        self.iter().map(|account| account.workspace).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_named_workspace_gets_the_first_one() {
        let accounts = Accounts::default();
        let find = |user, workspace| accounts.find(user, workspace).map(|account| account.to_string());
        assert_eq!(accounts.default_account().to_string(), "ada/adalovelace");
        assert_eq!(find("grace", None).as_deref(), Some("grace/gracehopper"));
        assert_eq!(find("grace", Some("team")).as_deref(), Some("grace/team"));
        assert_eq!((find("grace", Some("adalovelace")), find("nobody", None)), (None, None));
        assert_eq!(Vec::from_iter(accounts.workspaces()), ["adalovelace", "gracehopper", "team"]);
    }
}
