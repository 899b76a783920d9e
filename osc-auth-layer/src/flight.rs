//! Single flight: concurrent callers share one run of the same work, and all get its result. The work runs in its own task,
//! so it goes on when every caller has hung up.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::tasks::Tasks;

/// How often a waiter starts work whose task died, for example with its runtime.
const MOST_STARTS: usize = 3;

/// The result of a run, once it has one.
type Run<T> = watch::Receiver<Option<T>>;

/// Work with at most one run at a time.
pub(crate) type Flight<T> = Flights<(), T>;

/// Work with at most one run at a time for each key. Finished runs are removed.
pub(crate) struct Flights<K, T>(Arc<Mutex<HashMap<K, Run<T>>>>);

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Starts `work` unless a run is under way. Use [`landing`] to wait for the result. The run is one of `tasks`.
    ///
    /// `None` outside a Tokio runtime, where no task can start.
    pub(crate) fn start<F>(&self, key: &K, tasks: Option<&Tasks>, work: impl FnOnce() -> F) -> Option<Run<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut runs = self.0.lock();
        if let Some(run) = runs.get(key).filter(|run| is_under_way(run)) {
            return Some(run.clone());
        }
        let runtime = Handle::try_current().ok()?;
        let (sender, run) = watch::channel(None);
        runs.insert(key.clone(), run.clone());
        let (work, all, key) = (work(), self.0.clone(), key.clone());
        let task = async move {
            let result = work.await;
            // Before anyone learns the result, because the next run may start then.
            all.lock().remove(&key);
            sender.send_replace(Some(result));
        };
        match tasks {
            Some(tasks) => tasks.start_on(&runtime, task),
            None => drop(runtime.spawn(task)),
        }
        Some(run)
    }

    /// Joins the run under way or starts one, and waits for its result. Starts another run if its task died. `None` if no
    /// run could finish.
    pub(crate) async fn join<F>(&self, key: &K, tasks: Option<&Tasks>, work: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        for _ in 0..MOST_STARTS {
            if let Some(result) = landing(self.start(key, tasks, &work)?).await {
                return Some(result);
            }
        }
        tracing::error!(
            "A background task of the layer died repeatedly. Unless the runtime is shutting down, report this as a bug."
        );
        None
    }
}

/// Returns true while the run's task is alive and has not sent its result.
fn is_under_way<T>(run: &Run<T>) -> bool {
    run.borrow().is_none() && run.has_changed().is_ok()
}

/// Waits for the result of a run. `None` if its task died without a result.
pub(crate) async fn landing<T: Clone>(mut run: Run<T>) -> Option<T> {
    run.wait_for(Option::is_some).await.ok()?.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn concurrent_callers_share_one_run() {
        let flight = Arc::new(Flight::default());
        let (runs, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let work = || {
            let (runs, go) = (runs.clone(), go.clone());
            async move {
                go.notified().await;
                runs.fetch_add(1, Ordering::SeqCst) + 1
            }
        };
        let receivers: Vec<_> = (0..100).map(|_| flight.start(&(), None, work).unwrap()).collect();
        go.notify_one();
        for receiver in receivers {
            assert_eq!(landing(receiver).await, Some(1));
        }
        go.notify_one();
        assert_eq!(flight.join(&(), None, work).await, Some(2));
    }

    #[tokio::test]
    async fn keys_have_separate_runs_and_finished_runs_are_removed() {
        let flights = Flights::default();
        let go = Arc::new(Notify::new());
        let work = |result: u8| {
            let go = go.clone();
            async move {
                go.notified().await;
                result
            }
        };
        let first = flights.start(&"a", None, || work(1)).unwrap();
        let same = flights.start(&"a", None, || work(2)).unwrap();
        let other = flights.start(&"b", None, || work(3)).unwrap();
        tokio::task::yield_now().await;
        go.notify_waiters();
        let landed = (landing(first).await, landing(same).await, landing(other).await);
        assert_eq!(landed, (Some(1), Some(1), Some(3)));
        assert!(flights.0.lock().is_empty());
    }

    #[tokio::test]
    async fn a_run_outlives_its_callers() {
        let flight = Flight::default();
        let done = Arc::new(Notify::new());
        let work = || {
            let done = done.clone();
            async move { done.notify_one() }
        };
        drop(flight.start(&(), None, work));
        done.notified().await;
    }

    #[tokio::test]
    async fn a_panicking_run_is_started_again() {
        let flight = Flight::default();
        let runs = Arc::new(AtomicUsize::new(0));
        let work = || {
            let runs = runs.clone();
            async move {
                assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "the first run dies");
            }
        };
        assert_eq!(flight.join(&(), None, work).await, Some(()));
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn nothing_starts_outside_a_runtime() {
        let flight: Flight<()> = Flight::default();
        assert!(flight.start(&(), None, || async {}).is_none());
    }

    #[test]
    fn a_run_restarts_after_its_runtime_ended() {
        let flight = Arc::new(Flight::default());
        let first = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let receiver = first.block_on(async { flight.start(&(), None, std::future::pending::<u8>).unwrap() });
        drop(first);
        let second = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(second.block_on(landing(receiver)), None);
        assert_eq!(second.block_on(flight.join(&(), None, || async { 2_u8 })), Some(2));
    }
}
