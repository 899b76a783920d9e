//! A session's record, and every way in which it changes. Nothing here does I/O: the time is passed in, and each change returns
//! another record, which the caller swaps into the store.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How long a node may refresh a session before another node takes over. It is longer than the provider may take to answer, by
/// enough to write the answer.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// How long a node that takes over waits for the write of the last holder. After an outage of the store, that node may still have
/// tokens to write, and those in the record are spent.
pub(crate) const LAST_WRITE: Duration = Duration::from_secs(4);

/// The state of a session that all nodes share. `G` is the type of the tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record<G> {
    /// One more than the number of refreshes.
    pub(crate) rotation: u64,
    pub(crate) standing: Standing<G>,
    pub(crate) lease: Option<Lease>,
}

/// The standing of a session: live with its tokens, refused, or ended. `G` is the type of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Standing<G = ()> {
    Live(G),
    /// The provider refused the refresh token.
    Refused,
    Ended(Ending),
}

impl<G> Standing<G> {
    /// Returns how it ended for good. `None` if it has not.
    pub(crate) fn ending(&self) -> Option<Ending> {
        if let Self::Ended(ending) = self { Some(*ending) } else { None }
    }

    pub(crate) fn grant_mut(&mut self) -> Option<&mut G> {
        if let Self::Live(grant) = self { Some(grant) } else { None }
    }
}

impl Default for Standing {
    fn default() -> Self {
        Self::Live(())
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// The user signed out. Tokens that a refresh under way brings are revoked.
    SignedOut,
    /// It expired, or another sign-in of the same browser took its place, perhaps with the same grant. Nothing is revoked.
    Dropped,
}

/// One node's right to refresh the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) owner: Owner,
    /// The end of the lease, by the store's clock.
    pub(crate) until: Timestamp,
}

/// The name of a run of the refresh: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Owner(pub(crate) [u8; 16]);

/// Says whether a node may refresh the session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Take<G> {
    /// It may, as soon as this record is in the store.
    Free(Record<G>),
    /// It may, as soon as this record is in the store and [`LAST_WRITE`] has passed. The last holder never released its lease.
    TakenOver(Record<G>),
    /// Another node refreshes it, for this long at most.
    Held(Duration),
    Refused,
    Ended(Ending),
}

/// Says what to do with the tokens of a refresh.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rotate<G> {
    /// Write this record.
    Write(Record<G>),
    /// Another node refreshed the session too and wrote first. Its tokens count.
    Superseded,
    Ended(Ending),
}

impl<G: Clone> Record<G> {
    pub(crate) fn new(grant: G) -> Self {
        Self { rotation: 1, standing: Standing::Live(grant), lease: None }
    }

    /// The record of a session that ended. Nothing else of it counts any more.
    pub(crate) fn ended(ending: Ending) -> Self {
        Self { rotation: 0, standing: Standing::Ended(ending), lease: None }
    }

    /// Takes the lease for `owner`, or prolongs the lease that `owner` has. `now` must not be later than the store's time, or a
    /// lease could be taken over before it ends.
    pub(crate) fn take(&self, owner: Owner, now: Timestamp) -> Take<G> {
        match self.standing {
            Standing::Live(_) => {}
            Standing::Refused => return Take::Refused,
            Standing::Ended(ending) => return Take::Ended(ending),
        }
        let lease = Some(Lease { owner, until: now.plus(LEASE) });
        let taken = Self { lease, ..self.clone() };
        match &self.lease {
            Some(lease) if lease.owner == owner => Take::Free(taken),
            Some(lease) if now < lease.until => Take::Held(lease.until.since(now)),
            Some(_) => Take::TakenOver(taken),
            None => Take::Free(taken),
        }
    }

    /// Puts in the tokens that the refresh of rotation `spent` brought, and releases the lease. The lease of another node stays:
    /// that node sees the new tokens before it sends anything.
    pub(crate) fn rotate(&self, spent: u64, grant: G, owner: Owner) -> Rotate<G> {
        match self.standing {
            Standing::Ended(ending) => Rotate::Ended(ending),
            _ if self.rotation > spent => Rotate::Superseded,
            Standing::Live(_) | Standing::Refused => {
                let lease = self.lease.clone().filter(|lease| lease.owner != owner);
                Rotate::Write(Self { rotation: spent + 1, standing: Standing::Live(grant), lease })
            }
        }
    }

    /// Notes that the provider refused the refresh token of rotation `spent`. `None` if the record holds another token, or if
    /// another node has taken over, which may be about to write newer tokens.
    pub(crate) fn refuse(&self, spent: u64, owner: Owner) -> Option<Self> {
        let is_spent = self.rotation == spent && matches!(self.standing, Standing::Live(_));
        (self.is_leased_to(owner) && is_spent).then(|| Self {
            standing: Standing::Refused,
            lease: None,
            ..self.clone()
        })
    }

    /// Releases the lease without new tokens. `None` if `owner` does not have it.
    pub(crate) fn release(&self, owner: Owner) -> Option<Self> {
        self.is_leased_to(owner).then(|| Self { lease: None, ..self.clone() })
    }

    /// Compares two records of one session. A store that was restored from a backup holds an older record than some node, and that
    /// node writes its own. An ended session stays so, newer tokens count more than older ones, and the refusal of tokens counts
    /// more than the tokens.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    /// The same record without its tokens.
    pub(crate) fn outline(&self) -> Record<()> {
        let standing = match self.standing {
            Standing::Live(_) => Standing::Live(()),
            Standing::Refused => Standing::Refused,
            Standing::Ended(ending) => Standing::Ended(ending),
        };
        Record { rotation: self.rotation, standing, lease: self.lease.clone() }
    }

    fn rank(&self) -> (bool, u64, bool) {
        let is_refused = matches!(self.standing, Standing::Refused);
        (self.standing.ending().is_some(), self.rotation, is_refused)
    }

    fn is_leased_to(&self, owner: Owner) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.owner == owner)
    }
}

/// A lease as its holder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    /// The time that was left by the store's clock when the store wrote the lease.
    left: Duration,
}

impl Held {
    /// `until` was proposed from an estimate of the store's time. `answered` is the store's time when it took the record.
    pub(crate) fn new(until: Timestamp, answered: Timestamp) -> Self {
        Self { left: until.since(answered) }
    }

    /// Returns how long the lease lasts at least. `elapsed` is the time since before the swap was sent, so that a slow answer does
    /// not make the holder believe in its lease for too long.
    pub(crate) fn left(self, elapsed: Duration) -> Duration {
        self.left.saturating_sub(elapsed)
    }
}
