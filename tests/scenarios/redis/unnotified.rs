//! A store in Redis that does not notify of changes.

use std::time::Duration;

use osc_auth_layer::store::{Found, RedisStore, SessionStore, StoreFuture, Swap, Swapped, Version};

/// A [`RedisStore`] that accepts no watcher.
///
/// A store that accepts a watcher must send notifications. [`RedisStore`] always accepts one, because Redis
/// may allow notifications later.
pub(super) struct Unnotified(pub(super) RedisStore);

impl SessionStore for Unnotified {
    fn namespace(&self) -> &str {
        SessionStore::namespace(&self.0)
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.0.get(key)
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.0.swap(key, swap)
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.0.touch(key, expected, expires_in)
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.0.delete(key, expected)
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.0.members(group)
    }
}
