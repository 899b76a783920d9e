//! One refresh at a time among all nodes: the lease of a session's record, and what is written under it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select;

use super::refresh::Plan;
use super::settle::Ended;
use super::stored::{Opened, sealed};
use super::{OscToken, Phase, Session, Sessions};
use crate::clock::Timestamp;
use crate::oauth::{GRANT_TIME, Grant};
use crate::secret::random_token;
use crate::store::{BeforeRead, Ending, Leased, Record, Replaced, StoreError, Stored};

/// Longer than the provider may take to answer, by enough for the answer to be written.
const LEASE: Duration = Duration::from_secs(30);
const WRITE_TIME: Duration = LEASE.saturating_sub(GRANT_TIME);
/// A grant is not sent when its answer has less time than this.
const LEAST_GRANT_TIME: Duration = Duration::from_secs(10);
/// A lease this young was confirmed just now.
const JUST_NOW: Duration = Duration::from_millis(500);
const MOST_CONFIRMATIONS: usize = 3;

/// Without word of changes, a node that waits for another's refresh looks this often.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// With it, this often: in case the other node died.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// A write the store did not take is tried again, for what it holds is the only good refresh token there is.
const WRITE_AGAIN: Duration = Duration::from_millis(100);
const WRITE_AGAIN_AT_LATEST: Duration = Duration::from_secs(1);

/// A lease the store did not take back is returned again.
const RETURN_AGAIN: Duration = Duration::from_millis(200);
const RETURN_AGAIN_AT_LATEST: Duration = Duration::from_millis(1600);

/// Who inherits a lease gives its last holder this long to write: after an outage of the store it may have a new refresh
/// token, and the record a spent one.
const LAST_WORD: Duration = Duration::from_secs(4);

/// The lease of a session's record. It ends by itself when this process dies.
pub(super) struct Lease {
    sessions: Arc<Sessions>,
    session: Session,
    owner: String,
    /// Before the request that the store last confirmed it to; `None` when that is not to be relied on.
    confirmed_at: Option<Moment>,
    is_inherited: bool,
    /// The store failed when it was asked: it may still come to what it was asked for.
    is_in_doubt: bool,
}

/// By both clocks: the monotonic one stands still while a machine sleeps, the other one may be set back.
#[derive(Clone, Copy)]
struct Moment(Instant, Timestamp);

impl Moment {
    fn now(sessions: &Sessions) -> Self {
        Self(Instant::now(), sessions.now())
    }

    fn age(self, sessions: &Sessions) -> Duration {
        self.0.elapsed().max(sessions.now().since(self.1))
    }
}

/// Whether this node may refresh a session.
pub(super) enum Taken {
    /// There is no store, so nobody to agree with.
    Needless,
    Mine(Lease),
    /// Another node refreshes it. What it does is seen by a change after this.
    Theirs(Duration, BeforeRead),
    Over,
}

impl Lease {
    /// Takes the lease, and what the record holds under it.
    pub(super) async fn take(sessions: &Arc<Sessions>, session: &Session) -> Result<Taken, StoreError> {
        let Some((backing, stored)) = sessions.record_of(session) else {
            return Ok(Taken::Needless);
        };
        let mut lease = Self {
            sessions: sessions.clone(),
            session: session.clone(),
            owner: stored.lease_owner.lock().get_or_insert_with(random_token::<16>).clone(),
            confirmed_at: None,
            is_inherited: false,
            is_in_doubt: false,
        };
        let before = backing.before_read(&stored.key.name);
        let asked = lease.ask(stored).await;
        Ok(match asked {
            Ok(Leased::Granted(_) | Leased::Inherited(_)) => Taken::Mine(lease),
            Ok(Leased::Held(_, left)) => {
                stored.lease_owner.lock().take();
                Taken::Theirs(left, before)
            }
            Ok(Leased::Ended(_) | Leased::Absent) => Taken::Over,
            Err(error) => {
                // It may be ours all the same.
                lease.give_back();
                return Err(error);
            }
        })
    }

    /// Whether a grant may be sent now: the lease is still ours, and outlasts the answer. What the record holds by now is
    /// the session's afterwards.
    pub(super) async fn confirm(&mut self) -> Result<bool, StoreError> {
        let session = self.session.clone();
        let Some(stored) = session.stored() else {
            return Ok(false);
        };
        for _ in 0..MOST_CONFIRMATIONS {
            // A process may have been stopped for any time between two lines.
            if self.is_younger_than(JUST_NOW) {
                return Ok(true);
            }
            match self.ask(stored).await? {
                Leased::Granted(_) => {}
                Leased::Inherited(_) => self.hear_last_word().await,
                Leased::Held(..) | Leased::Ended(_) | Leased::Absent => return Ok(false),
            }
        }
        // The store is so slow that no confirmation is fresh; one that leaves the provider its time will do.
        Ok(self.is_younger_than(LEASE - WRITE_TIME - LEAST_GRANT_TIME))
    }

    /// How long the answer to a grant sent now may take, so that it can be written under this lease.
    pub(super) fn grant_time(&self) -> Duration {
        let age = self.confirmed_at.map_or(LEASE, |at| at.age(&self.sessions));
        LEASE.saturating_sub(WRITE_TIME + age)
    }

    fn is_younger_than(&self, age: Duration) -> bool {
        self.confirmed_at.is_some_and(|at| at.age(&self.sessions) < age)
    }

    async fn ask(&mut self, stored: &Stored) -> Result<Leased, StoreError> {
        let Some(backing) = &self.sessions.backing else {
            return Ok(Leased::Absent);
        };
        let asked_at = Moment::now(&self.sessions);
        let leased = backing.lease(&stored.key, &self.owner, LEASE).await;
        self.is_in_doubt |= leased.is_err();
        let leased = leased?;
        match &leased {
            Leased::Granted(record) | Leased::Inherited(record) => {
                self.confirmed_at = Some(asked_at);
                self.is_inherited |= matches!(leased, Leased::Inherited(_));
                self.absorb(record)?;
            }
            Leased::Held(record, _) => self.absorb(record)?,
            Leased::Ended(ending) => self.session.end(&self.sessions.table, (*ending).into()),
            Leased::Absent => {
                self.session.drop_out(&self.sessions.table);
                self.sessions.table.remove(self.session.id());
            }
        }
        Ok(leased)
    }

    fn absorb(&self, record: &Record) -> Result<(), StoreError> {
        let opened =
            self.open(record).ok_or_else(|| StoreError::new("a session record cannot be decrypted"))?;
        self.sessions.absorb(&self.session, record, opened);
        Ok(())
    }

    fn open(&self, record: &Record) -> Option<Opened> {
        let backing = self.sessions.backing.as_ref()?;
        self.sessions.open(backing, &self.session.stored()?.key, record)
    }

    /// Writes what a refresh brought, for as long as it takes: before the store has it, nobody may use it.
    ///
    /// When this node had lost its lease and another was faster, that one's tokens are the session's.
    pub(super) async fn write(&self, plan: &Plan, token: &OscToken, grant: &Grant) -> Result<Written, Ended> {
        let (sessions, session) = (&self.sessions, &self.session);
        let Some((backing, stored)) = sessions.record_of(session) else {
            return Err(Ended::Dropped);
        };
        // What was spent, whatever this node has read since.
        let (mut expected, mut newest) = (plan.version, plan.version);
        let mut pause = WRITE_AGAIN;
        loop {
            let phase = session.lock().phase();
            match phase {
                Phase::SignedOut => return Err(Ended::SignedOut),
                Phase::Dropped => return Err(Ended::Dropped),
                Phase::Live | Phase::Refused => {}
            }
            let version = newest + 1;
            let sealed = sealed(sessions, &grant.credentials, token, grant.refresh_token.as_ref());
            match backing.replace(&stored.key, expected, version, &sealed).await {
                Ok(Replaced::Done) => return Ok(Written::Ours(version)),
                Ok(Replaced::Ended(Ending::SignedOut)) => return Err(Ended::SignedOut),
                Ok(Replaced::Ended(_) | Replaced::Absent) => return Err(Ended::Dropped),
                Ok(Replaced::Conflict(record)) => {
                    let Some(opened) = self.open(&record) else {
                        return Err(Ended::Dropped);
                    };
                    if opened.tokens.bearer == token.bearer() && has_refresh_token(&opened, grant) {
                        // Our own write, whose acknowledgement was lost.
                        return Ok(Written::Ours(record.version));
                    }
                    // A store that was taken back holds what is older than what was spent.
                    if record.version > plan.version && !has_refresh_token(&opened, &plan.grant) {
                        sessions.absorb(session, &record, opened);
                        return Ok(Written::Theirs);
                    }
                    newest = newest.max(record.version);
                    expected = record.version;
                }
                Err(_) => {
                    if pause == WRITE_AGAIN {
                        tracing::warn!(
                            "The session store did not record a refreshed token. The layer retries."
                        );
                    } else {
                        tracing::debug!("the session store did not record a refreshed token");
                    }
                    sessions.clock.sleep(pause).await;
                    pause = (pause * 2).min(WRITE_AGAIN_AT_LATEST);
                }
            }
        }
    }

    /// The provider refused what `version` held: so is the session, when this node still has the lease and the record
    /// holds nothing else. Tells whether it has; another node may have spent the token, and be about to write.
    pub(super) async fn refuse(&mut self, version: u64) -> Result<bool, StoreError> {
        let (sessions, session) = (self.sessions.clone(), self.session.clone());
        let Some((backing, stored)) = sessions.record_of(&session) else {
            return Ok(false);
        };
        match self.ask(stored).await? {
            Leased::Granted(record) if record.version == version => {
                backing.refuse(&stored.key, version).await?;
                session.refuse(&sessions.table);
                Ok(true)
            }
            Leased::Inherited(_) => {
                self.hear_last_word().await;
                Ok(false)
            }
            Leased::Held(..) => Ok(false),
            Leased::Granted(_) | Leased::Ended(_) | Leased::Absent => Ok(true),
        }
    }

    /// Lets the last holder of an inherited lease write what it may have; the next [`confirm`](Self::confirm) reads it.
    pub(super) async fn hear_last_word(&mut self) {
        if std::mem::take(&mut self.is_inherited) {
            self.sessions.clock.sleep(LAST_WORD).await;
            self.confirmed_at = None;
        }
    }

    /// Gives the lease back, beside the caller, and until the store takes it: other nodes wait for it. Not that of a
    /// session that was signed out here: the store may not know yet, and another node would spend what was spent.
    pub(super) fn give_back(self) {
        let Some(stored) = self.session.stored() else {
            return;
        };
        // A later refresh has an owner of its own, whose lease a late return does not touch.
        stored.lease_owner.lock().take();
        // Nor one whose last holder may still have to write: it runs out, and is inherited again.
        if self.session.is_over() || self.is_inherited {
            return;
        }
        let sessions = self.sessions.clone();
        sessions.beside(async move {
            let given_up_at = Moment::now(&self.sessions);
            let (mut pause, mut is_in_doubt) = (RETURN_AGAIN, self.is_in_doubt);
            while given_up_at.age(&self.sessions) < LEASE {
                let Some((backing, stored)) = self.sessions.record_of(&self.session) else {
                    return;
                };
                if backing.release(&stored.key, &self.owner).await.is_ok() {
                    if !is_in_doubt {
                        return;
                    }
                    (is_in_doubt, pause) = (false, RETURN_AGAIN_AT_LATEST);
                }
                self.sessions.clock.sleep(pause).await;
                pause = (pause * 2).min(RETURN_AGAIN_AT_LATEST);
            }
        });
    }
}

/// Whose tokens the record holds after a refresh.
pub(super) enum Written {
    Ours(u64),
    Theirs,
}

fn has_refresh_token(opened: &Opened, grant: &Grant) -> bool {
    match (&opened.tokens.refresh_token, &grant.refresh_token) {
        (Some(held), Some(granted)) => held.expose() == granted.expose(),
        _ => false,
    }
}

/// Waits until another node's refresh is likely to be over.
pub(super) async fn their_refresh(
    sessions: &Sessions,
    session: &Session,
    left: Duration,
    before: BeforeRead,
) {
    let Some((backing, stored)) = sessions.record_of(session) else {
        return;
    };
    let is_told = backing.coherence().is_trusted(Instant::now());
    let limit = left.min(if is_told { LOOK_ANYWAY } else { LOOK_EVERY });
    let change = Box::pin(backing.coherence().change(&stored.key.name, before));
    select(change, sessions.clock.sleep(limit)).await;
}
