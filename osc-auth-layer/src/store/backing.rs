//! The store as the layer uses it: every operation with a deadline, every record opened and sealed on the way.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use parking_lot::Mutex;

use super::coherence::BeforeRead;
use super::{
    Coherence, Ending, Expiry, Found, Leased, Record, RecordKey, RecordName, Replaced, Sealed, SessionStore,
    StoreError, StoreFuture,
};
use crate::clock::{Clock, Timestamp};

/// Whatever a store promises of itself.
const DEADLINE: Duration = Duration::from_secs(2);

pub(crate) struct Backing {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    coherence: Coherence,
    is_failing: AtomicBool,
    /// The records whose end the store has not taken yet.
    ending: Mutex<HashSet<RecordName>>,
}

/// A record's end that the store is being told.
pub(crate) struct EndingRecord<'b>(&'b Backing, RecordName);

impl Drop for EndingRecord<'_> {
    fn drop(&mut self) {
        self.0.ending.lock().remove(&self.1);
    }
}

impl Backing {
    pub(crate) fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Self {
        let is_failing = AtomicBool::new(false);
        Self { store, clock, coherence: Coherence::new(), is_failing, ending: Mutex::default() }
    }

    pub(crate) fn begin_ending(&self, name: RecordName) -> EndingRecord<'_> {
        self.ending.lock().insert(name.clone());
        EndingRecord(self, name)
    }

    /// Whether this process knows better than the store that the session is over.
    pub(crate) fn is_ending(&self, name: &RecordName) -> bool {
        self.ending.lock().contains(name)
    }

    pub(crate) fn coherence(&self) -> &Coherence {
        &self.coherence
    }

    pub(crate) fn store(&self) -> &Arc<dyn SessionStore> {
        &self.store
    }

    /// Whether this session's record is known to be what the store holds.
    pub(crate) fn trusts(&self, stored: &super::Stored) -> bool {
        self.coherence.trusts(&stored.stamp, Instant::now())
    }

    pub(crate) fn before_read(&self, name: &RecordName) -> BeforeRead {
        self.coherence.before_read(name)
    }

    pub(crate) fn seal(&self, key: &RecordKey, version: u64, sealed: &Sealed) -> Vec<u8> {
        key.seal(self.store.namespace(), version, sealed)
    }

    pub(crate) fn open(&self, key: &RecordKey, record: &Record) -> Option<Sealed> {
        key.open(self.store.namespace(), record.version, &record.sealed)
    }

    pub(crate) async fn create(
        &self,
        key: &RecordKey,
        sealed: &[u8],
        expiry: Expiry,
    ) -> Result<bool, StoreError> {
        self.within(self.store.create(&key.name.text(), sealed, expiry)).await
    }

    pub(crate) async fn read(&self, key: &RecordKey) -> Result<Found, StoreError> {
        self.within(self.store.read(&key.name.text())).await
    }

    pub(crate) async fn replace(
        &self,
        key: &RecordKey,
        expected: u64,
        version: u64,
        sealed: &Sealed,
    ) -> Result<Replaced, StoreError> {
        let sealed = self.seal(key, version, sealed);
        self.within(self.store.replace(&key.name.text(), expected, version, &sealed)).await
    }

    pub(crate) async fn refuse(&self, key: &RecordKey, version: u64) -> Result<(), StoreError> {
        self.within(self.store.refuse(&key.name.text(), version)).await
    }

    pub(crate) async fn touch(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.within(self.store.touch(&key.name.text())).await
    }

    pub(crate) async fn end(&self, key: &RecordKey, ending: Ending) -> Result<Option<Record>, StoreError> {
        self.within(self.store.end(&key.name.text(), ending)).await
    }

    pub(crate) async fn lease(
        &self,
        key: &RecordKey,
        owner: &str,
        duration: Duration,
    ) -> Result<Leased, StoreError> {
        self.within(self.store.lease(&key.name.text(), owner, duration)).await
    }

    pub(crate) async fn release(&self, key: &RecordKey, owner: &str) -> Result<(), StoreError> {
        self.within(self.store.release(&key.name.text(), owner)).await
    }

    pub(crate) async fn create_once(
        &self,
        name: &RecordName,
        value: &[u8],
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        self.within(self.store.create_once(&name.text(), value, lifetime)).await
    }

    pub(crate) async fn read_once(&self, name: &RecordName) -> Result<Option<Vec<u8>>, StoreError> {
        self.within(self.store.read_once(&name.text())).await
    }

    pub(crate) async fn remove_once(&self, name: &RecordName) -> Result<(), StoreError> {
        self.within(self.store.remove_once(&name.text())).await
    }

    pub(crate) async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.within(self.store.now()).await?.into())
    }

    /// Says in the log when the store fails, and when it works again; not at every request in between.
    async fn within<T>(&self, operation: StoreFuture<'_, T>) -> Result<T, StoreError> {
        let result = match select(operation, self.clock.sleep(DEADLINE)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(StoreError::new("no answer within two seconds")),
        };
        match &result {
            Ok(_) if !self.is_failing.load(Ordering::Relaxed) => {}
            Ok(_) => {
                self.is_failing.store(false, Ordering::Relaxed);
                tracing::info!("the session store works again");
            }
            Err(error) => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "requests get no session until the session store works again");
                }
            }
        }
        result
    }
}
