//! The stores of the simulation: each node asks one in memory through a counter.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use osc_auth_layer::store::{Found, SessionStore, StoreFuture, Swap, Swapped, Version, Watcher, Watching};
use osc_auth_layer::test_util::MemoryStore;

use crate::clock::VirtualClock;
use crate::tally::{Event, Tally};

/// The kinds of store, by how a node notices the changes of other nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// There is no store, and each user is pinned to a node.
    None,
    /// The store notifies nodes of each change, as PostgreSQL does. Redis also notifies them of renewals.
    Notified,
    /// Nodes look every 250 ms whether anything changed, as processes that share an SQLite file do.
    Counter,
}

/// The pause between two looks at an SQLite file.
pub(crate) const LOOK_EVERY: u64 = 250;

/// The store that all nodes share.
pub(crate) struct Shared {
    store: MemoryStore,
    kind: Kind,
    tally: Tally,
    nodes: Arc<Mutex<Vec<Weak<Node>>>>,
}

impl Shared {
    pub(crate) fn new(kind: Kind, clock: VirtualClock, tally: Tally) -> Self {
        let store = match kind {
            Kind::Notified => MemoryStore::with_clock(clock),
            Kind::None | Kind::Counter => MemoryStore::without_notifications(clock),
        };
        Self { store, kind, tally, nodes: Arc::default() }
    }

    /// Returns another node's access to the store. `None` without a store.
    pub(crate) fn join(&self) -> Option<Arc<Node>> {
        let node = Arc::new(Node {
            store: self.store.clone(),
            is_notified: self.kind == Kind::Notified,
            tally: self.tally.clone(),
            nodes: self.nodes.clone(),
            others_wrote: AtomicBool::default(),
            watchers: Mutex::default(),
        });
        lock(&self.nodes).push(Arc::downgrade(&node));
        (self.kind != Kind::None).then_some(node)
    }

    /// Makes each node look whether others wrote since its last look.
    pub(crate) fn look(&self) {
        let mut nodes = lock(&self.nodes);
        nodes.retain(|node| node.strong_count() > 0);
        nodes.iter().filter_map(Weak::upgrade).for_each(|node| node.look());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A node's access to the store.
pub(crate) struct Node {
    store: MemoryStore,
    is_notified: bool,
    tally: Tally,
    nodes: Arc<Mutex<Vec<Weak<Node>>>>,
    others_wrote: AtomicBool,
    watchers: Mutex<Vec<(Watcher, Option<Watching>)>>,
}

impl Node {
    /// The file's counter moves with every commit of another process, also with one that notes a use.
    fn wrote(&self) {
        if !self.is_notified {
            for other in lock(&self.nodes).iter().filter_map(Weak::upgrade) {
                if !std::ptr::eq(&*other, self) {
                    other.others_wrote.store(true, Relaxed);
                }
            }
        }
    }

    fn look(&self) {
        if self.others_wrote.swap(false, Relaxed) {
            for (watcher, watching) in &mut *lock(&self.watchers) {
                // Dropped first, because the drop ends the layer's trust.
                drop(watching.take());
                *watching = Some(begin(watcher));
            }
        }
    }
}

/// Looks are never late in virtual time, so the layer's time limit in real time must not count.
fn begin(watcher: &Watcher) -> Watching {
    let watching = watcher.begin();
    watching.confirm(Instant::now() + Duration::from_secs(24 * 60 * 60));
    watching
}

impl SessionStore for Node {
    fn namespace(&self) -> &str {
        self.store.namespace()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.tally.add(Event::Read);
        self.store.get(key)
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.tally.add(Event::Swap);
        self.wrote();
        self.store.swap(key, swap)
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.tally.add(Event::Renewal);
        self.wrote();
        self.store.touch(key, expected, expires_in)
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.wrote();
        self.store.delete(key, expected)
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.store.members(group)
    }

    fn watch(&self, watcher: Watcher) {
        if self.is_notified {
            self.store.watch(watcher);
        } else {
            let watching = Some(begin(&watcher));
            lock(&self.watchers).push((watcher, watching));
        }
    }
}
