//! A session store in memory, for tests: what several layers share as the nodes of an app share Redis.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    ENDED_FOR, Ending, Expiry, Found, Leased, Record, Replaced, SessionStore, StoreError, StoreFuture,
    Watcher, Watching,
};
use crate::clock::{Clock, SystemClock, Timestamp};

/// A [`SessionStore`] in this process's memory, for tests of apps that run on several nodes. Clones are the same store.
///
/// It can be out of reach, fall silent, lose what it acknowledged, and keep count.
///
/// ```
/// use osc_auth_layer::{Client, OscAuthLayer, test_util::{MemoryStore, TestToken}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = MemoryStore::new();
/// let node = || {
///     let client = Client::confidential("id", "a secret of 32 characters or more");
///     OscAuthLayer::builder(client).store(store.clone()).build()
/// };
/// let (one, other) = (node()?, node()?);
/// let cookie = one.sign_in_for_test(TestToken::new("pat-of-ada")).await;
/// // `cookie` opens the session at `other` too.
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    tells: bool,
    state: Mutex<State>,
    gate: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    entries: Entries,
    watchers: Vec<Ear>,
    is_down: bool,
    operations: usize,
}

/// Who wants to hear of changes, and does while the store is not silent.
struct Ear {
    watcher: Watcher,
    watching: Option<Watching>,
}

#[derive(Clone, Default)]
struct Entries {
    records: HashMap<String, Entry>,
    ended: HashMap<String, (Ending, Timestamp)>,
    once: HashMap<String, (Vec<u8>, Timestamp)>,
}

#[derive(Clone)]
struct Entry {
    version: u64,
    sealed: Vec<u8>,
    refused: bool,
    written_at: Timestamp,
    touched_at: Timestamp,
    idle: Duration,
    ends_at: Timestamp,
    lease: Option<Lease>,
}

#[derive(Clone)]
struct Lease {
    owner: String,
    until: Timestamp,
    /// The record's version then.
    version: u64,
}

impl Entry {
    fn record(&self, now: Timestamp) -> Record {
        Record {
            version: self.version,
            sealed: self.sealed.clone(),
            refused: self.refused,
            age: now.since(self.written_at),
            idle: now.since(self.touched_at),
            ends_in: self.ends_at.since(now),
        }
    }

    fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends_at && now.since(self.touched_at) < self.idle
    }
}

impl Entries {
    fn expire(&mut self, now: Timestamp) {
        self.records.retain(|_, entry| entry.is_live(now));
        self.ended.retain(|_, (_, until)| now < *until);
        self.once.retain(|_, (_, until)| now < *until);
    }

    fn missing(&self, name: &str) -> Option<Ending> {
        self.ended.get(name).map(|(ending, _)| *ending)
    }
}

/// What a [`MemoryStore`] held at some moment.
#[derive(Clone)]
pub struct Snapshot(Entries);

impl MemoryStore {
    /// An empty store that tells its layers of every change.
    #[must_use]
    pub fn new() -> Self {
        Self::with(SystemClock, true)
    }

    /// The same with a clock of its own.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self::with(clock, true)
    }

    /// An empty store that tells nobody of changes: layers ask it at every request.
    #[must_use]
    pub fn untold(clock: impl Clock) -> Self {
        Self::with(clock, false)
    }

    fn with(clock: impl Clock, tells: bool) -> Self {
        let gate = watch::Sender::new(true);
        Self(Arc::new(Inner { clock: Arc::new(clock), tells, state: Mutex::default(), gate }))
    }

    /// Every operation fails from now on, and nothing is told of changes.
    pub fn go_down(&self) {
        self.0.state.lock().is_down = true;
        self.fall_silent();
    }

    /// Works again, with everything it held.
    pub fn come_back(&self) {
        self.0.state.lock().is_down = false;
        self.speak_up();
    }

    /// Changes go untold from now on, and the layers know it.
    pub fn fall_silent(&self) {
        // Taken out first: dropping one calls into a layer.
        let watching: Vec<_> = {
            let mut state = self.0.state.lock();
            state.watchers.iter_mut().filter_map(|ear| ear.watching.take()).collect()
        };
        drop(watching);
    }

    /// Changes are told again.
    pub fn speak_up(&self) {
        let mut state = self.0.state.lock();
        state.watchers.iter_mut().for_each(|ear| ear.listen());
    }

    /// Operations wait from now on, until [`release`](Self::release).
    pub fn hold(&self) {
        self.0.gate.send_replace(false);
    }

    /// Lets the operations that wait go on.
    pub fn release(&self) {
        self.0.gate.send_replace(true);
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.0.state.lock().operations
    }

    /// How many sessions it holds.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.state.lock().entries.records.len()
    }

    /// How many leases are held, so how many refreshes are under way.
    #[must_use]
    pub fn leases(&self) -> usize {
        let now = Timestamp::from(self.0.clock.now());
        let state = self.0.state.lock();
        let leases = state.entries.records.values().filter_map(|entry| entry.lease.as_ref());
        leases.filter(|lease| now < lease.until).count()
    }

    /// What it holds now, to come back to.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.state.lock().entries.clone())
    }

    /// Forgets everything since: as a server that was restarted from an older dump.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.fall_silent();
        self.0.state.lock().entries = snapshot.0.clone();
        self.speak_up();
    }

    /// Every byte it holds, for a test that looks for secrets.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let state = self.0.state.lock();
        let entries = &state.entries;
        let records = entries.records.iter().map(|(name, entry)| (name, &entry.sealed));
        let once = entries.once.iter().map(|(name, (value, _))| (name, value));
        records.chain(once).flat_map(|(name, value)| [name.as_bytes(), value].concat()).collect()
    }

    /// One atomic operation; `work` returns its result and whether the record changed.
    fn operate<'s, T: Send + 's>(
        &'s self,
        name: &'s str,
        work: impl FnOnce(&mut Entries, Timestamp) -> (T, bool) + Send + 's,
    ) -> StoreFuture<'s, T> {
        Box::pin(async move {
            // The sender is in `self`, so this cannot fail.
            let _ = self.0.gate.subscribe().wait_for(|is_open| *is_open).await;
            let now = Timestamp::from(self.0.clock.now());
            let mut state = self.0.state.lock();
            state.operations += 1;
            if state.is_down {
                return Err(StoreError::new("it was told to be out of reach"));
            }
            state.entries.expire(now);
            let (result, changed) = work(&mut state.entries, now);
            if changed {
                let told = state.watchers.iter().filter_map(|ear| ear.watching.as_ref());
                told.for_each(|watching| watching.changed(name));
            }
            Ok(result)
        })
    }
}

impl SessionStore for MemoryStore {
    fn namespace(&self) -> &str {
        "memory"
    }

    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool> {
        self.operate(name, move |entries, now| {
            let free = !entries.records.contains_key(name) && !entries.ended.contains_key(name);
            if free {
                let entry = Entry {
                    version: 1,
                    sealed: sealed.to_vec(),
                    refused: false,
                    written_at: now,
                    touched_at: now,
                    idle: expiry.idle,
                    ends_at: now.plus(expiry.absolute),
                    lease: None,
                };
                entries.records.insert(name.to_owned(), entry);
            }
            (free, free)
        })
    }

    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found> {
        self.operate(name, move |entries, now| {
            let found = match (entries.records.get(name), entries.missing(name)) {
                (Some(entry), _) => Found::Live(entry.record(now)),
                (None, Some(ending)) => Found::Ended(ending),
                (None, None) => Found::Absent,
            };
            (found, false)
        })
    }

    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced> {
        self.operate(name, move |entries, now| {
            let missing = entries.missing(name);
            let Some(entry) = entries.records.get_mut(name) else {
                return (missing.map_or(Replaced::Absent, Replaced::Ended), false);
            };
            if entry.version != expected {
                return (Replaced::Conflict(entry.record(now)), false);
            }
            (entry.version, entry.sealed, entry.refused) = (version, sealed.to_vec(), false);
            entry.written_at = now;
            (Replaced::Done, true)
        })
    }

    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, _| {
            let entry = entries.records.get_mut(name).filter(|entry| entry.version == version);
            let changed = entry.map(|entry| entry.refused = true).is_some();
            ((), changed)
        })
    }

    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, now| {
            let changed = entries.records.get_mut(name).map(|entry| entry.touched_at = now).is_some();
            ((), changed)
        })
    }

    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>> {
        self.operate(name, move |entries, now| {
            let record = entries.records.remove(name).map(|entry| entry.record(now));
            let changed = record.is_some();
            if changed {
                entries.ended.insert(name.to_owned(), (ending, now.plus(ENDED_FOR)));
            }
            (record, changed)
        })
    }

    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased> {
        self.operate(name, move |entries, now| {
            let missing = entries.missing(name);
            let Some(entry) = entries.records.get_mut(name) else {
                return (missing.map_or(Leased::Absent, Leased::Ended), false);
            };
            let record = entry.record(now);
            let leased = match &entry.lease {
                Some(lease) if lease.owner != owner && now < lease.until => {
                    return (Leased::Held(record, lease.until.since(now)), false);
                }
                Some(lease) if lease.owner != owner && lease.version == entry.version => {
                    Leased::Inherited(record)
                }
                _ => Leased::Granted(record),
            };
            let (owner, until) = (owner.to_owned(), now.plus(duration));
            entry.lease = Some(Lease { owner, until, version: entry.version });
            (leased, true)
        })
    }

    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, _| {
            let entry = entries.records.get_mut(name);
            let changed = entry.and_then(|entry| entry.lease.take_if(|lease| lease.owner == owner)).is_some();
            ((), changed)
        })
    }

    fn create_once<'s>(
        &'s self,
        name: &'s str,
        value: &'s [u8],
        lifetime: Duration,
    ) -> StoreFuture<'s, bool> {
        self.operate(name, move |entries, now| {
            let free = !entries.once.contains_key(name);
            if free {
                entries.once.insert(name.to_owned(), (value.to_vec(), now.plus(lifetime)));
            }
            (free, false)
        })
    }

    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>> {
        self.operate(name, move |entries, _| (entries.once.get(name).map(|(value, _)| value.clone()), false))
    }

    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, _| {
            entries.once.remove(name);
            ((), false)
        })
    }

    fn now(&self) -> StoreFuture<'_, SystemTime> {
        self.operate("", |_, now| (now.into(), false))
    }

    fn watch(&self, watcher: Watcher) {
        if self.0.tells {
            let mut ear = Ear { watcher, watching: None };
            let mut state = self.0.state.lock();
            if !state.is_down {
                ear.listen();
            }
            state.watchers.push(ear);
        }
    }
}

impl Ear {
    fn listen(&mut self) {
        let watching = self.watching.get_or_insert_with(|| self.watcher.begin());
        // Calls within a process do not get lost: what was confirmed once stays so.
        watching.confirm(Instant::now() + Duration::from_secs(100 * 365 * 24 * 60 * 60));
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("sessions", &self.0.records.len()).finish_non_exhaustive()
    }
}
