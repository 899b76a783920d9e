//! The pauses after failures of the provider.

use std::time::Duration;

use crate::clock::{Pauses, Timestamp};

const PAUSES: Pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(60));
/// The longest `Retry-After` that counts. With a longer one, the app would be down for longer than the provider.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// The side that an outage is on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Side {
    #[default]
    Provider,
    Store,
    /// The provider answers, but the app's settings do not fit it, such as the client or the issuer.
    Settings,
}

/// Failures in a row, and the time before which there is no further try.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    pauses: Pauses,
    failed_at: Timestamp,
    not_before: Timestamp,
    /// The side of the last failure.
    pub(super) side: Side,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            pauses: PAUSES,
            failed_at: Timestamp::default(),
            not_before: Timestamp::default(),
            side: Side::default(),
        }
    }
}

impl Backoff {
    /// Notes a failure. `jitter` in 0..1 spreads the sessions of one outage over half of the delay.
    pub(crate) fn fail(&mut self, now: Timestamp, retry_after: Option<Duration>, jitter: f64) {
        let asked = retry_after.unwrap_or_default().min(LONGEST_ASKED);
        let delay = self.pauses.next().max(asked).mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 2.0);
        self.failed_at = now;
        self.not_before = now.plus(delay);
    }

    /// Waits for this long although nothing failed.
    pub(super) fn hold(&mut self, now: Timestamp, delay: Duration) {
        (self.failed_at, self.not_before) = (now, now.plus(delay));
    }

    /// Waits no longer.
    pub(super) fn open(&mut self) {
        self.not_before = Timestamp::default();
    }

    /// Returns how long to wait for the next try. `None` if there may be one now, also after the clock went back.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        self.wait_beyond(now, Duration::ZERO)
    }

    /// The same for a try that has to come this much later.
    pub(super) fn wait_beyond(&self, now: Timestamp, margin: Duration) -> Option<Duration> {
        let not_before = self.not_before.plus(margin);
        (self.failed_at <= now && now < not_before).then(|| not_before.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn delays_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(at(100)), None);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.fail(at(100), None, 0.0);
            assert_eq!(backoff.wait(at(100)), Some(Duration::from_secs(seconds)));
            assert_eq!(backoff.wait(at(100 + seconds)), None);
        }
    }

    #[test]
    fn retry_after_is_heeded_within_reason() {
        let mut backoff = Backoff::default();
        backoff.fail(at(0), Some(Duration::from_secs(20)), 0.0);
        assert_eq!(backoff.wait(at(0)), Some(Duration::from_secs(20)));
        backoff.fail(at(0), Some(Duration::MAX), 1.0);
        assert_eq!(backoff.wait(at(0)), Some(LONGEST_ASKED.mul_f64(1.5)));
    }

    #[test]
    fn after_the_clock_went_back_there_is_no_wait() {
        let mut backoff = Backoff::default();
        backoff.fail(at(1_000_000), None, 1.0);
        assert_eq!(backoff.wait(at(5)), None);
    }
}
