//! The store as the layer uses it. Every operation has a deadline, and the answers to reads and swaps contain the store's time.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tracing::Instrument;
use tracing::field::Empty;

use super::coherence::BeforeRead;
use super::{Coherence, Finding, Found, RecordName, SessionStore, StoreError, Swap, Swapped, Version};
use crate::clock::{Clock, Moment, Timestamp};
use crate::meter::{self, StoreOperation, StoreResult, Timer};
use crate::redact::with_causes;
use crate::seldom::Seldom;

/// The longest time for an operation, whatever limit the store sets itself.
const DEADLINE: Duration = Duration::from_secs(2);
/// The longest time for a store's check of itself.
const CHECK_DEADLINE: Duration = Duration::from_secs(5);
const MOST_ENDINGS: usize = 10_000;

pub(crate) struct Backing {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    coherence: Arc<Coherence>,
    /// The store's time in its last answer, and the moment of that answer.
    time: Mutex<Option<(Timestamp, Moment)>>,
    /// The log line that says that the store fails.
    log: Seldom,
    /// The records whose end the store has not taken yet.
    ending: Mutex<HashSet<RecordName>>,
}

/// The end of a record that is not in the store yet.
pub(crate) struct BeingEnded(Arc<Backing>, RecordName);

impl Drop for BeingEnded {
    fn drop(&mut self) {
        self.0.ending.lock().remove(&self.1);
    }
}

impl Backing {
    /// `scaled_down` divides the number of changes that are remembered. It is 1, except in a simulation.
    pub(crate) fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>, scaled_down: usize) -> Self {
        Self {
            store,
            clock,
            coherence: Arc::new(Coherence::scaled_down(scaled_down)),
            time: Mutex::default(),
            log: Seldom::default(),
            ending: Mutex::default(),
        }
    }

    /// Begins to end a record. `None` if another task does that already.
    pub(crate) fn begin_ending(self: &Arc<Self>, name: RecordName) -> Option<BeingEnded> {
        self.ending.lock().insert(name.clone()).then(|| BeingEnded(self.clone(), name))
    }

    /// Returns true if too many endings wait for the store. Then the process ends no session that it does not know, because
    /// strangers may sign out of any number of made-up sessions while the store is unreachable.
    pub(crate) fn has_too_many_endings(&self) -> bool {
        self.ending.lock().len() >= MOST_ENDINGS
    }

    /// Returns true if this process ends the record, although the store may not know.
    pub(crate) fn is_ending(&self, name: &RecordName) -> bool {
        self.ending.lock().contains(name)
    }

    pub(crate) fn coherence(&self) -> &Arc<Coherence> {
        &self.coherence
    }

    pub(crate) fn store(&self) -> &Arc<dyn SessionStore> {
        &self.store
    }

    pub(crate) fn before_read(&self, name: &RecordName) -> BeforeRead {
        self.coherence.before_read(name)
    }

    pub(crate) fn namespace(&self) -> &str {
        self.store.namespace()
    }

    pub(crate) async fn get(&self, name: &RecordName) -> Result<Found, StoreError> {
        let found = self.within(StoreOperation::Get, async { self.store.get(&name.text()).await }).await?;
        self.note_time(found.now);
        Ok(found)
    }

    /// Swaps. A conflict with the version that the caller writes means that an earlier try took effect.
    pub(crate) async fn swap(&self, name: &RecordName, swap: Swap<'_>) -> Result<Swapped, StoreError> {
        let swapping = async {
            Ok(match self.store.swap(&name.text(), swap).await? {
                Swapped::Conflict(Found { entry: Some(entry), now }) if entry.version == swap.version => {
                    Swapped::Done { now }
                }
                swapped => swapped,
            })
        };
        let is_conflict = |swapped: &Swapped| matches!(swapped, Swapped::Conflict(_));
        let swapped = self.measured(StoreOperation::Swap, swapping, is_conflict).await?;
        let (Swapped::Done { now } | Swapped::Conflict(Found { now, .. })) = swapped;
        self.note_time(now);
        Ok(swapped)
    }

    pub(crate) async fn touch(
        &self,
        name: &RecordName,
        expected: Version,
        expires_in: Duration,
    ) -> Result<(), StoreError> {
        let touching = async { self.store.touch(&name.text(), expected, expires_in).await };
        self.within(StoreOperation::Touch, touching).await
    }

    /// Returns the records in a group.
    pub(crate) async fn members(&self, group: &str) -> Result<Vec<RecordName>, StoreError> {
        let keys = self.within(StoreOperation::Members, async { self.store.members(group).await }).await?;
        Ok(keys.iter().filter_map(|key| RecordName::parse(key)).collect())
    }

    /// Makes an entry that nobody changes. Returns false if there is one already.
    pub(crate) async fn create(
        &self,
        name: &RecordName,
        value: &[u8],
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        let swap = Swap {
            expected: None,
            version: Version::random(),
            value,
            expires_in: Some(lifetime),
            group: None,
        };
        Ok(matches!(self.swap(name, swap).await?, Swapped::Done { .. }))
    }

    /// Removes an entry, whatever it is.
    pub(crate) async fn remove(&self, name: &RecordName) -> Result<(), StoreError> {
        match self.get(name).await?.entry {
            Some(entry) => {
                let deleting = async { self.store.delete(&name.text(), entry.version).await };
                self.within(StoreOperation::Delete, deleting).await
            }
            None => Ok(()),
        }
    }

    /// Asks the store for its time.
    pub(crate) async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.get(&RecordName::once(&["now"])).await?.now.into())
    }

    /// Returns the store's time in its last answer plus the time since, or asks if there was no answer yet. It is early by the
    /// time that the answer took to arrive. It is late only after a jump of this machine's clock.
    pub(crate) async fn about_now(&self) -> Result<Timestamp, StoreError> {
        let told = *self.time.lock();
        match told {
            Some((now, at)) => Ok(now.plus(at.age(&*self.clock))),
            None => self.now().await,
        }
    }

    /// Returns the store's time for a recent time of this machine's clock.
    pub(crate) fn time_of(&self, local: Timestamp) -> Timestamp {
        let told = *self.time.lock();
        told.map_or(local, |(now, at)| now.plus(local.since(at.wall())).minus(at.wall().since(local)))
    }

    fn note_time(&self, now: SystemTime) {
        *self.time.lock() = Some((now.into(), Moment::now(&*self.clock)));
    }

    /// Counts whether changes in the store are known to arrive. No event tells that a heartbeat is missing.
    pub(crate) fn count_trust(&self) {
        if meter::IS_ON {
            meter::store_notifies(self.coherence.is_trusted(Instant::now()));
        }
    }

    /// Lets the store look for what will go wrong with it. Logs nothing.
    pub(crate) async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        self.guarded(async { self.store.check().await }, CHECK_DEADLINE).await.map_err(|(error, _)| error)
    }

    /// Runs an operation within the deadline.
    async fn within<T>(
        &self,
        kind: StoreOperation,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.measured(kind, operation, |_| false).await
    }

    /// Runs an operation within the deadline, and counts its result. Logs a failure, but not at every request.
    async fn measured<T>(
        &self,
        kind: StoreOperation,
        operation: impl Future<Output = Result<T, StoreError>>,
        is_conflict: impl Fn(&T) -> bool,
    ) -> Result<T, StoreError> {
        let timer = Timer::start();
        let span = tracing::trace_span!("osc_auth.store", operation = kind.word(), result = Empty);
        let (result, word) = match self.guarded(operation, DEADLINE).instrument(span.clone()).await {
            Ok(done) if is_conflict(&done) => (Ok(done), StoreResult::Conflict),
            Ok(done) => (Ok(done), StoreResult::Ok),
            Err((error, word)) => (Err(error), word),
        };
        span.record("result", word.word());
        meter::store_asked(kind, word, timer);
        self.count_trust();
        if let Err(error) = &result
            && self.log.is_due(self.clock.now().into())
        {
            let error = with_causes(error);
            tracing::error!(%error, "The session store failed. Sessions are unavailable until it works again.");
        }
        result
    }

    async fn guarded<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
        deadline: Duration,
    ) -> Result<T, (StoreError, StoreResult)> {
        // A store's panic must not take the layer's task with it: that may hold the only good refresh token there is.
        let operation = Box::pin(AssertUnwindSafe(operation).catch_unwind());
        match select(operation, self.clock.sleep(deadline)).await {
            Either::Left((Ok(result), _)) => result.map_err(|error| (error, StoreResult::Failed)),
            Either::Left((Err(_), _)) => Err((StoreError::new("it panicked"), StoreResult::Failed)),
            Either::Right(_) => {
                let problem = format!("it did not answer within {} seconds", deadline.as_secs());
                Err((StoreError::new(problem), StoreResult::TimedOut))
            }
        }
    }
}
