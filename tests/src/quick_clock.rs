//! A clock for tests in which the provider fails.

use std::future::{Future, ready};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use osc_auth_layer::Clock;

use crate::StillClock;

/// A clock that stands still until it is moved, like [`StillClock`], but ends the pause before a retry at
/// once.
///
/// A retry waits less than two seconds. With this clock, tests need not move the clock at the right moment.
#[derive(Clone, Debug, Default)]
pub struct QuickClock(StillClock);

impl QuickClock {
    /// Returns a clock that shows the current time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock ahead.
    pub fn advance(&self, duration: Duration) {
        self.0.advance(duration);
    }
}

impl Clock for QuickClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if duration < Duration::from_secs(2) { Box::pin(ready(())) } else { self.0.sleep(duration) }
    }
}
