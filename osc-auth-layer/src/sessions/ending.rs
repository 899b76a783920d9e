//! The ends of sessions: here at once, then in the store, then at the provider.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::layout;
use super::record::{Ending, LEASE, Standing};
use super::stored::Read;
use super::{OscToken, Session, SessionId, Sessions, Table};
use crate::clock::Pauses;
use crate::oauth::{Credentials, Grant};
use crate::secret::Secret;
use crate::store::{Found, RecordKey, StoreError, Swap, Swapped, Version};

/// A token to revoke, in whose name, and its `token_type_hint` (RFC 7009 §2.1).
type Revocable = (Arc<Credentials>, Secret, &'static str);

/// The pauses between tries to record an ending.
const END_AGAIN: Pauses = Pauses::new(Duration::from_millis(500), Duration::from_secs(30));

impl Sessions {
    /// Signs a user out: here at once, then in the store, and at the provider beside the caller. Goes on if the caller goes away.
    ///
    /// Returns false, and ends nothing, if this process does not know the session and too many other endings wait for the store.
    pub(crate) async fn sign_out(self: &Arc<Self>, id: &SessionId) -> bool {
        let known = self.table.find(id);
        if known.is_none() && self.backing.as_ref().is_some_and(|backing| backing.has_too_many_endings()) {
            return false;
        }
        let held_here = known.and_then(|session| session.sign_out(self));
        self.end_record(id, Ending::SignedOut, held_here).await;
        true
    }

    /// Ends a session that another session of the same browser has replaced.
    pub(crate) async fn drop_out(self: &Arc<Self>, id: &SessionId) {
        self.table.find(id).inspect(|session| session.end(&self.table, Ending::Dropped));
        self.end_record(id, Ending::Dropped, None).await;
    }

    /// Ends a session whose cookie nobody will ever have.
    pub(crate) async fn give_up(self: &Arc<Self>, token: &OscToken) {
        let session = token.held_by();
        let held_here = session.sign_out(self);
        // A creation that failed may have had its effect.
        self.end_record(session.id(), Ending::SignedOut, held_here).await;
    }

    /// Ends a session for good that somebody without its id has marked as ended, and revokes its grant.
    pub(super) fn heed_mark(self: &Arc<Self>, id: &SessionId, read: &Read) {
        if read.content.to_revoke.is_some() {
            let (sessions, id) = (self.clone(), id.clone());
            self.beside(async move { sessions.end_record(&id, Ending::SignedOut, None).await });
        }
    }

    /// Ends the record in the store, and revokes the grant of a session that was signed out. Returns after the first try. If that
    /// fails, others follow, and until one succeeds this node refuses the session whatever the store says. All of this goes on when
    /// the caller goes away.
    async fn end_record(self: &Arc<Self>, id: &SessionId, ending: Ending, held_here: Option<Revocable>) {
        let Some(backing) = self.backing.clone() else {
            self.table.remove(id);
            return self.revoke(id, held_here);
        };
        // With a store, the session stays in the table, so that a store that is set back to an older state does not revive it here.
        let key = RecordKey::of(id.as_bytes());
        let Some(being_ended) = backing.begin_ending(key.name.clone()) else {
            // Another task does it already.
            return self.revoke(id, held_here);
        };
        // Wakes the waits for the session even if the table does not hold it.
        if self.waits.have(id) {
            self.table.gone().ring(id.prefix());
        }
        // A request may have read it meanwhile.
        self.table.find(id).inspect(|session| session.end(&self.table, ending));
        // A version that this node knows can be replaced without a read, unless only the record tells which token to revoke.
        let needs_no_read = held_here.is_some() || ending == Ending::Dropped;
        let known = self.table.find(id).filter(|_| needs_no_read).and_then(|session| session.version());
        let (tried, first_try) = oneshot::channel::<()>();
        let (mut sessions, mut held_here, id) = (self.clone(), held_here, id.clone());
        self.beside(async move {
            let (mut tried, mut found) = (Some(tried), None);
            let (mut pauses, mut waited) = (END_AGAIN, Duration::ZERO);
            while sessions.end_in_store(&key, ending, known, &mut found).await.is_err() {
                if let Some(tried) = tried.take() {
                    tracing::warn!(
                        "The session store did not record that a session ended. This node refuses the session and retries."
                    );
                    sessions.revoke(&id, held_here.take());
                    drop(tried);
                }
                // The retries end when the record would have expired by itself, or when the layer is dropped.
                let (pause, longest) = (pauses.next(), sessions.timing.absolute_timeout);
                let engine = Arc::downgrade(&sessions);
                drop(sessions);
                let Some(sleep) = engine.upgrade().map(|sessions| sessions.clock.sleep(pause)) else { return };
                sleep.await;
                waited += pause;
                let Some(upgraded) = engine.upgrade().filter(|_| waited < longest) else { return };
                sessions = upgraded;
            }
            sessions.ended(&id, ending, found, held_here);
            drop(being_ended);
        });
        // Without a runtime there is nothing to wait for.
        let _ = first_try.await;
    }

    /// Swaps an ending in, first over the version that this node knows. Notes in `found` what the store held, if that was another
    /// version.
    async fn end_in_store(
        &self,
        key: &RecordKey,
        ending: Ending,
        known: Option<Version>,
        found: &mut Option<Read>,
    ) -> Result<(), StoreError> {
        let Some(backing) = &self.backing else { return Ok(()) };
        let mut lasts = self.timing.absolute_timeout;
        let mut expected = known;
        loop {
            let held = match expected {
                None => backing.get(&key.name).await?,
                Some(version) => {
                    let (value, expires_in) = (&layout::ended(ending), Some(lasts));
                    let swap = Swap { expected, version: Version::random(), value, expires_in, group: None };
                    match backing.swap(&key.name, swap).await? {
                        Swapped::Done { .. } => return Ok(()),
                        Swapped::Conflict(Found { entry: Some(entry), .. }) if entry.version == version => {
                            return Err(StoreError::new("it reported a conflict with the expected version"));
                        }
                        Swapped::Conflict(held) => held,
                    }
                }
            };
            let Found { entry: Some(entry), now } = held else { return Ok(()) };
            expected = Some(entry.version);
            // A record that this node cannot read ends as well.
            if let Ok(read) = self.open(key, entry, now) {
                if read.content.record.standing.ending().is_some() && read.content.to_revoke.is_none() {
                    return Ok(());
                }
                // For as long as the session could have lasted.
                lasts = read.content.facts.ends_at.since(read.now).max(LEASE);
                *found = Some(read);
            }
        }
    }

    /// Notes that the store has recorded the end of a session. Revokes the grant if the user signed out.
    fn ended(
        self: &Arc<Self>,
        id: &SessionId,
        ending: Ending,
        found: Option<Read>,
        mut held: Option<Revocable>,
    ) {
        if let Some(read) = found {
            // Known here from now on, so that a store that is set back to an older state does not revive it here.
            let session = Session::unread(id.clone(), Arc::downgrade(self), &read, self.now());
            self.keep(session).end(&self.table, ending);
            if let Some(granted) = read.content.revocable() {
                // Another node may have refreshed it since.
                let (token, hint) = granted.tokens.revocable();
                held = Some((granted.credentials.clone(), token, hint));
            }
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

impl Session {
    /// Ends the session for good by the user's wish. Returns the token to revoke. A refresh under way finds out by itself.
    pub(super) fn sign_out(&self, sessions: &Sessions) -> Option<Revocable> {
        let mut state = self.lock();
        if state.particulars().standing.ending().is_some() {
            return None;
        }
        // One that is not in the table yet has its token with it.
        let token = sessions.table.current(self).or_else(|| self.token());
        let grant = state.grant(&sessions.provider);
        state.enter(Standing::Ended(Ending::SignedOut));
        sessions.table.show(self, None);
        let Grant { refresh_token, credentials } = grant?;
        match refresh_token {
            Some(refresh_token) => Some((credentials, refresh_token, "refresh_token")),
            None => token.map(|token| (credentials, Secret::new(token.access_token()), "access_token")),
        }
    }

    /// Ends the session for good.
    pub(super) fn end(&self, table: &Table, ending: Ending) {
        let mut state = self.lock();
        if state.particulars().standing.ending().is_none() {
            state.enter(Standing::Ended(ending));
        }
        table.show(self, None);
    }

    /// Ends the session until newer tokens come, because the provider refused its refresh token.
    pub(super) fn refuse(&self, table: &Table) {
        let mut state = self.lock();
        if state.particulars().standing == Standing::Live(()) {
            state.enter(Standing::Refused);
            table.show(self, None);
        }
    }
}
