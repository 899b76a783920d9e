//! The layers that a store notifies.

use std::time::Instant;

use parking_lot::Mutex;

use crate::store::{Watcher, Watching};

/// The watchers of a store. The notifications to all of them are on, or they are off.
#[derive(Default)]
pub(super) struct Watchers(Mutex<(Vec<Watcher>, Option<Vec<Watching>>)>);

impl Watchers {
    pub(super) fn add(&self, watcher: Watcher) {
        let mut this = self.0.lock();
        let (watchers, watching) = &mut *this;
        if let Some(watching) = watching {
            watching.push(watcher.begin());
        }
        watchers.push(watcher);
    }

    /// Returns false if no layer is left to notify.
    pub(super) fn is_needed(&self) -> bool {
        let mut this = self.0.lock();
        this.0.retain(Watcher::is_watching);
        !this.0.is_empty()
    }

    /// Begins an unbroken sequence of notifications. Layers forget what they read before.
    pub(super) fn begin(&self) {
        self.stop();
        let mut this = self.0.lock();
        this.1 = Some(this.0.iter().map(Watcher::begin).collect());
    }

    /// Notes that notifications may be missed from here on.
    pub(super) fn stop(&self) {
        // Taken out first, because dropping one calls into a layer.
        let watching = self.0.lock().1.take();
        drop(watching);
    }

    pub(super) fn confirm(&self, as_of: Instant) {
        self.0.lock().1.iter().flatten().for_each(|watching| watching.confirm(as_of));
    }

    pub(super) fn changed(&self, key: &str) {
        self.0.lock().1.iter().flatten().for_each(|watching| watching.changed(key));
    }
}
