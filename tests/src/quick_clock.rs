//! A clock for tests in which the provider fails.

use std::future::{Future, ready};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use osc_auth_layer::Clock;
use osc_auth_layer::test_util::TestClock;

/// Stands still until it is moved, like [`TestClock`]; but the pause before a second try (under two seconds) is over at
/// once, so that a failing provider needs no test that moves the clock at the right moment.
#[derive(Clone, Debug, Default)]
pub struct QuickClock(TestClock);

impl QuickClock {
    /// A clock that shows the present time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves it on.
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
