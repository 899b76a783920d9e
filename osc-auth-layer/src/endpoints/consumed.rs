//! The states that were used. Each is remembered until its sign-in would have expired.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::clock::Timestamp;

/// The most states. Only states that the layer sealed are stored, each for ten minutes, so more of them mean an attack.
const MOST: usize = 1_000_000;

/// How many expired states each new state removes. Two, so that the set shrinks again after a burst.
const FORGOTTEN_EACH_TIME: usize = 2;

/// The most states that one call of [`ConsumedStates::sweep`] removes, because callbacks wait for the lock that it holds.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// The used states, ordered by expiry, so that the expired ones are found without a search.
#[derive(Default)]
pub(crate) struct ConsumedStates(Mutex<BTreeSet<(Timestamp, Box<str>)>>);

impl ConsumedStates {
    /// Returns true if this is the first use of `state`. Returns false while the set is full.
    pub(crate) fn consume_once(&self, state: &str, expires_at: Timestamp, now: Timestamp) -> bool {
        let mut states = self.0.lock();
        forget_expired(&mut states, FORGOTTEN_EACH_TIME, now);
        states.len() < MOST && states.insert((expires_at, state.into()))
    }

    /// Returns true if `state` was used. Only a state that has not expired is remembered.
    pub(crate) fn contains(&self, state: &str, expires_at: Timestamp) -> bool {
        self.0.lock().contains(&(expires_at, state.into()))
    }

    /// Removes up to a thousand expired states. Returns true if there may be more.
    pub(crate) fn sweep(&self, now: Timestamp) -> bool {
        forget_expired(&mut self.0.lock(), FORGOTTEN_AT_ONCE, now) == FORGOTTEN_AT_ONCE
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// Removes up to `most` expired states, and returns their number.
fn forget_expired(states: &mut BTreeSet<(Timestamp, Box<str>)>, most: usize, now: Timestamp) -> usize {
    let has_expired = |states: &BTreeSet<_>| states.first().is_some_and(|(expires_at, _)| *expires_at <= now);
    (0..most).take_while(|_| has_expired(states) && states.pop_first().is_some()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn s02_a_state_is_consumed_once_and_forgotten_after_expiry() {
        let states = ConsumedStates::default();
        assert!(states.consume_once("a", at(10), at(0)));
        assert!(!states.consume_once("a", at(10), at(1)));
        assert!(states.consume_once("b", at(20), at(1)));
        assert!(!states.sweep(at(10)));
        assert_eq!(states.len(), 1);
        assert!(!states.consume_once("b", at(20), at(11)));
    }

    #[test]
    fn a_full_set_of_states_is_emptied_in_small_steps() {
        let states = ConsumedStates::default();
        for n in 0..MOST {
            assert!(states.consume_once(&n.to_string(), at(600_000 + n as u64 % 7), at(0)));
        }
        assert!(!states.consume_once("one too many", at(600_001), at(0)));
        assert_eq!(states.len(), MOST);

        assert!(states.consume_once("later", at(2_000_000), at(1_000_000)));
        assert_eq!(states.len(), MOST - FORGOTTEN_EACH_TIME + 1);
        assert!(states.sweep(at(1_000_000)));
        assert_eq!(states.len(), MOST - FORGOTTEN_EACH_TIME + 1 - FORGOTTEN_AT_ONCE);
        while states.sweep(at(1_000_000)) {}
        assert_eq!(states.len(), 1);
    }
}
