//! A store whose operations finish in random order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use osc_auth_layer::store::{Found, SessionStore, StoreFuture, Swap, Swapped, Version, Watcher};
use osc_auth_layer::test_util::MemoryStore;

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

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.operate(self.store.get(key))
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.operate(self.store.swap(key, swap))
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.operate(self.store.touch(key, expected, expires_in))
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.operate(self.store.delete(key, expected))
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.operate(self.store.members(group))
    }

    fn watch(&self, watcher: Watcher) {
        self.store.watch(watcher);
    }
}
