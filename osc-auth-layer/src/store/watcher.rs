//! Lets a store notify the layer of changes.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::{Coherence, RecordName};

/// Notifies a layer of changes to records. See [`SessionStore::watch`](super::SessionStore::watch).
#[derive(Clone, Debug)]
pub struct Watcher(Weak<Coherence>);

impl Watcher {
    pub(crate) fn new(coherence: &Arc<Coherence>) -> Self {
        Self(Arc::downgrade(coherence))
    }

    /// Returns true while the layer exists.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Promises to notify the layer of every change until the returned value is dropped.
    ///
    /// Call it when the store's notifications are on. Drop the value as soon as a notification may have been missed.
    #[must_use = "dropping it says that notifications may be missed"]
    pub fn begin(&self) -> Watching {
        self.tell(Coherence::forget);
        Watching(self.clone())
    }

    fn tell(&self, news: impl FnOnce(&Coherence)) {
        self.0.upgrade().as_deref().map(news);
    }
}

/// Stands for an unbroken sequence of notifications to a layer.
///
/// While it exists, the layer trusts its cache for one second after each [`confirm`](Self::confirm). After that the layer
/// reads from the store again.
#[derive(Debug)]
pub struct Watching(Watcher);

impl Watching {
    /// Tells the layer that a node swapped or deleted the entry of this key.
    pub fn changed(&self, key: &str) {
        let Some(name) = RecordName::parse(key) else { return };
        self.0.tell(|coherence| coherence.changed(&name));
    }

    /// Tells the layer that it has been notified of every change until `as_of`. For example, a heartbeat that the store wrote
    /// at that time has come back among the notifications.
    pub fn confirm(&self, as_of: Instant) {
        self.0.tell(|coherence| coherence.confirm(as_of));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.tell(Coherence::forget);
    }
}
