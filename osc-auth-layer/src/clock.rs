//! The clock, which tests can replace to move in time without sleeping.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Tells the layer the time, and lets it sleep.
///
/// The default is the system's clock and Tokio's timer. Pass another clock to [`OscAuthLayerBuilder::clock`](crate::OscAuthLayerBuilder::clock) to
/// test timeouts without waiting for them. Feature `test-util` has a `TestClock`.
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
    /// Returns the current wall-clock time. The layer calls this for every request with a session, so it should be cheap.
    fn now(&self) -> SystemTime;

    /// Returns a future that completes when `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Returns [`now`](Self::now) in milliseconds since the Unix epoch. 0 before it.
    #[doc(hidden)]
    fn now_in_millis(&self) -> u64 {
        Timestamp::from(self.now()).as_millis()
    }

    /// Sleeps between two rounds of housekeeping, which no request waits for. A clock of a test may leave these out.
    #[doc(hidden)]
    fn idle(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.sleep(duration)
    }
}

/// The system's clock and Tokio's timer.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    /// Returns the time of the kernel's last tick on Linux, which is a few milliseconds old. Reading it takes a quarter of
    /// the time of a precise reading, which would be a third of the layer's cost per request.
    fn now(&self) -> SystemTime {
        #[cfg(target_os = "linux")]
        {
            UNIX_EPOCH + coarse()
        }
        #[cfg(not(target_os = "linux"))]
        SystemTime::now()
    }

    /// Skips `SystemTime`, whose arithmetic would cost more than the clock.
    #[cfg(target_os = "linux")]
    fn now_in_millis(&self) -> u64 {
        millis(coarse())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Returns the time since the Unix epoch, by the kernel's coarse clock.
#[cfg(target_os = "linux")]
fn coarse() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let since_epoch = u64::try_from(now.tv_sec).ok().zip(u32::try_from(now.tv_nsec).ok());
    since_epoch.map_or(Duration::ZERO, |(seconds, nanos)| Duration::new(seconds, nanos))
}

/// A time in milliseconds since the Unix epoch. Arithmetic saturates, so that a clock set to the year 1 or 9999 cannot panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

    /// Returns the time since `earlier`, or zero if `earlier` is later.
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

/// A moment by two clocks. The monotonic clock stands still while a machine sleeps, and the wall clock can be set back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(Instant, Timestamp);

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self(Instant::now(), clock.now().into())
    }

    /// Returns the moment by the wall clock.
    pub(crate) fn wall(self) -> Timestamp {
        self.1
    }

    /// Returns the time since then, by the clock that ran faster.
    pub(crate) fn age(self, clock: &dyn Clock) -> Duration {
        self.0.elapsed().max(Timestamp::from(clock.now()).since(self.1))
    }
}

/// Pauses between tries. Each is twice as long as the last, up to a limit.
#[derive(Clone, Debug)]
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }
}

/// A [`Timestamp`] that threads share, in whole seconds to save four bytes a session. It overflows in 2106.
///
/// Relaxed ordering is enough, because no other memory depends on the value.
#[derive(Debug, Default)]
pub(crate) struct AtomicSeconds(AtomicU32);

impl AtomicSeconds {
    pub(crate) fn get(&self) -> Timestamp {
        Timestamp(u64::from(self.0.load(Ordering::Relaxed)) * 1000)
    }

    /// Sets the time, rounded down to a second.
    pub(crate) fn set(&self, time: Timestamp) {
        self.0.store(u32::try_from(time.0 / 1000).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

/// Returns milliseconds, calculated in 64 bits. Every request needs this, and a 128-bit division costs as much as reading the
/// clock.
fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_times_do_not_panic() {
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(9)), Timestamp(0));
        let end = Timestamp(5).plus(Duration::MAX);
        assert_eq!(end, Timestamp(u64::MAX));
        assert_eq!(Timestamp(5).minus(Duration::MAX), Timestamp(0));
        assert_eq!(Timestamp(5).since(end), Duration::ZERO);
        let _ = SystemTime::from(end);
    }
}
