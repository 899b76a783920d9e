//! The layers that a store notifies.

use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::store::{Watcher, Watching};

/// The watchers of a store, and the task that notifies them. The notifications to all of them are on, or they are off.
#[derive(Default)]
pub(super) struct Watchers {
    watchers: Mutex<(Vec<Watcher>, Option<Vec<Watching>>)>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Watchers {
    pub(super) fn add(&self, watcher: Watcher) {
        let mut this = self.watchers.lock();
        let (watchers, watching) = &mut *this;
        if let Some(watching) = watching {
            watching.push(watcher.begin());
        }
        watchers.push(watcher);
    }

    /// Returns false if no layer is left to notify.
    pub(super) fn is_needed(&self) -> bool {
        let mut this = self.watchers.lock();
        this.0.retain(Watcher::is_watching);
        !this.0.is_empty()
    }

    /// Starts the task if there is a watcher and the task does not run. A layer is often built before there is a runtime, and a
    /// runtime may end.
    pub(super) fn keep_notifying<F>(&self, task: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = self.task.lock();
        if running.as_ref().is_none_or(JoinHandle::is_finished)
            && self.is_needed()
            && let Ok(runtime) = Handle::try_current()
        {
            *running = Some(runtime.spawn(task()));
        }
    }

    /// Begins an unbroken sequence of notifications. Layers forget what they read before.
    pub(super) fn begin(&self) {
        self.stop();
        let mut this = self.watchers.lock();
        this.1 = Some(this.0.iter().map(Watcher::begin).collect());
    }

    /// Notes that notifications may be missed from here on.
    pub(super) fn stop(&self) {
        // Taken out first, because dropping one calls into a layer.
        let watching = self.watchers.lock().1.take();
        drop(watching);
    }

    pub(super) fn confirm(&self, as_of: Instant) {
        self.watchers.lock().1.iter().flatten().for_each(|watching| watching.confirm(as_of));
    }

    pub(super) fn changed(&self, key: &str) {
        self.watchers.lock().1.iter().flatten().for_each(|watching| watching.changed(key));
    }
}
