//! How sessions are ended by their visitors: here at once, then in the store, then at the provider.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{OscToken, Phase, Session, SessionId, Sessions, Table};
use crate::oauth::{Credentials, Grant};
use crate::secret::Secret;
use crate::store::{Backing, Ending, Record, RecordKey};

/// A token to revoke, in whose name, and its `token_type_hint` (RFC 7009 §2.1).
type Revocable = (Arc<Credentials>, Secret, &'static str);

/// An ending that the store did not take is tried again until it does.
const END_AGAIN: Duration = Duration::from_millis(500);
const END_AGAIN_AT_LATEST: Duration = Duration::from_secs(30);

impl Sessions {
    /// Ends a session here and now, then in the store, and its grant at the provider beside the caller. A visitor who
    /// hangs up meanwhile is signed out all the same.
    ///
    /// Tells whether the store knows, or will.
    pub(crate) async fn sign_out(self: &Arc<Self>, id: &SessionId) -> bool {
        let Some(backing) = &self.backing else {
            let session = self.table.find(id);
            let revocable = session.and_then(|session| session.sign_out(self));
            self.table.remove(id);
            self.revoke(id, revocable);
            return true;
        };
        // Stays in the table, so that a store that is taken back to an older state does not revive it here.
        let known = self.table.find(id);
        if known.is_none() && backing.has_too_many_endings() {
            return false;
        }
        let held_here = known.and_then(|session| session.sign_out(self));
        self.end_record(id, Ending::SignedOut, held_here).await;
        true
    }

    /// Ends a session in whose place another one of the same browser has begun.
    pub(crate) async fn replace(self: &Arc<Self>, id: &SessionId) {
        if self.backing.is_none() {
            self.table.find(id).inspect(|session| session.drop_out(&self.table));
            self.table.remove(id);
            return;
        }
        self.table.find(id).inspect(|session| session.drop_out(&self.table));
        self.end_record(id, Ending::Replaced, None).await;
    }

    /// Ends a session whose cookie nobody will ever have.
    pub(crate) async fn give_up(self: &Arc<Self>, token: &OscToken) {
        let session = token.held_by();
        let held_here = session.sign_out(self);
        // A creation that failed may have had its effect.
        self.end_record(session.id(), Ending::SignedOut, held_here).await;
    }

    /// Tells the store that a session ended, and revokes what a signed-out one held. Returns after the first try; when
    /// that fails others follow, and until one succeeds the session is refused here whatever the store says. All that
    /// goes on when the caller goes away.
    async fn end_record(self: &Arc<Self>, id: &SessionId, ending: Ending, held_here: Option<Revocable>) {
        let Some(backing) = self.backing.clone() else {
            return;
        };
        let key = RecordKey::of(id.as_bytes());
        let Some(being_ended) = backing.begin_ending(key.name.clone()) else {
            // Somebody else is on it.
            return self.revoke(id, held_here);
        };
        // A request may have read it meanwhile.
        self.table.find(id).inspect(|session| session.end(&self.table, ending.into()));
        let (tried, first_try) = oneshot::channel::<()>();
        let (sessions, id) = (self.clone(), id.clone());
        self.beside(async move {
            match backing.end(&key, ending).await {
                Ok(record) => sessions.ended(&id, &key, ending, record, held_here),
                Err(_) => {
                    tracing::warn!(
                        "The session store did not record that a session ended. This node refuses the session and retries."
                    );
                    sessions.revoke(&id, held_here);
                    drop(tried);
                    let engine = Arc::downgrade(&sessions);
                    drop(sessions);
                    if let Some((sessions, record)) = end_again(engine, &backing, &key, ending).await {
                        sessions.ended(&id, &key, ending, record, None);
                    }
                }
            }
            drop(being_ended);
        });
        // Without a runtime there is nothing to wait for.
        let _ = first_try.await;
    }

    /// The store has taken the end of a session, and told what it held.
    fn ended(
        self: &Arc<Self>,
        id: &SessionId,
        key: &RecordKey,
        ending: Ending,
        record: Option<Record>,
        held_here: Option<Revocable>,
    ) {
        let opened =
            self.backing.as_ref().zip(record).and_then(|(backing, record)| {
                self.open(backing, key, &record).map(|opened| (record, opened))
            });
        let mut held = held_here;
        if let Some((record, opened)) = opened {
            // Known here from now on, so that a store that is taken back to an older state does not revive it here.
            let session = Session::unread(id.clone(), Arc::downgrade(self), &record, self.now());
            self.keep(session).end(&self.table, ending.into());
            // Another node may have refreshed it since.
            let (token, hint) = opened.tokens.revocable();
            held = Some((opened.credentials, token, hint));
        }
        if ending == Ending::SignedOut {
            self.revoke(id, held);
        }
    }

    fn revoke(&self, id: &SessionId, revocable: Option<Revocable>) {
        if let Some((credentials, token, hint)) = revocable {
            tracing::debug!(session = %id.public(), "signed out");
            self.provider.revoke(credentials, token, hint);
        }
    }
}

/// Tries until the store takes it, the record has expired by itself, or the layer is gone.
async fn end_again(
    engine: Weak<Sessions>,
    backing: &Backing,
    key: &RecordKey,
    ending: Ending,
) -> Option<(Arc<Sessions>, Option<Record>)> {
    let (mut pause, mut waited) = (END_AGAIN, Duration::ZERO);
    loop {
        let (sleep, longest) = {
            let sessions = engine.upgrade()?;
            (sessions.clock.sleep(pause), sessions.timing.absolute_timeout)
        };
        sleep.await;
        waited += pause;
        let sessions = engine.upgrade().filter(|_| waited < longest)?;
        if let Ok(record) = backing.end(key, ending).await {
            return Some((sessions, record));
        }
        pause = (pause * 2).min(END_AGAIN_AT_LATEST);
    }
}

impl Session {
    /// Ends the session for good by the visitor's wish. Returns what is left to revoke; a refresh under way finds out.
    pub(super) fn sign_out(&self, sessions: &Sessions) -> Option<Revocable> {
        let mut state = self.lock();
        if state.phase().is_over() {
            return None;
        }
        // One that is not in the table yet has its token with it.
        let token = sessions.table.current(self).or_else(|| self.token());
        let grant = state.grant(&sessions.provider);
        state.enter(Phase::SignedOut);
        sessions.table.show(&mut state, self, None);
        let Grant { refresh_token, credentials } = grant?;
        match refresh_token {
            Some(refresh_token) => Some((credentials, refresh_token, "refresh_token")),
            None => token.map(|token| (credentials, Secret::new(token.access_token()), "access_token")),
        }
    }

    /// Ends the session without touching its grant at the provider.
    pub(crate) fn drop_out(&self, table: &Table) {
        self.end(table, Phase::Dropped);
    }

    /// The store says that it ended, and how.
    pub(super) fn end(&self, table: &Table, phase: Phase) {
        let mut state = self.lock();
        if !state.phase().is_over() {
            state.enter(phase);
        }
        table.show(&mut state, self, None);
    }
}
