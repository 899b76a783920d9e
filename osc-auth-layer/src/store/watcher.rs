//! How a store tells the layer what changed.

use std::fmt;
use std::sync::Weak;
use std::time::Instant;

use super::{Coherence, RecordName};
use crate::shared::Shared;

/// A layer that wants to hear of changes to records; see [`SessionStore::watch`](super::SessionStore::watch).
#[derive(Clone)]
pub struct Watcher(Weak<Shared>);

impl Watcher {
    pub(crate) fn new(layer: Weak<Shared>) -> Self {
        Self(layer)
    }

    /// Whether there is still somebody to tell.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// From now on every change will be told, until the returned value is dropped. Call it when the store's
    /// notifications have been turned on, and drop it as soon as one may have been missed.
    #[must_use = "dropping it says that changes go untold"]
    pub fn begin(&self) -> Watching {
        self.forget();
        Watching(self.clone())
    }

    fn forget(&self) {
        self.tell(Coherence::forget);
    }

    fn tell(&self, news: impl FnOnce(&Coherence)) {
        self.0.upgrade().as_deref().and_then(Shared::coherence).map(news);
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}

/// An unbroken sequence of changes, told to a layer.
///
/// The layer keeps what it read while nothing changes, but only while the sequence is known to be alive: for a second
/// after each [`confirm`](Self::confirm).
#[derive(Debug)]
pub struct Watching(Watcher);

impl Watching {
    /// The record of this name was written, touched, leased, ended or has expired.
    pub fn changed(&self, name: &str) {
        let Some(name) = RecordName::parse(name) else {
            return;
        };
        self.0.tell(|coherence| coherence.changed(&name));
    }

    /// Every change made until `as_of` has been told: a mark that was written then has come back among the changes.
    pub fn confirm(&self, as_of: Instant) {
        self.0.tell(|coherence| coherence.confirm(as_of));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.forget();
    }
}
