//! The app's rules about which users may enter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Claims, EndReason, OscUser, Session, Sessions};
use crate::oauth::Tokens;

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

impl Sessions {
    /// Returns true if the user of these tokens may enter. `known` are the claims of earlier tokens.
    pub(crate) fn admits(&self, tokens: &Tokens, known: Option<Claims>) -> bool {
        let claims = known.or_else(|| Claims::of(tokens.access_token()));
        let user = claims.map(|claims| OscUser::new(claims, self.provider.issuer.shared()));
        self.admission.admits(user.as_ref())
    }

    /// Returns the user after the refresh, or why the session ends: it became another user's, or its user may no longer enter.
    pub(super) fn identity(&self, session: &Session, tokens: &Tokens) -> Result<Identity, EndReason> {
        let current = self.table.current(session);
        let of_current = current.and_then(|token| Claims::of(token.access_token()));
        let known = session.lock().particulars().known.clone().or(of_current);
        let refreshed = Claims::of(tokens.access_token());
        let Ok(combined) = Claims::combined(known, refreshed.clone()) else {
            tracing::error!(
                "The provider's refresh returned a token of another user or workspace. The session ends. Report this to the \
                 provider."
            );
            return Err(EndReason::UserChanged);
        };
        if !self.admits(tokens, combined.clone()) {
            tracing::info!("The user is no longer allowed to use the app. The session ends.");
            return Err(EndReason::NotAllowed);
        }
        Ok(Identity { is_in_token: combined == refreshed, claims: combined })
    }
}

/// The user of a session after a refresh.
pub(super) struct Identity {
    pub(super) claims: Option<Claims>,
    /// True if the new token names the same, so that nothing has to be remembered.
    is_in_token: bool,
}

impl Identity {
    /// Returns the claims that the new token lacks.
    pub(super) fn remembered(self) -> Option<Claims> {
        self.claims.filter(|_| !self.is_in_token)
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} rules]", self.0.len())
    }
}
