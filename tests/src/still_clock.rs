//! A clock on which nothing ends by itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use osc_auth_layer::Clock;
use tokio::sync::watch;

/// A clock whose sleeps end only when the test moves it, unlike those of `TestClock`. A test can so hold the
/// layer in a sleep for as long as it likes, on a machine of any speed. Clones move together.
#[derive(Clone, Debug)]
pub struct StillClock(Arc<watch::Sender<SystemTime>>);

impl Default for StillClock {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(SystemTime::now())))
    }
}

impl StillClock {
    /// Moves the clock ahead.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now += duration);
    }

    /// Sets the clock, ahead or back.
    pub fn set(&self, now: SystemTime) {
        self.0.send_replace(now);
    }
}

impl Clock for StillClock {
    fn now(&self) -> SystemTime {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let until = self.now().checked_add(duration);
        let mut receiver = self.0.subscribe();
        // This clone keeps the sender alive, so that waiting cannot fail.
        let clock = self.clone();
        Box::pin(async move {
            let _ = receiver.wait_for(|now| until.is_some_and(|until| *now >= until)).await;
            drop(clock);
        })
    }
}
