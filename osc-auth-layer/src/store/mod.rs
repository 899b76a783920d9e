//! Where sessions live when one process is not enough: behind the process's own table, sealed, in a store that all nodes
//! share.

mod backing;
mod coherence;
#[cfg(feature = "test-util")]
pub(crate) mod contract;
#[cfg(feature = "test-util")]
pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod seal;
mod watcher;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

pub(crate) use self::backing::Backing;
pub(crate) use self::coherence::{BeforeRead, Coherence};
pub(crate) use self::seal::{RecordKey, RecordName, Sealed, SealingKey};
pub use self::watcher::{Watcher, Watching};

/// How long [`SessionStore::end`] leaves a mark, so that a refresh under way elsewhere learns how the session ended.
pub const ENDED_FOR: Duration = Duration::from_secs(60 * 60);

/// What the methods of a [`SessionStore`] return.
pub type StoreFuture<'s, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 's>>;

/// Where the nodes of one app keep their sessions.
///
/// A store holds bytes that only a visitor's cookie opens: the layer derives a record's name and key from the session id
/// and seals what it hands over, so a store and its backups are of no use to a thief.
///
/// What the layer relies on, and [`store_contract`](crate::test_util::store_contract) (feature `test-util`) proves:
///
/// - Every method is atomic, and what it acknowledged is seen by every later call of any node.
/// - All times are the store's own: nodes' clocks may be hours apart.
/// - Records and marks expire by themselves.
/// - A record that ended or expired never comes back by a write.
///
/// An operation that cannot be brought to its end fails with [`StoreError`]; the layer keeps the session, and answers as
/// in an outage. It waits for no operation longer than two seconds. One that was given up may still have its effect.
pub trait SessionStore: Send + Sync + 'static {
    /// Sets the app apart from others in the same place. Records are sealed to it.
    fn namespace(&self) -> &str;

    /// Writes the first version, 1, of a record. `false`, and no change, when the name is taken or was until lately.
    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool>;

    /// Reads a record, and changes nothing.
    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found>;

    /// Writes `version` of a record in place of `expected`, and removes what [`refuse`](Self::refuse) left. Changes
    /// nothing when the record's version is another, or when there is none. The lease and the idle time stay.
    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced>;

    /// Marks `version` of a record as refused by the provider. Does nothing when the record's version is another.
    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()>;

    /// Notes that a session was used: its idle time starts anew, and its version stays.
    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()>;

    /// Ends a session: its record goes, and for [`ENDED_FOR`] a mark says how. Returns what it held. The first ending of
    /// a session counts; an unknown name gets no mark.
    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>>;

    /// Takes the lease of a record for `owner`, or prolongs the one it has: from now on for `duration` nobody else gets
    /// it. Returns the record as it is under the lease. One that ran out is remembered until it is given back or another
    /// owner takes its place, and with it the record's version.
    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased>;

    /// Gives the lease back, when it is still `owner`'s.
    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()>;

    /// Writes what exists once, under a name of its own kind: `false`, and no change, when the name is taken.
    fn create_once<'s>(&'s self, name: &'s str, value: &'s [u8], lifetime: Duration)
    -> StoreFuture<'s, bool>;

    /// Reads what [`create_once`](Self::create_once) wrote.
    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>>;

    /// Removes it.
    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()>;

    /// The store's time, by which nodes agree how old a sign-in in progress is. Default: this machine's, which will do
    /// when the nodes' clocks agree within minutes.
    fn now(&self) -> StoreFuture<'_, SystemTime> {
        Box::pin(std::future::ready(Ok(SystemTime::now())))
    }

    /// Called once by each layer that uses the store. A store that can tell the layer of every change to a record, from
    /// whichever node, saves it a round trip per request. Default: it cannot.
    fn watch(&self, watcher: Watcher) {
        let _ = watcher;
    }
}

/// When a record goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// After so long without [`touch`](SessionStore::touch).
    pub idle: Duration,
    /// After so long in any case.
    pub absolute: Duration,
}

/// A session's record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// 1 when it was created; larger at every [`replace`](SessionStore::replace).
    pub version: u64,
    /// What the layer sealed.
    pub sealed: Vec<u8>,
    /// This version's mark of [`refuse`](SessionStore::refuse).
    pub refused: bool,
    /// The time since this version was written.
    pub age: Duration,
    /// The time since the record was created or last touched.
    pub idle: Duration,
    /// The time left until [`Expiry::absolute`].
    pub ends_in: Duration,
}

/// How a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By the visitor: what a refresh under way brings back is revoked at the provider.
    SignedOut,
    /// By another sign-in of the same browser, which may have been given the same grant: nothing is revoked.
    Replaced,
}

/// What [`SessionStore::read`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A live record.
    Live(Record),
    /// The mark of a session that ended.
    Ended(Ending),
    /// Nothing: never created, or expired.
    Absent,
}

/// What [`SessionStore::replace`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replaced {
    /// The record now has the new version.
    Done,
    /// The record is another version than expected: this one.
    Conflict(Record),
    /// The session ended.
    Ended(Ending),
    /// There is no record.
    Absent,
}

/// What [`SessionStore::lease`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leased {
    /// The lease is the caller's.
    Granted(Record),
    /// The lease is the caller's. The last one ran out without being given back, and the record is the version that it
    /// was taken for: whoever had it died, or is about to write what it has not been able to.
    Inherited(Record),
    /// Somebody else has it, for so long.
    Held(Record, Duration),
    /// The session ended.
    Ended(Ending),
    /// There is no record.
    Absent,
}

/// The store cannot be reached, or answers nonsense. Nothing is known about the operation's effect.
pub struct StoreError(Box<dyn Error + Send + Sync>);

impl StoreError {
    /// The cause goes into the log: it must hold no secret, such as the password in a URL.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the session store failed: {}", self.0)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .field("refused", &self.refused)
            .field("age", &self.age)
            .field("idle", &self.idle)
            .field("ends_in", &self.ends_in)
            .finish_non_exhaustive()
    }
}

/// What a session of the process's table has when a store stands behind it.
pub(crate) struct Stored {
    pub(crate) key: RecordKey,
    /// See [`Coherence::stamp`].
    pub(crate) stamp: AtomicU64,
    /// In whose name the lease was taken: kept until it is given back, so that a refresh that died is followed by one
    /// that need not wait for the lease to end.
    pub(crate) lease_owner: Mutex<Option<String>>,
}

impl Stored {
    pub(crate) fn new(key: RecordKey) -> Self {
        Self { key, stamp: AtomicU64::new(0), lease_owner: Mutex::default() }
    }
}
