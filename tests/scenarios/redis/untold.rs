//! A store in Redis that does not notify of changes.

use std::time::Duration;

use osc_auth_layer::{
    Ending, Expiry, Found, Leased, Record, RedisStore, Replaced, SessionStore, StoreFuture,
};

/// A [`RedisStore`] that accepts no watcher.
///
/// A store that accepts a watcher must send notifications. [`RedisStore`] always accepts one, because Redis
/// may allow notifications later.
pub(super) struct Untold(pub(super) RedisStore);

impl SessionStore for Untold {
    fn namespace(&self) -> &str {
        SessionStore::namespace(&self.0)
    }

    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool> {
        self.0.create(name, sealed, expiry)
    }

    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found> {
        self.0.read(name)
    }

    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced> {
        self.0.replace(name, expected, version, sealed)
    }

    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()> {
        self.0.refuse(name, version)
    }

    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.0.touch(name)
    }

    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>> {
        self.0.end(name, ending)
    }

    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased> {
        self.0.lease(name, owner, duration)
    }

    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()> {
        self.0.release(name, owner)
    }

    fn create_once<'s>(
        &'s self,
        name: &'s str,
        value: &'s [u8],
        lifetime: Duration,
    ) -> StoreFuture<'s, bool> {
        self.0.create_once(name, value, lifetime)
    }

    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>> {
        self.0.read_once(name)
    }

    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.0.remove_once(name)
    }
}
