//! How sessions are ended by their visitors: here at once, then in the store, then at the provider.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Phase, Session, SessionId};
use crate::provider::Credentials;
use crate::secret::Secret;
use crate::shared::Shared;
use crate::store::Ending;

/// A token to revoke, in whose name, and its `token_type_hint` (RFC 7009 §2.1).
type Revocable = (Arc<Credentials>, Secret, &'static str);

impl Shared {
    /// Ends a session here and now, then in the store, and its grant at the provider beside the caller. A visitor who
    /// hangs up meanwhile is signed out all the same.
    pub(crate) async fn sign_out(self: &Arc<Self>, id: &SessionId) {
        if self.backing.is_none() {
            let revocable = self.sessions.remove(id).and_then(|session| session.sign_out());
            return self.revoke(id, revocable);
        }
        let (shared, id) = (self.clone(), id.clone());
        let (sender, receiver) = oneshot::channel();
        self.beside(async move {
            // Stays in the table, so that a store that is taken back to an older state does not revive it here.
            let known =
                shared.find(&id).await.ok().flatten().or_else(|| shared.sessions.look(&id, Arc::clone));
            let held_here = known.and_then(|session| session.sign_out());
            // Another node may have refreshed it since.
            let held_there = shared.end_record(&id, Ending::SignedOut).await.map(|opened| {
                let (token, hint) = opened.tokens.revocable();
                (opened.credentials, token, hint)
            });
            shared.revoke(&id, held_there.or(held_here));
            // Nobody may be waiting any more.
            let _ = sender.send(());
        });
        // Without a runtime there is nothing to wait for.
        let _ = receiver.await;
    }

    fn revoke(&self, id: &SessionId, revocable: Option<Revocable>) {
        if let Some((credentials, token, hint)) = revocable {
            tracing::debug!(session = %id.public(), "signed out");
            self.provider.revoke(credentials, token, hint);
        }
    }

    /// A sign-in whose session nobody will ever have the cookie of.
    pub(crate) async fn give_up(self: &Arc<Self>, session: &Arc<Session>) {
        let revocable = session.sign_out();
        // A creation that failed may have had its effect.
        self.end_record(session.id(), Ending::SignedOut).await;
        self.revoke(session.id(), revocable);
    }
}

impl Session {
    /// Ends the session for good by the visitor's wish. Returns what is left to revoke; a refresh under way finds out.
    pub(super) fn sign_out(&self) -> Option<Revocable> {
        let mut state = self.state.lock();
        if state.phase.is_over() {
            return None;
        }
        state.phase = Phase::SignedOut;
        let token = self.current.write().take();
        let credentials = state.grant.credentials.clone();
        match state.grant.refresh_token.take() {
            Some(refresh_token) => Some((credentials, refresh_token, "refresh_token")),
            None => token.map(|token| (credentials, Secret::new(token.access_token()), "access_token")),
        }
    }

    /// Ends the session without touching its grant at the provider.
    pub(crate) fn drop_out(&self) {
        self.end(Phase::Dropped);
    }

    /// The store says that it ended, and how.
    pub(super) fn end(&self, phase: Phase) {
        let mut state = self.state.lock();
        if !state.phase.is_over() {
            state.phase = phase;
        }
        state.grant.refresh_token = None;
        *self.current.write() = None;
    }
}
