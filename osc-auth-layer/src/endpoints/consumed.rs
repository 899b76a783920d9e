//! The states that were used, remembered until the sign-ins they belong to would have expired anyway.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;

/// Only states we sealed ourselves get here, each for ten minutes; this many of them would be an attack.
const MOST: usize = 1_000_000;

/// A full set is searched for expired ones at most this often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct ConsumedStates(Mutex<States>);

#[derive(Default)]
struct States {
    expire_at: HashMap<Box<str>, Timestamp>,
    swept_at: Timestamp,
}

impl ConsumedStates {
    /// Whether this is the first use of `state`; one that cannot be remembered is none.
    pub(super) fn consume_once(&self, state: &str, expires_at: Timestamp, now: Timestamp) -> bool {
        let mut states = self.0.lock();
        if states.expire_at.len() >= MOST && now.since(states.swept_at) >= SWEEP_EVERY {
            states.sweep(now);
        }
        states.expire_at.len() < MOST && states.expire_at.insert(state.into(), expires_at).is_none()
    }

    pub(crate) fn sweep(&self, now: Timestamp) {
        self.0.lock().sweep(now);
    }
}

impl States {
    fn sweep(&mut self, now: Timestamp) {
        self.expire_at.retain(|_, expires_at| now < *expires_at);
        self.swept_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s02_a_state_is_consumed_once_and_forgotten_after_it_expired() {
        let states = ConsumedStates::default();
        let at = Timestamp::from_millis;
        assert!(states.consume_once("a", at(10), at(0)));
        assert!(!states.consume_once("a", at(10), at(1)));
        assert!(states.consume_once("b", at(20), at(1)));
        states.sweep(at(10));
        assert_eq!(states.0.lock().expire_at.len(), 1);
        assert!(!states.consume_once("b", at(20), at(11)));
    }
}
