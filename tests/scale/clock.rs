//! A clock that the simulation moves from one event to the next.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use osc_auth_layer::Clock;

/// The layer sleeps this long beside each request for a refresh. The number of these sleeps is the number of requests under way.
const BESIDE_A_REFRESH: Duration = Duration::from_secs(2);

/// The time of the simulation, in milliseconds. Clones show the same time.
#[derive(Clone, Default)]
pub(crate) struct VirtualClock(Arc<Inner>);

#[derive(Default)]
struct Inner {
    now: AtomicU64,
    /// By the end of the sleep, and by a number of its own.
    sleeps: Mutex<BTreeMap<(u64, u64), Waker>>,
    begun: AtomicU64,
    beside_a_refresh: AtomicUsize,
}

impl Inner {
    fn sleeps(&self) -> MutexGuard<'_, BTreeMap<(u64, u64), Waker>> {
        self.sleeps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VirtualClock {
    pub(crate) fn millis(&self) -> u64 {
        self.0.now.load(Relaxed)
    }

    /// Returns the end of the next sleep.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.0.sleeps().first_key_value().map(|((end, _), _)| *end)
    }

    /// Moves to this time and ends the sleeps that are over.
    pub(crate) fn move_to(&self, millis: u64) {
        self.0.now.fetch_max(millis, Relaxed);
        let mut sleeps = self.0.sleeps();
        while let Some(entry) = sleeps.first_entry().filter(|entry| entry.key().0 <= millis) {
            entry.remove().wake();
        }
    }

    /// Returns the number of requests for a refresh that have no answer yet.
    pub(crate) fn refreshes_under_way(&self) -> usize {
        self.0.beside_a_refresh.load(Relaxed)
    }

    /// Returns a number that changes with everything that happens on this clock.
    pub(crate) fn happenings(&self) -> u64 {
        self.0.begun.load(Relaxed)
    }

    pub(crate) fn pause(&self, duration: Duration) -> Sleep {
        let end = self.millis().saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        Sleep { clock: self.0.clone(), end, number: None, is_beside_a_refresh: duration == BESIDE_A_REFRESH }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.millis())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.pause(duration))
    }
}

/// A sleep. It counts from its first poll, because most sleeps of the layer are limits that are dropped without one.
pub(crate) struct Sleep {
    clock: Arc<Inner>,
    end: u64,
    number: Option<u64>,
    is_beside_a_refresh: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now.load(Relaxed) >= self.end {
            return Poll::Ready(());
        }
        let number = match self.number {
            Some(number) => number,
            None => {
                let number = self.clock.begun.fetch_add(1, Relaxed);
                self.clock.beside_a_refresh.fetch_add(usize::from(self.is_beside_a_refresh), Relaxed);
                *self.number.insert(number)
            }
        };
        self.clock.sleeps().insert((self.end, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.clock.begun.fetch_add(1, Relaxed);
            self.clock.beside_a_refresh.fetch_sub(usize::from(self.is_beside_a_refresh), Relaxed);
            self.clock.sleeps().remove(&(self.end, number));
        }
    }
}
