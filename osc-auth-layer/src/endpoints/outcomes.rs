//! The outcomes of sign-ins, kept for the browsers that began them. A second click on the provider's *Allow* joins the
//! exchange under way, or gets its outcome for a minute.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::query::Query;
use crate::clock::Timestamp;
use crate::response::Refusal;
use crate::sessions::SessionId;

/// How long a browser can get an outcome again.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(60);
/// The most outcomes. Each costs a request to the provider, so more in a minute mean an attack.
const MOST: usize = 100_000;
/// How many outcomes one call of [`Outcomes::sweep`] looks at, because callbacks wait for the lock that it holds.
const SWEPT_AT_ONCE: usize = 1_000;

/// The outcome of a sign-in.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    SignedIn {
        id: SessionId,
        /// Another node began the session.
        is_relayed: bool,
    },
    Refused(Refusal),
    /// The state was used before.
    Used,
}

/// A hash of the provider's answer. Two deliveries of a sign-in share an outcome only if their hashes are equal.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(query: &Query) -> Self {
        let mut hash = Sha256::new();
        for name in ["code", "iss", "error"] {
            let value = query.get(name).unwrap_or_default();
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
        }
        Self(hash.finalize().into())
    }
}

/// Outcomes by state.
#[derive(Default)]
pub(crate) struct Outcomes {
    /// Ordered, because a hash table that grows moves all entries while callbacks wait.
    by_state: Mutex<BTreeMap<Box<str>, Kept>>,
    /// The state at which the last sweep stopped.
    swept_to: Mutex<Option<Box<str>>>,
}

struct Kept {
    fingerprint: Fingerprint,
    outcome: watch::Receiver<Option<Outcome>>,
    /// The number of requests that wait for the outcome, or have it but have not answered yet.
    waiting: usize,
    /// The session, until a browser gets it.
    unclaimed: Option<SessionId>,
    /// The end of the entry. `None` until there is an outcome.
    until: Option<Timestamp>,
}

/// The place of a delivery among the deliveries of its sign-in.
pub(super) enum Place {
    /// An exchange is under way or has ended lately.
    Joined(watch::Receiver<Option<Outcome>>),
    /// This is the first delivery. It has to send the outcome.
    First(watch::Sender<Option<Outcome>>),
    /// The first delivery brought another answer.
    Differs,
    Full,
}

impl Outcomes {
    /// Takes a place for a request. The caller gives it back with [`leave`](Self::leave).
    pub(super) fn enter(&self, state: &str, fingerprint: Fingerprint, now: Timestamp) -> Place {
        let mut all = self.by_state.lock();
        if let Some(kept) = all.get_mut(state).filter(|kept| kept.is_good(now)) {
            if kept.fingerprint != fingerprint {
                return Place::Differs;
            }
            kept.waiting += 1;
            return Place::Joined(kept.outcome.clone());
        }
        if all.len() >= MOST {
            return Place::Full;
        }
        let (sender, outcome) = watch::channel(None);
        let kept = Kept { fingerprint, outcome, waiting: 1, unclaimed: None, until: None };
        all.insert(state.into(), kept);
        Place::First(sender)
    }

    /// Notes that a browser gets the session.
    pub(super) fn claim(&self, state: &str) {
        if let Some(kept) = self.by_state.lock().get_mut(state) {
            kept.unclaimed = None;
        }
    }

    /// Notes that a request is over. Returns true if it was the last one and no browser has the session.
    pub(super) fn leave(&self, state: &str) -> bool {
        let mut all = self.by_state.lock();
        let Some(kept) = all.get_mut(state) else { return false };
        kept.waiting = kept.waiting.saturating_sub(1);
        kept.is_forsaken()
    }

    /// Notes that the exchange has ended. Returns true if it began a session and no request waits for it.
    pub(super) fn end(&self, state: &str, outcome: &Outcome, now: Timestamp) -> bool {
        let mut all = self.by_state.lock();
        let Some(kept) = all.get_mut(state) else { return false };
        kept.until = Some(now.plus(KEPT_FOR));
        if let Outcome::SignedIn { id, is_relayed: false } = outcome {
            kept.unclaimed = Some(id.clone());
        }
        kept.is_forsaken()
    }

    /// Forgets a sign-in whose outcome is not known. The next delivery asks again.
    pub(super) fn forget(&self, state: &str) {
        self.by_state.lock().remove(state);
    }

    /// Removes and returns the session, if no browser has it and no request waits for it.
    pub(super) fn take_unclaimed(&self, state: &str) -> Option<SessionId> {
        let mut all = self.by_state.lock();
        let unclaimed = all.get_mut(state).filter(|kept| kept.is_forsaken())?.unclaimed.take();
        all.remove(state);
        unclaimed
    }

    /// Removes the expired ones among the next thousand outcomes. Returns true if there are more to look at.
    pub(crate) fn sweep(&self, now: Timestamp) -> bool {
        let mut after = self.swept_to.lock();
        // If the exchange died with its runtime, the entry never gets an outcome and would stay for ever.
        let is_dead = |kept: &Kept| kept.until.is_none() && kept.outcome.has_changed().is_err();
        let mut all = self.by_state.lock();
        let rest = all
            .range::<str, _>((after.as_deref().map_or(Unbounded, Excluded), Unbounded))
            .take(SWEPT_AT_ONCE);
        let (mut looked_at, mut last, mut over) = (0, None, Vec::new());
        for (state, kept) in rest {
            (looked_at, last) = (looked_at + 1, Some(state));
            if !kept.is_good(now) || is_dead(kept) {
                over.push(state.clone());
            }
        }
        let next = last.filter(|_| looked_at == SWEPT_AT_ONCE).cloned();
        over.iter().for_each(|state| drop(all.remove(state)));
        *after = next;
        after.is_some()
    }
}

impl Kept {
    fn is_good(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until) || self.unclaimed.is_some()
    }

    fn is_forsaken(&self) -> bool {
        self.waiting == 0 && self.unclaimed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_of_many_outcomes_holds_the_lock_for_a_thousand_at_a_time() {
        let (outcomes, fingerprint) = (Outcomes::default(), Fingerprint([0; 32]));
        let (early, late) = (Timestamp::from_millis(0), Timestamp::from_millis(60_001));
        const EXPIRED: usize = 3_500;
        for number in 0..EXPIRED {
            let state = number.to_string();
            let Place::First(_sender) = outcomes.enter(&state, fingerprint, early) else {
                panic!("a new state")
            };
            outcomes.end(&state, &Outcome::Used, early);
        }
        let Place::First(_sender) = outcomes.enter("under way", fingerprint, early) else {
            panic!("a new state")
        };
        let mut calls = 0;
        loop {
            let before = outcomes.by_state.lock().len();
            let is_more_left = outcomes.sweep(late);
            calls += 1;
            assert!(before - outcomes.by_state.lock().len() <= SWEPT_AT_ONCE);
            if !is_more_left {
                break;
            }
        }
        assert_eq!((calls, outcomes.by_state.lock().len()), (EXPIRED.div_ceil(SWEPT_AT_ONCE), 1));
    }
}
