//! Drops expired entries from memory once a minute.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::yield_now;

use crate::clock::{Clock, Timestamp};
use crate::session::Place;
use crate::shared::Shared;

const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// A clock that jumps ahead by more than this between two sweeps may be wrong.
const PLAUSIBLE: Duration = Duration::from_secs(15 * 60);
/// After this many sweeps, the sweeper follows a clock that jumped ahead.
const DOUBTED_FOR: u32 = 30;

/// Sweeps until the layer is dropped.
pub(crate) async fn keep_sweeping(layer: Weak<Shared>, clock: Arc<dyn Clock>) {
    let mut time = SweepTime::from(Timestamp::from(clock.now()));
    loop {
        clock.sleep(SWEEP_EVERY).await;
        let now = time.next(clock.now().into());
        if sweep(&layer, now).await.is_none() {
            return;
        }
    }
}

/// Sweeps in slices and yields between them, so that requests can run. `None` if the layer was dropped meanwhile.
async fn sweep(layer: &Weak<Shared>, now: Timestamp) -> Option<()> {
    let sessions_from = |place| {
        let shared = layer.upgrade()?;
        Some(shared.sessions.sweep(place, &shared.config.timing, now))
    };
    let mut next = sessions_from(Place::default())?;
    while let Some(place) = next {
        yield_now().await;
        next = sessions_from(place)?;
    }
    while layer.upgrade()?.consumed.sweep(now) {
        yield_now().await;
    }
    let shared = layer.upgrade()?;
    shared.outcomes.sweep(now);
    shared.sessions.log_pushed_out();
    Some(())
}

/// The time to sweep by.
///
/// Clocks jump ahead and back, for example in virtual machines, but a dropped session stays dropped. So after a jump ahead the
/// sweeper counts its own sleeps for half an hour before it follows the clock.
struct SweepTime {
    believed: Timestamp,
    doubted: u32,
}

impl From<Timestamp> for SweepTime {
    fn from(believed: Timestamp) -> Self {
        Self { believed, doubted: 0 }
    }
}

impl SweepTime {
    /// Returns the time for the next sweep, one pause after the last one.
    fn next(&mut self, now: Timestamp) -> Timestamp {
        let expected = self.believed.plus(SWEEP_EVERY);
        let is_plausible = now <= expected.plus(PLAUSIBLE);
        (self.believed, self.doubted) = match is_plausible || self.doubted >= DOUBTED_FOR {
            true => (now, 0),
            false => (expected, self.doubted + 1),
        };
        self.believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn small_steps_of_the_clock_are_followed_in_both_directions() {
        let mut time = SweepTime::from(at(1000));
        for now in [1001, 1002, 1010, 1010, 1024, 500, 501, 0] {
            assert_eq!(time.next(at(now)), at(now));
        }
    }

    #[test]
    fn a_clock_jump_that_reverts_is_ignored() {
        let mut time = SweepTime::from(at(0));
        for minute in 1..=30 {
            assert_eq!(time.next(at(DAY + minute)), at(minute));
        }
        assert_eq!(time.next(at(31)), at(31));
    }

    #[test]
    fn a_lasting_clock_jump_is_followed_after_half_an_hour() {
        let mut time = SweepTime::from(at(0));
        for minute in 1..=30 {
            assert_eq!(time.next(at(DAY + minute)), at(minute));
        }
        assert_eq!(time.next(at(DAY + 31)), at(DAY + 31));
        assert_eq!(time.next(at(DAY + 32)), at(DAY + 32));
    }
}
