//! One refresh at a time among all nodes: the lease in a session's record, and what is written under it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select;

use super::change::{ChangeError, Changed, Circumstances, Decision};
use super::record::{Ending, Held, LAST_WRITE, LEASE, Owner, Record, Rotate, Standing, Take};
use super::sealed::Granted;
use super::stored::{Stored, is_off};
use super::{OscToken, Session, Sessions};
use crate::clock::{Moment, Pauses};
use crate::oauth::GRANT_TIME;
use crate::secret::random_bytes;
use crate::store::{BeforeRead, StoreError, Version};

const WRITE_TIME: Duration = LEASE.saturating_sub(GRANT_TIME);
/// A grant is not sent if its answer has less time than this.
const LEAST_GRANT_TIME: Duration = Duration::from_secs(10);
/// A lease this young need not be confirmed.
const JUST_NOW: Duration = Duration::from_millis(500);
const MOST_CONFIRMATIONS: usize = 3;

/// Without notifications, a node that waits for another node's refresh reads the record this often.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// With notifications it reads this often, in case the other node died.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// A failed write is retried, because it contains the only good refresh token.
const WRITE_AGAIN: Pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(1));
/// A failed release is retried.
const RELEASE_AGAIN: Pauses = Pauses::new(Duration::from_millis(200), Duration::from_millis(1600));

/// The lease of a session's record. It ends by itself if this process dies. Without a store there are no other nodes, so nothing is
/// asked and nothing is written.
pub(super) struct Lease {
    sessions: Arc<Sessions>,
    session: Session,
    owner: Owner,
    /// The lease as the store last wrote it, and the moment before that request. `None` if it has to be confirmed first.
    held: Option<(Held, Moment)>,
    /// The last holder never released its lease, and may still have to write.
    is_taken_over: bool,
    /// The store failed when it was asked. It may still write the lease.
    is_in_doubt: bool,
    /// The store may hold the lease: it wrote it, or the store failed, and no record that releases it was written since.
    may_be_held: bool,
}

/// Says whether this node may refresh a session.
pub(super) enum Taken {
    Mine(Lease),
    Theirs(Theirs),
    /// The record changed, so the plan has to be made again.
    Changed,
}

/// The lease of another node.
pub(super) struct Theirs {
    left: Duration,
    /// The node's result shows by a change after this.
    before: BeforeRead,
}

impl Lease {
    /// Takes the lease.
    pub(super) async fn take(sessions: &Arc<Sessions>, session: &Session) -> Result<Taken, StoreError> {
        let mut lease = Self {
            sessions: sessions.clone(),
            session: session.clone(),
            owner: Owner(random_bytes()),
            held: None,
            is_taken_over: false,
            is_in_doubt: false,
            may_be_held: false,
        };
        let Some((backing, stored)) = sessions.record_of(session) else {
            return Ok(Taken::Mine(lease));
        };
        lease.owner = *stored.owner.lock().get_or_insert(lease.owner);
        let before = backing.before_read(&stored.key.name);
        let asked = lease.ask().await;
        if let Ok(Asked::Mine) = asked {
            return Ok(Taken::Mine(lease));
        }
        // The store may have written the lease before it failed or showed the change.
        lease.give_back();
        Ok(match asked? {
            Asked::Theirs(left) => Taken::Theirs(Theirs { left, before }),
            Asked::Mine | Asked::Changed => Taken::Changed,
        })
    }

    /// Returns true if a grant may be sent now: the lease is still ours, and outlasts the answer.
    pub(super) async fn confirm(&mut self) -> Result<bool, StoreError> {
        if self.session.stored().is_none() {
            return Ok(true);
        }
        for _ in 0..MOST_CONFIRMATIONS {
            // A process may have been stopped for any time between two lines.
            if self.held.is_some_and(|(_, at)| at.age(&*self.sessions.clock) < JUST_NOW) {
                return Ok(true);
            }
            match self.ask().await? {
                Asked::Mine => self.await_last_write().await,
                Asked::Theirs(_) | Asked::Changed => return Ok(false),
            }
        }
        // The store is so slow that no confirmation is fresh. One that leaves the provider enough time will do.
        Ok(self.left() >= WRITE_TIME + LEAST_GRANT_TIME)
    }

    /// Returns how long the answer to a grant sent now may take, so that it can be written under this lease.
    pub(super) fn grant_time(&self) -> Duration {
        match self.session.stored() {
            None => GRANT_TIME,
            Some(_) => self.left().saturating_sub(WRITE_TIME),
        }
    }

    fn left(&self) -> Duration {
        self.held.map_or(Duration::ZERO, |(held, at)| held.left(at.age(&*self.sessions.clock)))
    }

    /// Takes or prolongs the lease.
    async fn ask(&mut self) -> Result<Asked, StoreError> {
        let (sessions, session, owner) = (self.sessions.clone(), self.session.clone(), self.owner);
        let rotation = session.lock().particulars().rotation;
        let mut exact = None;
        loop {
            let mut asked_at = Moment::now(&*sessions.clock);
            let decide = |record: &Record<Granted>, Circumstances { now, is_exact, .. }| {
                asked_at = Moment::now(&*sessions.clock);
                if record.rotation != rotation {
                    return Decision::Leave(Asked::Changed);
                }
                match record.take(owner, now) {
                    Take::Free(record) => Decision::Write(record, (now, false)),
                    Take::TakenOver(record) if is_exact => Decision::Write(record, (now, true)),
                    Take::Held(left) if is_exact => Decision::Leave(Asked::Theirs(left)),
                    // An estimate may be late, so it takes over no lease.
                    Take::TakenOver(_) | Take::Held(_) => Decision::Read,
                    Take::Refused | Take::Ended(_) => Decision::Leave(Asked::Changed),
                }
            };
            let changed = sessions.change(&session, Version::random(), exact, decide).await;
            match changed.inspect_err(|_| (self.is_in_doubt, self.may_be_held) = (true, true))? {
                Changed::Written((now, is_takeover), answered) => {
                    self.may_be_held = true;
                    self.is_taken_over |= is_takeover;
                    self.held = Some((Held::new(now.plus(LEASE), answered), asked_at));
                    // Corrected once. A store whose answers take a second would be off every time.
                    if exact.is_some() || !is_off(now, answered) {
                        return Ok(Asked::Mine);
                    }
                    exact = Some(answered);
                }
                Changed::Left(asked) => return Ok(asked),
                Changed::Gone => {
                    session.end(&sessions.table, Ending::Dropped);
                    return Ok(Asked::Changed);
                }
            }
        }
    }

    /// Writes the tokens that the refresh of rotation `spent` brought, for as long as it takes. Nobody may use them before the store
    /// has them.
    pub(super) async fn write(&mut self, spent: u64, token: &OscToken, granted: Granted) -> Written {
        let (sessions, session, owner) = (self.sessions.clone(), self.session.clone(), self.owner);
        if session.stored().is_none() {
            return session.rotate(&sessions, token, granted);
        }
        let (version, mut pauses, mut is_told) = (Version::random(), WRITE_AGAIN, false);
        loop {
            let decide = |record: &Record<Granted>, _: Circumstances| {
                match record.rotate(spent, granted.clone(), owner) {
                    Rotate::Write(rotated) => Decision::Write(rotated, ()),
                    Rotate::Superseded => Decision::Leave(match &record.standing {
                        // Our own write, whose answer was lost.
                        Standing::Live(newer) if newer.tokens.bearer == granted.tokens.bearer => {
                            Written::Ours
                        }
                        _ => Written::Theirs,
                    }),
                    Rotate::Ended(ending) => Decision::Leave(Written::Ended(ending)),
                }
            };
            match sessions.change(&session, version, None, decide).await {
                Ok(Changed::Written((), _)) => {
                    self.may_be_held = false;
                    return session.ending().map_or(Written::Ours, Written::Ended);
                }
                Ok(Changed::Left(written)) => return written,
                Ok(Changed::Gone) => return Written::Ended(session.ending().unwrap_or(Ending::Dropped)),
                // Only a newer version of the layer can continue with this record. The run plans again to find out.
                Err(ChangeError::Unreadable) => return Written::Theirs,
                Err(ChangeError::Store) => {
                    if std::mem::replace(&mut is_told, true) {
                        tracing::debug!("the session store did not record a refreshed token");
                    } else {
                        tracing::warn!(
                            "The session store did not record a refreshed token. The layer retries."
                        );
                    }
                    sessions.clock.sleep(pauses.next()).await;
                }
            }
        }
    }

    /// Records that the provider refused the refresh token of rotation `spent`.
    pub(super) async fn refuse(&mut self, spent: u64) -> Result<Noted, StoreError> {
        if self.session.stored().is_none() {
            let is_noted = self.session.refuse(&self.sessions.table);
            return Ok(if is_noted { Noted::Here } else { Noted::Elsewhere });
        }
        let owner = self.owner;
        let decide = |record: &Record<Granted>, at: Circumstances| match record.refuse(spent, owner) {
            // Another node may have spent the token when the store was newer.
            _ if at.is_set_back => Decision::Leave(Err(StoreError::new("it was set back to an older state"))),
            Some(refused) => Decision::Write(refused, ()),
            None => {
                let is_live = matches!(record.standing, Standing::Live(_));
                let is_decided = record.rotation > spent || !is_live;
                Decision::Leave(Ok(if is_decided { Noted::Elsewhere } else { Noted::Undecided }))
            }
        };
        match self.sessions.change(&self.session, Version::random(), None, decide).await? {
            Changed::Written((), _) => {
                self.may_be_held = false;
                Ok(Noted::Here)
            }
            Changed::Left(noted) => noted,
            Changed::Gone => Ok(Noted::Elsewhere),
        }
    }

    /// After a takeover, waits for the write of the last holder. The next [`confirm`](Self::confirm) meets it.
    pub(super) async fn await_last_write(&mut self) {
        if std::mem::take(&mut self.is_taken_over) {
            self.sessions.clock.sleep(LAST_WRITE).await;
            self.held = None;
        }
    }

    /// Releases the lease beside the caller, until the store has recorded it, because other nodes wait for it.
    ///
    /// Keeps the lease of a session that was signed out here: the store may not know yet, and another node would send the refresh
    /// token again. Also keeps a lease that was taken over before the last holder's time to write has passed.
    pub(super) fn give_back(self) {
        let Some(stored) = self.session.stored() else { return };
        // A later run has another owner, whose lease a late release does not touch.
        stored.owner.lock().take();
        if !self.may_be_held || self.session.is_over() || self.is_taken_over {
            return;
        }
        let sessions = self.sessions.clone();
        sessions.beside(async move {
            let given_up_at = Moment::now(&*self.sessions.clock);
            let mut pauses = RELEASE_AGAIN;
            while given_up_at.age(&*self.sessions.clock) < LEASE {
                match self.release().await {
                    // There is no record of this session, so there is no lease either.
                    Ok(()) | Err(ChangeError::Unreadable) => return,
                    Err(ChangeError::Store) => self.sessions.clock.sleep(pauses.next()).await,
                }
            }
        });
    }

    async fn release(&self) -> Result<(), ChangeError> {
        let (sessions, session, owner) = (&self.sessions, &self.session, self.owner);
        // A slow read may have hidden the lease from this node.
        let known = session.base(sessions).and_then(|(_, content)| content.record.release(owner));
        if self.is_in_doubt || known.is_none() {
            sessions.reread(session).await?;
        }
        let decide = |record: &Record<Granted>, _: Circumstances| match record.release(owner) {
            _ if session.is_over() => Decision::Leave(()),
            Some(released) => Decision::Write(released, ()),
            // A write of the lease may still be on its way. Another version makes it fail.
            None if self.is_in_doubt => Decision::Write(record.clone(), ()),
            None => Decision::Leave(()),
        };
        sessions.change(session, Version::random(), None, decide).await.map(drop)
    }
}

/// The result of asking for the lease.
enum Asked {
    Mine,
    Theirs(Duration),
    Changed,
}

/// Says where the refusal of a refresh token was noted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Noted {
    Here,
    /// Another run was faster, with a refusal, an ending or newer tokens.
    Elsewhere,
    /// Another node may have spent the token and may be about to write.
    Undecided,
}

/// Says whose tokens the session has after a refresh.
pub(super) enum Written {
    Ours,
    /// Another node was faster, so its tokens are the session's.
    Theirs,
    Ended(Ending),
}

impl Theirs {
    /// Waits until the refresh of the other node is likely to be over.
    pub(super) async fn ends(self, sessions: &Sessions, session: &Session) {
        let Some((backing, Stored { key, .. })) = sessions.record_of(session) else { return };
        let is_notified = backing.coherence().is_trusted(Instant::now());
        let limit = self.left.min(if is_notified { LOOK_ANYWAY } else { LOOK_EVERY });
        let change = Box::pin(backing.coherence().change(&key.name, self.before));
        select(change, sessions.clock.sleep(limit)).await;
    }
}

impl Session {
    /// Puts the result of a refresh into a session without a store.
    fn rotate(&self, sessions: &Sessions, token: &OscToken, granted: Granted) -> Written {
        let mut state = self.lock();
        if let Some(ending) = state.particulars().standing.ending() {
            return Written::Ended(ending);
        }
        let registered = sessions.provider.registered(granted.credentials);
        state.renew(granted.tokens.refresh_token, registered, 0);
        state.know(granted.user);
        sessions.table.show(self, Some(token.clone()));
        Written::Ours
    }
}
