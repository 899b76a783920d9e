//! Single flight: of any number of callers that want the same work done, one starts it and all get its result. The
//! work is a task of its own, so it goes on when every caller has hung up.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// A task that dies with its runtime is started again by a waiter, but not for ever.
const MOST_STARTS: usize = 3;

/// Work of which at most one run is under way.
pub(crate) struct Flight<T>(Mutex<Option<watch::Receiver<Option<T>>>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Starts `work` unless it is under way. What it returns can be waited for with [`landing`].
    ///
    /// `None` outside a Tokio runtime, where nothing can be started.
    pub(crate) fn start<F>(
        &self,
        tracker: &TaskTracker,
        work: impl FnOnce() -> F,
    ) -> Option<watch::Receiver<Option<T>>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut current = self.0.lock();
        if let Some(receiver) = current.as_ref().filter(|receiver| is_under_way(receiver)) {
            return Some(receiver.clone());
        }
        let runtime = Handle::try_current().ok()?;
        let (sender, receiver) = watch::channel(None);
        let work = work();
        drop(tracker.spawn_on(
            async move {
                let result = work.await;
                sender.send_replace(Some(result));
            },
            &runtime,
        ));
        *current = Some(receiver.clone());
        Some(receiver)
    }

    /// Joins the run under way, or starts one, and waits for its result. `None` when none could be brought to an end.
    pub(crate) async fn join<F>(&self, tracker: &TaskTracker, work: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        land(|| self.start(tracker, &work)).await
    }
}

/// Flights by key. One that has landed takes no room.
pub(crate) struct Flights<K, T>(Arc<Mutex<HashMap<K, Flight<T>>>>);

impl<K: Eq + Hash, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// As [`Flight::start`].
    pub(crate) fn start<F>(
        &self,
        key: &K,
        tracker: &TaskTracker,
        work: impl FnOnce() -> F,
    ) -> Option<watch::Receiver<Option<T>>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let work = || {
            let (work, flights, key) = (work(), self.0.clone(), key.clone());
            async move {
                let result = work.await;
                flights.lock().remove(&key);
                result
            }
        };
        self.0.lock().entry(key.clone()).or_default().start(tracker, work)
    }

    /// As [`Flight::join`].
    pub(crate) async fn join<F>(&self, key: &K, tracker: &TaskTracker, work: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        land(|| self.start(key, tracker, &work)).await
    }
}

/// Waits for the result of what is started, and starts it again when it died.
async fn land<T: Clone>(start: impl Fn() -> Option<watch::Receiver<Option<T>>>) -> Option<T> {
    for _ in 0..MOST_STARTS {
        if let Some(result) = landing(start()?).await {
            return Some(result);
        }
    }
    tracing::error!("a task of the layer died repeatedly; this is a bug or a runtime shutting down");
    None
}

/// Under way while its task lives and has not sent its result.
fn is_under_way<T>(receiver: &watch::Receiver<Option<T>>) -> bool {
    receiver.borrow().is_none() && receiver.has_changed().is_ok()
}

/// Waits for the result of a run; `None` when its task died without one.
pub(crate) async fn landing<T: Clone>(mut receiver: watch::Receiver<Option<T>>) -> Option<T> {
    receiver.wait_for(Option::is_some).await.ok()?.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn all_callers_share_one_run_and_a_later_one_starts_anew() {
        let (flight, tracker) = (Arc::new(Flight::default()), TaskTracker::new());
        let (runs, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let work = || {
            let (runs, go) = (runs.clone(), go.clone());
            async move {
                go.notified().await;
                runs.fetch_add(1, Ordering::SeqCst) + 1
            }
        };
        let receivers: Vec<_> = (0..100).map(|_| flight.start(&tracker, work).unwrap()).collect();
        go.notify_one();
        for receiver in receivers {
            assert_eq!(landing(receiver).await, Some(1));
        }
        go.notify_one();
        assert_eq!(flight.join(&tracker, work).await, Some(2));
    }

    #[tokio::test]
    async fn flights_of_different_keys_are_different_and_landed_ones_take_no_room() {
        let (flights, tracker) = (Flights::default(), TaskTracker::new());
        let go = Arc::new(Notify::new());
        let work = |result: u8| {
            let go = go.clone();
            async move {
                go.notified().await;
                result
            }
        };
        let first = flights.start(&"a", &tracker, || work(1)).unwrap();
        let same = flights.start(&"a", &tracker, || work(2)).unwrap();
        let other = flights.start(&"b", &tracker, || work(3)).unwrap();
        tokio::task::yield_now().await;
        go.notify_waiters();
        let landed = (landing(first).await, landing(same).await, landing(other).await);
        assert_eq!(landed, (Some(1), Some(1), Some(3)));
        assert!(flights.0.lock().is_empty());
    }

    #[tokio::test]
    async fn the_run_outlives_its_callers() {
        let (flight, tracker) = (Flight::default(), TaskTracker::new());
        let done = Arc::new(Notify::new());
        let work = || {
            let done = done.clone();
            async move { done.notify_one() }
        };
        drop(flight.start(&tracker, work));
        done.notified().await;
    }

    #[tokio::test]
    async fn a_run_that_panics_is_started_again() {
        let (flight, tracker) = (Flight::default(), TaskTracker::new());
        let runs = Arc::new(AtomicUsize::new(0));
        let work = || {
            let runs = runs.clone();
            async move {
                assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "the first run dies");
            }
        };
        assert_eq!(flight.join(&tracker, work).await, Some(()));
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn outside_a_runtime_nothing_starts() {
        let flight: Flight<()> = Flight::default();
        assert!(flight.start(&TaskTracker::new(), || async {}).is_none());
    }

    #[test]
    fn a_run_whose_runtime_ended_is_started_again_in_another() {
        let (flight, tracker) = (Arc::new(Flight::default()), TaskTracker::new());
        let first = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let receiver = first.block_on(async { flight.start(&tracker, std::future::pending::<u8>).unwrap() });
        drop(first);
        let second = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(second.block_on(landing(receiver)), None);
        assert_eq!(second.block_on(flight.join(&tracker, || async { 2_u8 })), Some(2));
    }
}
