//! A clock that stands still, and tells who waits for it.

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use osc_auth_layer::Clock;
use osc_auth_layer::test_util::TestClock;
use tokio::sync::{Notify, watch};

use crate::soon;

/// A [`TestClock`] that lets a test wait until the layer sleeps on it. Clones move together.
#[derive(Clone, Debug)]
pub struct WatchedClock {
    clock: TestClock,
    sleeps: Arc<watch::Sender<Vec<Duration>>>,
    dropped: Arc<Notify>,
}

impl Default for WatchedClock {
    fn default() -> Self {
        Self {
            clock: TestClock::new(),
            sleeps: Arc::new(watch::Sender::new(Vec::new())),
            dropped: Arc::default(),
        }
    }
}

impl Drop for WatchedClock {
    fn drop(&mut self) {
        self.dropped.notify_one();
    }
}

impl WatchedClock {
    /// The pause before the layer asks a provider once more whose answer was lost: within two seconds. Nothing else in
    /// the layer sleeps for so long, but a context that waits for a service or an instance.
    pub const SECOND_TRY: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_millis(1999);
    /// The pause between two sweeps of the sessions.
    pub const SWEEP: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(60);

    /// Moves it on.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Sets it, forwards or back.
    pub fn set(&self, now: SystemTime) {
        self.clock.set(now);
    }

    /// Resolves once `times` sleeps as long as this were begun, with the length of the last of them.
    pub async fn slept(&self, length: RangeInclusive<Duration>, times: usize) -> Duration {
        let nth = |sleeps: &[Duration]| {
            sleeps.iter().filter(|&sleep| length.contains(sleep)).nth(times - 1).copied()
        };
        let mut sleeps = self.sleeps.subscribe();
        let sleeps = soon(sleeps.wait_for(|sleeps| nth(sleeps).is_some())).await;
        sleeps.ok().and_then(|sleeps| nth(&sleeps)).unwrap_or_default()
    }

    /// How many sleeps as long as this were begun.
    pub fn sleeps(&self, length: RangeInclusive<Duration>) -> usize {
        self.sleeps.borrow().iter().filter(|&sleep| length.contains(sleep)).count()
    }

    /// Resolves once this is the only clone, so nobody can sleep on it any more. For single-threaded tests.
    pub async fn alone(&self) {
        while Arc::strong_count(&self.dropped) > 1 {
            soon(self.dropped.notified()).await;
        }
    }

    /// Drives `request`, and lets the pause before every second try pass as soon as it begins.
    pub async fn through_second_tries<T>(&self, request: impl Future<Output = T>) -> T {
        let mut passed = self.sleeps(Self::SECOND_TRY);
        let mut request = std::pin::pin!(request);
        loop {
            tokio::select! {
                biased;
                answer = soon(&mut request) => return answer,
                pause = self.slept(Self::SECOND_TRY, passed + 1) => {
                    passed += 1;
                    self.advance(pause);
                }
            }
        }
    }
}

impl Clock for WatchedClock {
    fn now(&self) -> SystemTime {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let sleep = self.clock.sleep(duration);
        self.sleeps.send_modify(|sleeps| sleeps.push(duration));
        sleep
    }
}
