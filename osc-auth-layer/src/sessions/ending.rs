//! The ends of sessions: here at once, then in the store, then at the provider.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::claims::Claims;
use super::events::PendingEvent;
use super::layout;
use super::record::{Ending, LEASE, Standing};
use super::stored::Read;
use super::{EndReason, OscToken, Session, SessionEventKind, SessionId, Sessions, Table};
use crate::clock::Pauses;
use crate::oauth::{Credentials, Grant};
use crate::secret::Secret;
use crate::store::{Found, RecordKey, StoreError, Swap, Swapped, Version};

/// A token to revoke, in whose name, and its `token_type_hint` (RFC 7009 §2.1).
type Revocable = (Arc<Credentials>, Secret, &'static str);

/// Says how the store's record of a session ended.
#[derive(Clone, Copy, PartialEq)]
enum Recorded {
    /// This node ended it.
    Here,
    /// It had ended.
    Elsewhere,
    /// There was none.
    Gone,
}

/// The pauses between tries to record an ending.
const END_AGAIN: Pauses = Pauses::new(Duration::from_millis(500), Duration::from_secs(30));

impl Sessions {
    /// Signs a user out: here at once, then in the store, and at the provider beside the caller. Goes on if the caller goes away.
    ///
    /// Returns false, and ends nothing, if this process does not know the session and too many other endings wait for the store.
    /// Tells the app by an event of this kind.
    pub(crate) async fn sign_out(self: &Arc<Self>, id: &SessionId, kind: SessionEventKind) -> bool {
        let known = self.table.find(id);
        if known.is_none() && self.backing.as_ref().is_some_and(|backing| backing.has_too_many_endings()) {
            return false;
        }
        let mut event = self.pending_event(known.as_ref(), kind);
        let held_here = known.and_then(|session| session.sign_out(self, &mut event.was_live));
        self.end_record(id, Ending::SignedOut, held_here, Some(event)).await;
        true
    }

    /// Ends a session that another session of the same browser has replaced.
    pub(crate) async fn drop_out(self: &Arc<Self>, id: &SessionId) {
        let known = self.table.find(id);
        let mut event = self.pending_event(known.as_ref(), SessionEventKind::Ended(EndReason::Replaced));
        event.was_live = known.is_some_and(|session| session.end(&self.table, Ending::Dropped));
        self.end_record(id, Ending::Dropped, None, Some(event)).await;
    }

    /// Ends a session whose cookie nobody will ever have.
    pub(crate) async fn give_up(self: &Arc<Self>, token: &OscToken) {
        let session = token.held_by();
        let held_here = session.sign_out(self, &mut false);
        // A creation that failed may have had its effect.
        self.end_record(session.id(), Ending::SignedOut, held_here, None).await;
    }

    /// Ends a session for good that somebody without its id has marked as ended, and revokes its grant.
    pub(super) fn heed_mark(self: &Arc<Self>, id: &SessionId, read: &Read) {
        if read.content.to_revoke.is_some() {
            let (sessions, id) = (self.clone(), id.clone());
            self.beside(async move { sessions.end_record(&id, Ending::SignedOut, None, None).await });
        }
    }

    /// Ends the record in the store, and revokes the grant of a session that was signed out. Returns after the first try. If that
    /// fails, others follow, and until one succeeds this node refuses the session whatever the store says. All of this goes on when
    /// the caller goes away. Tells the app of `event` when the end is recorded, if it is this node that ended the session.
    async fn end_record(
        self: &Arc<Self>,
        id: &SessionId,
        ending: Ending,
        held_here: Option<Revocable>,
        event: Option<PendingEvent>,
    ) {
        let Some(backing) = self.backing.clone() else {
            self.table.remove(id);
            if let Some(event) = event.filter(|event| event.was_live) {
                self.tell(event.kind, id, event.user);
            }
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
        self.table.find(id).inspect(|session| _ = session.end(&self.table, ending));
        // A version that this node knows can be replaced without a read, unless only the record tells which token to revoke.
        let was_live = event.as_ref().is_some_and(|event| event.was_live);
        let needs_no_read = held_here.is_some() || (ending == Ending::Dropped && was_live);
        let known = self.table.find(id).filter(|_| needs_no_read).and_then(|session| session.version());
        let (tried, first_try) = oneshot::channel::<()>();
        let (mut sessions, mut held_here, id) = (self.clone(), held_here, id.clone());
        self.beside(async move {
            let (mut tried, mut found) = (Some(tried), None);
            let (mut pauses, mut waited, version) = (END_AGAIN, Duration::ZERO, Version::random());
            let recorded = loop {
                if let Ok(recorded) = sessions.end_in_store(&key, ending, known, version, &mut found).await {
                    break recorded;
                }
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
            };
            if let Some(event) = event {
                sessions.tell_of_end(&id, recorded, event, found.as_ref());
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
        version: Version,
        found: &mut Option<Read>,
    ) -> Result<Recorded, StoreError> {
        let Some(backing) = &self.backing else { return Ok(Recorded::Gone) };
        let mut lasts = self.timing.absolute_timeout;
        let mut expected = known;
        loop {
            let held = match expected {
                None => backing.get(&key.name).await?,
                Some(held) => {
                    let (value, expires_in) = (&layout::ended(ending), Some(lasts));
                    let swap = Swap { expected, version, value, expires_in, group: None };
                    match backing.swap(&key.name, swap).await? {
                        Swapped::Done { .. } => return Ok(Recorded::Here),
                        Swapped::Conflict(Found { entry: Some(entry), .. }) if entry.version == held => {
                            return Err(StoreError::new("it reported a conflict with the expected version"));
                        }
                        Swapped::Conflict(held) => held,
                    }
                }
            };
            let Found { entry: Some(entry), now } = held else { return Ok(Recorded::Gone) };
            // The answer to an earlier try was lost.
            if entry.version == version {
                return Ok(Recorded::Here);
            }
            expected = Some(entry.version);
            // A record that this node cannot read ends as well.
            if let Ok(read) = self.open(key, entry, now) {
                if read.content.record.standing.ending().is_some() && read.content.to_revoke.is_none() {
                    return Ok(Recorded::Elsewhere);
                }
                // For as long as the session could have lasted.
                lasts = read.content.facts.ends_at.since(read.now).max(LEASE);
                *found = Some(read);
            }
        }
    }

    /// Tells the app of a session's end that the store has recorded, unless another node does so.
    fn tell_of_end(
        self: &Arc<Self>,
        id: &SessionId,
        recorded: Recorded,
        event: PendingEvent,
        found: Option<&Read>,
    ) {
        let PendingEvent { kind, user, was_live } = event;
        let live = found.map(|read| match &read.content.record.standing {
            Standing::Live(granted) => {
                Some(granted.user.clone().or_else(|| Claims::of(granted.tokens.access_token())))
            }
            // Told of already.
            Standing::Refused | Standing::Ended(_) => None,
        });
        match (recorded, live) {
            (Recorded::Here, Some(Some(claims))) => {
                self.tell(kind, id, user.or_else(|| self.user_of_claims(claims)));
            }
            (Recorded::Here, None) if was_live => self.tell(kind, id, user),
            (Recorded::Gone, _) if was_live => self.tell_of_gone(id, user),
            _ => {}
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
    /// Ends the session for good by the user's wish. Returns the token to revoke, and notes in `was_live` that the session was live.
    /// A refresh under way finds out by itself.
    pub(super) fn sign_out(&self, sessions: &Sessions, was_live: &mut bool) -> Option<Revocable> {
        let mut state = self.lock();
        if state.particulars().standing.ending().is_some() {
            return None;
        }
        *was_live = state.particulars().standing == Standing::Live(());
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

    /// Ends the session for good. Returns true if it was live.
    pub(super) fn end(&self, table: &Table, ending: Ending) -> bool {
        let mut state = self.lock();
        let was_live = state.particulars().standing == Standing::Live(());
        if state.particulars().standing.ending().is_none() {
            state.enter(Standing::Ended(ending));
        }
        table.show(self, None);
        was_live
    }

    /// Ends the session until newer tokens come, because the provider refused its refresh token. Returns true if it was live.
    pub(super) fn refuse(&self, table: &Table) -> bool {
        let mut state = self.lock();
        let was_live = state.particulars().standing == Standing::Live(());
        if was_live {
            state.enter(Standing::Refused);
            table.show(self, None);
        }
        was_live
    }
}
