//! A clock that stands still and reports who sleeps on it.

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use osc_auth_layer::Clock;
use tokio::sync::{Notify, watch};

use crate::{StillClock, soon};

/// A [`StillClock`] that lets a test wait until the layer sleeps on it. Clones share their time.
#[derive(Clone, Debug)]
pub struct WatchedClock {
    clock: StillClock,
    sleeps: Arc<watch::Sender<Vec<Duration>>>,
    dropped: Arc<Notify>,
}

impl Default for WatchedClock {
    fn default() -> Self {
        Self {
            clock: StillClock::default(),
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
    /// The pause before the layer sends a request again whose answer was lost. It is shorter than two
    /// seconds.
    ///
    /// Nothing else in the layer sleeps this long, except a context that waits for a service or an instance.
    pub const SECOND_TRY: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_millis(1999);
    /// The pause between two sweeps of the sessions.
    pub const SWEEP: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(60);

    /// Moves the clock ahead.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Sets the clock, ahead or back.
    pub fn set(&self, now: SystemTime) {
        self.clock.set(now);
    }

    /// Waits until `times` sleeps of this length have begun. Returns the length of the last one.
    pub async fn slept(&self, length: RangeInclusive<Duration>, times: usize) -> Duration {
        let nth = |sleeps: &[Duration]| {
            sleeps.iter().filter(|&sleep| length.contains(sleep)).nth(times - 1).copied()
        };
        let mut sleeps = self.sleeps.subscribe();
        let sleeps = soon(sleeps.wait_for(|sleeps| nth(sleeps).is_some())).await;
        sleeps.ok().and_then(|sleeps| nth(&sleeps)).unwrap_or_default()
    }

    /// Returns the number of sleeps of this length that have begun.
    pub fn sleeps(&self, length: RangeInclusive<Duration>) -> usize {
        self.sleeps.borrow().iter().filter(|&sleep| length.contains(sleep)).count()
    }

    /// Waits until this is the only clone, so that nothing can sleep on it any more. For single-threaded
    /// tests.
    pub async fn alone(&self) {
        while Arc::strong_count(&self.dropped) > 1 {
            soon(self.dropped.notified()).await;
        }
    }

    /// Drives `request`, and ends the pause before every retry as soon as it begins.
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
