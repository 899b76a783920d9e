//! The store as the layer uses it: every operation with a deadline, every record opened and sealed on the way.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use parking_lot::Mutex;

use super::coherence::BeforeRead;
use super::{
    Coherence, Ending, Expiry, Found, Leased, Record, RecordKey, RecordName, Replaced, SessionStore,
    StoreError, StoreFuture,
};
use crate::clock::{Clock, Timestamp};
use crate::redact::line;
use crate::seldom::Seldom;

/// Whatever a store promises of itself.
const DEADLINE: Duration = Duration::from_secs(2);
const MOST_ENDINGS: usize = 10_000;

pub(crate) struct Backing {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    coherence: Arc<Coherence>,
    /// The log line that says that the store fails.
    log: Seldom,
    /// The records whose end the store has not taken yet.
    ending: Mutex<HashSet<RecordName>>,
}

/// A record's end that the store is being told.
pub(crate) struct BeingEnded(Arc<Backing>, RecordName);

impl Drop for BeingEnded {
    fn drop(&mut self) {
        self.0.ending.lock().remove(&self.1);
    }
}

impl Backing {
    pub(crate) fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            coherence: Arc::new(Coherence::new()),
            log: Seldom::default(),
            ending: Mutex::default(),
        }
    }

    /// `None` when that record's end is being told already.
    pub(crate) fn begin_ending(self: &Arc<Self>, name: RecordName) -> Option<BeingEnded> {
        self.ending.lock().insert(name.clone()).then(|| BeingEnded(self.clone(), name))
    }

    /// Whether the ends of sessions nobody knows here have to wait: while the store is away, strangers may sign out of
    /// any number of sessions they made up.
    pub(crate) fn has_too_many_endings(&self) -> bool {
        self.ending.lock().len() >= MOST_ENDINGS
    }

    /// Whether this process knows better than the store that the session is over.
    pub(crate) fn is_ending(&self, name: &RecordName) -> bool {
        self.ending.lock().contains(name)
    }

    pub(crate) fn coherence(&self) -> &Arc<Coherence> {
        &self.coherence
    }

    pub(crate) fn store(&self) -> &Arc<dyn SessionStore> {
        &self.store
    }

    /// Whether this session's record is known to be what the store holds.
    pub(crate) fn trusts(&self, stored: &super::Stored) -> bool {
        self.coherence.trusts(&stored.stamp, &stored.key.name, Instant::now())
    }

    pub(crate) fn before_read(&self, name: &RecordName) -> BeforeRead {
        self.coherence.before_read(name)
    }

    pub(crate) fn seal(&self, key: &RecordKey, version: u64, plain: &[u8]) -> Vec<u8> {
        key.seal(self.store.namespace(), version, plain)
    }

    pub(crate) fn open(&self, key: &RecordKey, record: &Record) -> Option<Vec<u8>> {
        key.open(self.store.namespace(), record.version, &record.sealed)
    }

    pub(crate) async fn create(
        &self,
        key: &RecordKey,
        sealed: &[u8],
        expiry: Expiry,
    ) -> Result<bool, StoreError> {
        let name = key.name.text();
        self.within(|store| store.create(&name, sealed, expiry)).await
    }

    pub(crate) async fn read(&self, key: &RecordKey) -> Result<Found, StoreError> {
        let name = key.name.text();
        self.within(|store| store.read(&name)).await
    }

    pub(crate) async fn replace(
        &self,
        key: &RecordKey,
        expected: u64,
        version: u64,
        plain: &[u8],
    ) -> Result<Replaced, StoreError> {
        let sealed = self.seal(key, version, plain);
        let name = key.name.text();
        self.within(|store| store.replace(&name, expected, version, &sealed)).await
    }

    pub(crate) async fn refuse(&self, key: &RecordKey, version: u64) -> Result<(), StoreError> {
        let name = key.name.text();
        self.within(|store| store.refuse(&name, version)).await
    }

    pub(crate) async fn touch(&self, key: &RecordKey) -> Result<(), StoreError> {
        let name = key.name.text();
        self.within(|store| store.touch(&name)).await
    }

    pub(crate) async fn end(&self, key: &RecordKey, ending: Ending) -> Result<Option<Record>, StoreError> {
        let name = key.name.text();
        self.within(|store| store.end(&name, ending)).await
    }

    pub(crate) async fn lease(
        &self,
        key: &RecordKey,
        owner: &str,
        duration: Duration,
    ) -> Result<Leased, StoreError> {
        let name = key.name.text();
        self.within(|store| store.lease(&name, owner, duration)).await
    }

    pub(crate) async fn release(&self, key: &RecordKey, owner: &str) -> Result<(), StoreError> {
        let name = key.name.text();
        self.within(|store| store.release(&name, owner)).await
    }

    pub(crate) async fn create_once(
        &self,
        name: &RecordName,
        value: &[u8],
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        let name = name.text();
        self.within(|store| store.create_once(&name, value, lifetime)).await
    }

    pub(crate) async fn read_once(&self, name: &RecordName) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.text();
        self.within(|store| store.read_once(&name)).await
    }

    pub(crate) async fn remove_once(&self, name: &RecordName) -> Result<(), StoreError> {
        let name = name.text();
        self.within(|store| store.remove_once(&name)).await
    }

    pub(crate) async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.within(|store| store.now()).await?.into())
    }

    /// Says in the log that the store fails, but not at every request.
    async fn within<'s, T>(
        &'s self,
        operation: impl FnOnce(&'s dyn SessionStore) -> StoreFuture<'s, T>,
    ) -> Result<T, StoreError> {
        // A store's panic must not take the layer's task with it: that may hold the only good refresh token there is.
        let operation = Box::pin(AssertUnwindSafe(async { operation(&*self.store).await }).catch_unwind());
        let result = match select(operation, self.clock.sleep(DEADLINE)).await {
            Either::Left((Ok(result), _)) => result,
            Either::Left((Err(_), _)) => Err(StoreError::new("it panicked")),
            Either::Right(_) => Err(StoreError::new("it did not answer within two seconds")),
        };
        if let Err(error) = &result
            && self.log.is_due(self.clock.now().into())
        {
            let error = line(&error.to_string(), 300);
            tracing::error!(%error, "The session store failed. Sessions are unavailable until it works again.");
        }
        result
    }
}
