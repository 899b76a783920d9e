//! A store that is behind an `Arc`.

use std::sync::Arc;
use std::time::Duration;

use super::{Finding, Found, SessionStore, StoreFuture, Swap, Swapped, Version, Watcher};

impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    fn namespace(&self) -> &str {
        (**self).namespace()
    }

    fn place(&self) -> String {
        (**self).place()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        (**self).get(key)
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        (**self).swap(key, swap)
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        (**self).touch(key, expected, expires_in)
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        (**self).delete(key, expected)
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        (**self).members(group)
    }

    fn watch(&self, watcher: Watcher) {
        (**self).watch(watcher);
    }

    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        (**self).check()
    }
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::store::Coherence;
    use crate::store::memory::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_arc_of_a_store_is_the_store_with_its_notifications() {
        let store: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
        let coherence = Arc::new(Coherence::new());
        SessionStore::watch(&store, Watcher::new(&coherence));
        assert!(coherence.is_trusted(Instant::now()));
        crate::store::contract::run(async || store.clone()).await;
    }
}
