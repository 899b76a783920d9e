//! Drops expired entries from memory once a minute.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, yield_now};

use crate::clock::{Clock, Timestamp};

const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// A clock that jumps ahead by more than this between two sweeps may be wrong.
const PLAUSIBLE: Duration = Duration::from_secs(15 * 60);
/// After this many sweeps, the sweeper follows a clock that jumped ahead.
const DOUBTED_FOR: u32 = 30;

/// Drops a slice of what expired before the given time. Returns true if there is more.
type Sweep = Box<dyn FnMut(Timestamp) -> bool + Send>;

/// Sweeps every minute, in a task that ends when this is dropped.
pub(crate) struct Sweeper {
    clock: Arc<dyn Clock>,
    sweeps: Mutex<Vec<Sweep>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Sweeper {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, sweeps: Mutex::default(), task: Mutex::default() }
    }

    /// Adds a sweep. The task yields between its slices, so that requests can run.
    pub(crate) fn add(&self, sweep: impl FnMut(Timestamp) -> bool + Send + 'static) {
        self.sweeps.lock().push(Box::new(sweep));
    }

    /// Makes sure that the task runs. Starts it again if its runtime has ended.
    pub(crate) fn keep_going(self: &Arc<Self>) {
        let mut task = self.task.lock();
        if task.as_ref().is_none_or(JoinHandle::is_finished)
            && let Ok(runtime) = Handle::try_current()
        {
            *task = Some(runtime.spawn(keep_sweeping(Arc::downgrade(self), self.clock.clone())));
        }
    }
}

async fn keep_sweeping(sweeper: Weak<Sweeper>, clock: Arc<dyn Clock>) {
    let mut time = SweepTime { believed: clock.now().into(), doubted: 0 };
    loop {
        clock.idle(SWEEP_EVERY).await;
        let now = time.next(clock.now().into());
        let mut number = 0;
        loop {
            let Some(sweeper) = sweeper.upgrade() else { return };
            let slice = sweeper.sweeps.lock().get_mut(number).map(|sweep| sweep(now));
            match slice {
                None => break,
                Some(true) => {}
                Some(false) => number += 1,
            }
            drop(sweeper);
            yield_now().await;
        }
    }
}

/// The time to sweep by.
///
/// Clocks jump ahead and back, for example in virtual machines, but a dropped session stays dropped. So after a jump ahead the
/// sweeper counts its own sleeps for half an hour before it follows the clock.
struct SweepTime {
    believed: Timestamp,
    doubted: u32,
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
        let mut time = SweepTime { believed: at(1000), doubted: 0 };
        for now in [1001, 1002, 1010, 1010, 1024, 500, 501, 0] {
            assert_eq!(time.next(at(now)), at(now));
        }
    }

    #[test]
    fn a_clock_jump_that_reverts_is_ignored() {
        let mut time = SweepTime { believed: at(0), doubted: 0 };
        for minute in 1..=30 {
            assert_eq!(time.next(at(DAY + minute)), at(minute));
        }
        assert_eq!(time.next(at(31)), at(31));
    }

    #[test]
    fn a_lasting_clock_jump_is_followed_after_half_an_hour() {
        let mut time = SweepTime { believed: at(0), doubted: 0 };
        for minute in 1..=30 {
            assert_eq!(time.next(at(DAY + minute)), at(minute));
        }
        assert_eq!(time.next(at(DAY + 31)), at(DAY + 31));
        assert_eq!(time.next(at(DAY + 32)), at(DAY + 32));
    }
}
