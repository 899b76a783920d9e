//! A clock for tests, which cannot hang one.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::select;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::clock::Clock;

/// The least real time that a sleep takes. A loop that waits for a time which never comes, because the clock stands still, must not
/// keep a core busy.
const SHORTEST: Duration = Duration::from_millis(100);

/// Shows a time that only the test moves. Clones move together.
///
/// The layer sleeps on its clock, for example before it tries a failed refresh again. Such a sleep ends as soon as the test moves the
/// clock past its end. It also ends when it has lasted for its duration of Tokio's time, at least 100 milliseconds, while the clock
/// itself stands still. So no request of a test waits for ever:
///
/// - A test that moves the clock does not have to wait.
/// - A test that does not move it waits for as long as a user would.
/// - With `tokio::time::pause`, sleeps end in their order as soon as nothing else can run.
///
/// Decisions compare times of this clock: tokens and sessions expire, and a failed refresh may be tried again, only when the test has
/// moved it that far.
///
/// ```
/// use std::time::Duration;
/// use osc_auth_layer::{Clock, test_util::TestClock};
///
/// let clock = TestClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now(), before + Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug)]
pub struct TestClock(Arc<watch::Sender<SystemTime>>);

impl TestClock {
    /// Returns a clock that stands at the current time.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(SystemTime::now())))
    }

    /// Moves the clock ahead, and wakes the tasks whose sleep ends by then.
    ///
    /// # Panics
    /// If the new time is beyond the range of `SystemTime`.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now += duration);
    }

    /// Sets the clock to any time, ahead or back.
    pub fn set(&self, now: SystemTime) {
        self.0.send_replace(now);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl TestClock {
    /// Waits until the clock has been moved by this much.
    fn moved(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let until = self.now().checked_add(duration);
        let mut receiver = self.0.subscribe();
        // This clone keeps the sender alive, so that waiting cannot fail.
        let clock = self.clone();
        async move {
            let _ = receiver.wait_for(|now| until.is_some_and(|until| *now >= until)).await;
            drop(clock);
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let moved = self.moved(duration);
        Box::pin(async move {
            // Outside of a runtime there is no timer, and nothing of the layer sleeps there.
            if Handle::try_current().is_err() {
                return moved.await;
            }
            let passed = tokio::time::sleep(duration.max(SHORTEST));
            select(pin!(moved), pin!(passed)).await;
        })
    }

    /// Waits for the test to move the clock. If it ended by itself, Tokio's paused time would run from one sweep to the next while a
    /// test waits for anything else.
    fn idle(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.moved(duration))
    }
}
