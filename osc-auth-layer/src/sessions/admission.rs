//! The app's rules about which users may enter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::OscUser;

/// Returns true if the user may enter.
pub(crate) type Authorize = Arc<dyn Fn(&OscUser) -> bool + Send + Sync>;

/// The app's rules about which users may enter.
pub(crate) struct Admission(Vec<Authorize>);

impl Admission {
    pub(crate) fn new(rules: Vec<Authorize>) -> Self {
        Self(rules)
    }

    /// Returns true if every rule admits the user. If there are rules, an unknown user (`None`) is refused.
    pub(crate) fn admits(&self, user: Option<&OscUser>) -> bool {
        // A rule that panics counts as a refusal. Unwinding further would skip the revocation of the grant.
        let may_enter =
            |rule: &Authorize, user| catch_unwind(AssertUnwindSafe(|| rule(user))).unwrap_or(false);
        self.0.iter().all(|rule| user.is_some_and(|user| may_enter(rule, user)))
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} rules]", self.0.len())
    }
}
