//! Time, injected: what the layer decides depends on `now`, so tests can be at any moment without sleeping.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Where the layer takes the time from, and how it waits.
///
/// The default is the system's clock and Tokio's timer. Give another one to
/// [`Builder::clock`](crate::Builder::clock) to test time-outs without waiting for them.
///
/// ```
/// use std::{future::Future, pin::Pin, time::{Duration, SystemTime}};
/// use osc_auth_layer::Clock;
///
/// struct AnHourAhead;
/// impl Clock for AnHourAhead {
///     fn now(&self) -> SystemTime {
///         SystemTime::now() + Duration::from_secs(3600)
///     }
///     fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
///         Box::pin(tokio::time::sleep(duration))
///     }
/// }
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The present wall-clock time. Called for every request with a session, so it should be cheap.
    fn now(&self) -> SystemTime;

    /// Completes once `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The system's clock and Tokio's timer.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    /// On Linux as of the kernel's last tick, some milliseconds ago: that is read in a quarter of the time, which would
    /// otherwise be a third of what a request costs.
    fn now(&self) -> SystemTime {
        #[cfg(target_os = "linux")]
        {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
            let since_epoch = u64::try_from(now.tv_sec).ok().zip(u32::try_from(now.tv_nsec).ok());
            since_epoch.map_or(UNIX_EPOCH, |(seconds, nanos)| UNIX_EPOCH + Duration::new(seconds, nanos))
        }
        #[cfg(not(target_os = "linux"))]
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Milliseconds since the Unix epoch. Arithmetic saturates: a clock set to year 1 or 9999 must not panic.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Timestamp(u64);

impl Timestamp {
    pub(crate) fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub(crate) fn as_millis(self) -> u64 {
        self.0
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    pub(crate) fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        UNIX_EPOCH.checked_add(Duration::from_millis(timestamp.0)).unwrap_or(UNIX_EPOCH)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// A [`Timestamp`] that threads share, where what follows the last whole second is not worth four bytes. Good until 2106.
/// Nothing else hangs on it, hence relaxed.
#[derive(Debug, Default)]
pub(crate) struct AtomicSeconds(AtomicU32);

impl AtomicSeconds {
    pub(crate) fn get(&self) -> Timestamp {
        Timestamp(u64::from(self.0.load(Ordering::Relaxed)) * 1000)
    }

    /// Rounded down.
    pub(crate) fn set(&self, time: Timestamp) {
        self.0.store(u32::try_from(time.0 / 1000).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

/// In 64 bits: every request asks for the time, and a division in 128 costs as much as reading the clock.
fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_and_beyond_all_reckoning_do_not_panic() {
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(9)), Timestamp(0));
        let end = Timestamp(5).plus(Duration::MAX);
        assert_eq!(end, Timestamp(u64::MAX));
        assert_eq!(Timestamp(5).minus(Duration::MAX), Timestamp(0));
        assert_eq!(Timestamp(5).since(end), Duration::ZERO);
        let _ = SystemTime::from(end);
    }
}
