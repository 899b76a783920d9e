//! A store whose operations finish in random order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{Ending, Expiry, Found, Leased, Record, Replaced, SessionStore, StoreFuture, Watcher};

/// Lets other tasks run before and after each operation, for a time from a seed.
#[derive(Clone)]
pub(super) struct Shuffled {
    store: MemoryStore,
    random: Arc<AtomicU64>,
}

impl Shuffled {
    pub(super) fn new(store: MemoryStore, seed: u64) -> Self {
        Self { store, random: Arc::new(AtomicU64::new(seed | 1)) }
    }

    async fn dawdle(&self) {
        let mix = |x: u64| (x ^ (x << 13) ^ (x >> 7)).wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(1);
        let random = mix(self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed));
        for _ in 0..random >> 61 {
            tokio::task::yield_now().await;
        }
    }

    fn operate<'s, T: Send + 's>(&'s self, operation: StoreFuture<'s, T>) -> StoreFuture<'s, T> {
        Box::pin(async move {
            self.dawdle().await;
            let result = operation.await;
            self.dawdle().await;
            result
        })
    }
}

impl SessionStore for Shuffled {
    fn namespace(&self) -> &str {
        self.store.namespace()
    }

    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool> {
        self.operate(self.store.create(name, sealed, expiry))
    }

    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found> {
        self.operate(self.store.read(name))
    }

    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced> {
        self.operate(self.store.replace(name, expected, version, sealed))
    }

    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()> {
        self.operate(self.store.refuse(name, version))
    }

    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.operate(self.store.touch(name))
    }

    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>> {
        self.operate(self.store.end(name, ending))
    }

    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased> {
        self.operate(self.store.lease(name, owner, duration))
    }

    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()> {
        self.operate(SessionStore::release(&self.store, name, owner))
    }

    fn create_once<'s>(
        &'s self,
        name: &'s str,
        value: &'s [u8],
        lifetime: Duration,
    ) -> StoreFuture<'s, bool> {
        self.operate(self.store.create_once(name, value, lifetime))
    }

    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>> {
        self.operate(self.store.read_once(name))
    }

    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.operate(self.store.remove_once(name))
    }

    fn watch(&self, watcher: Watcher) {
        self.store.watch(watcher);
    }
}
