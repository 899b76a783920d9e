//! What all sessions know of the provider's health. Back-off per session alone would have each of them find out about
//! an outage by waiting for a time-out of its own.

use std::time::Duration;

use parking_lot::Mutex;

use super::backoff::Backoff;
use crate::clock::Timestamp;

/// So many refreshes in a row that found no provider are an outage, not an accident.
const TOLERATED: u32 = 3;
/// While one refresh asks whether the outage is over, the others are told to come back.
const PROBING: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    backoff: Backoff,
    probing: bool,
}

impl State {
    fn wait(&self, now: Timestamp) -> Option<Duration> {
        if self.failures < TOLERATED {
            return None;
        }
        self.backoff.wait(now).or(self.probing.then_some(PROBING))
    }
}

impl Breaker {
    /// How long the provider is to be left alone; `None` when it may be asked.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        self.0.lock().wait(now)
    }

    /// Lets a refresh through, in an outage one at a time.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<Admission<'_>, Duration> {
        let mut state = self.0.lock();
        if let Some(wait) = state.wait(now) {
            return Err(wait);
        }
        let is_probe = state.failures >= TOLERATED;
        state.probing |= is_probe;
        Ok(Admission { breaker: self, is_probe })
    }
}

/// A refresh that was let through, and has to tell what it found. Dropped without a word it leaves the place to another.
pub(crate) struct Admission<'b> {
    breaker: &'b Breaker,
    is_probe: bool,
}

impl Admission<'_> {
    /// The provider gave an answer that makes sense, be it a refusal.
    pub(crate) fn answered(self) {
        let mut state = self.breaker.0.lock();
        state.failures = 0;
        state.backoff = Backoff::default();
    }

    pub(crate) fn failed(self, now: Timestamp, retry_after: Option<Duration>) {
        let mut state = self.breaker.0.lock();
        state.failures = state.failures.saturating_add(1);
        // Failures that were under way together count for one step of the delay.
        if state.failures >= TOLERATED && (self.is_probe || state.backoff.wait(now).is_none()) {
            state.backoff.fail(now, retry_after, rand::random());
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.0.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn broken() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..TOLERATED {
            assert!(breaker.wait(at(0)).is_none());
            breaker.admit(at(0)).unwrap_or_else(|_| panic!("let through")).failed(at(0), None);
        }
        breaker
    }

    #[test]
    fn a_few_failures_in_a_row_leave_the_provider_alone_for_a_while() {
        let breaker = broken();
        assert!(breaker.wait(at(0)).is_some() && breaker.admit(at(0)).is_err());
        assert!(breaker.wait(at(2)).is_none());
    }

    #[test]
    fn in_an_outage_one_at_a_time_asks_and_an_answer_ends_it() {
        let breaker = broken();
        let probe = breaker.admit(at(2)).unwrap_or_else(|_| panic!("let through"));
        assert_eq!(breaker.wait(at(2)), Some(PROBING));
        assert!(breaker.admit(at(2)).is_err());
        probe.failed(at(2), None);
        assert!(breaker.admit(at(3)).is_err(), "the delay grows");
        let probe = breaker.admit(at(6)).unwrap_or_else(|_| panic!("let through"));
        probe.answered();
        assert!(breaker.wait(at(6)).is_none());
        let _together = [breaker.admit(at(6)), breaker.admit(at(6))]
            .map(|one| one.unwrap_or_else(|_| panic!("let through")));
    }

    #[test]
    fn a_probe_that_dies_leaves_its_place_to_another() {
        let breaker = broken();
        drop(breaker.admit(at(2)));
        assert!(breaker.admit(at(2)).is_ok());
    }
}
