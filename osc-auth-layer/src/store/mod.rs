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
pub(crate) use self::seal::{RecordKey, RecordName, SealingKey};
pub use self::watcher::{Watcher, Watching};

/// How long the mark of [`SessionStore::end`] stays: one hour. A refresh under way on another node learns from it how the
/// session ended.
pub const ENDED_FOR: Duration = Duration::from_secs(60 * 60);

/// The future that the methods of a [`SessionStore`] return.
pub type StoreFuture<'s, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 's>>;

/// Keeps the sessions of an app that runs on several nodes. Implement it for a store of your own.
///
/// A store holds sealed bytes. The layer derives a record's name and key from the session id in the user's cookie, so the
/// store and its backups are useless to a thief.
///
/// The layer relies on these promises. Test your store with [`store_contract`](crate::test_util::store_contract) (feature
/// `test-util`):
///
/// - Every method is atomic. Every later call of any node sees what a method acknowledged.
/// - All times are the store's own, because the nodes' clocks may be hours apart.
/// - Records and marks expire by themselves.
/// - No write brings back a record that ended or expired.
///
/// An operation that cannot finish fails with [`StoreError`]. The layer then keeps the session and answers as in an outage. The
/// layer waits at most two seconds for an operation. An operation that the layer gave up may still take effect.
pub trait SessionStore: Send + Sync + 'static {
    /// Returns a name that keeps the app apart from other apps in the same store. Records are sealed to it.
    fn namespace(&self) -> &str;

    /// Writes version 1 of a new record. Returns false and changes nothing if a record or a mark has this name.
    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool>;

    /// Reads a record without any change.
    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found>;

    /// Replaces version `expected` of a record by `version`, and removes the mark of [`refuse`](Self::refuse).
    ///
    /// Changes nothing if the record has another version or does not exist. The lease and the idle time stay.
    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced>;

    /// Marks `version` of a record as refused by the provider. Does nothing if the record has another version.
    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()>;

    /// Notes that a session was used. Its idle time starts anew, and its version stays.
    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()>;

    /// Ends a session: removes its record and returns it, and leaves a mark for [`ENDED_FOR`] that says how it ended.
    ///
    /// The first ending of a session counts. An unknown name gets no mark.
    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>>;

    /// Takes the lease of a record for `owner`, or prolongs the owner's lease. No other owner gets it for `duration`.
    ///
    /// Returns the record as it is under the lease. The store remembers an expired lease, with the record's version at that
    /// time, until its owner releases it or another owner takes the lease.
    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased>;

    /// Releases the lease if `owner` still has it.
    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()>;

    /// Writes a value that is never changed. Returns false and changes nothing if the name is taken. These names are separate
    /// from the records' names.
    fn create_once<'s>(&'s self, name: &'s str, value: &'s [u8], lifetime: Duration)
    -> StoreFuture<'s, bool>;

    /// Reads a value that [`create_once`](Self::create_once) wrote.
    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>>;

    /// Removes a value that [`create_once`](Self::create_once) wrote.
    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()>;

    /// Returns the store's time, by which the nodes agree on the age of a pending sign-in.
    ///
    /// Default: this machine's time. That suffices if the nodes' clocks agree within minutes.
    fn now(&self) -> StoreFuture<'_, SystemTime> {
        Box::pin(std::future::ready(Ok(SystemTime::now())))
    }

    /// Gives the store a [`Watcher`]. Each layer calls this once.
    ///
    /// A store that notifies the layer of every change by any node saves a round trip per request. Default: it does not.
    fn watch(&self, watcher: Watcher) {
        let _ = watcher;
    }
}

/// Says when a record expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The time without a [`touch`](SessionStore::touch) after which the record expires.
    pub idle: Duration,
    /// The time after its creation at which the record expires in any case.
    pub absolute: Duration,
}

/// Holds the record of a session.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The version: 1 at first, and larger after every [`replace`](SessionStore::replace).
    pub version: u64,
    /// The bytes that the layer sealed.
    pub sealed: Vec<u8>,
    /// True if [`refuse`](SessionStore::refuse) marked this version.
    pub refused: bool,
    /// The time since this version was written.
    pub age: Duration,
    /// The time since the record was created or last touched.
    pub idle: Duration,
    /// The time left until [`Expiry::absolute`].
    pub ends_in: Duration,
}

/// Says how a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The user signed out. If a refresh is under way, the layer revokes its tokens at the provider.
    SignedOut,
    /// Another sign-in of the same browser replaced the session. Nothing is revoked, because both may have the same grant.
    Replaced,
}

/// The result of [`SessionStore::read`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A live record.
    Live(Record),
    /// The mark of a session that ended.
    Ended(Ending),
    /// There is no record: it was never created, or it has expired.
    Absent,
}

/// The result of [`SessionStore::replace`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replaced {
    /// The record now has the new version.
    Done,
    /// The record has another version than expected. Contains the record.
    Conflict(Record),
    /// The session ended.
    Ended(Ending),
    /// There is no record.
    Absent,
}

/// The result of [`SessionStore::lease`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leased {
    /// The caller has the lease.
    Granted(Record),
    /// The caller has the lease. The previous lease expired without a release, and the record still has the version of that
    /// time. So the previous owner died, or has not written its result yet.
    Inherited(Record),
    /// Another owner has the lease for this much longer.
    Held(Record, Duration),
    /// The session ended.
    Ended(Ending),
    /// There is no record.
    Absent,
}

/// Says that the store is unreachable or sent a malformed answer. The operation may or may not have taken effect.
pub struct StoreError(Box<dyn Error + Send + Sync>);

impl StoreError {
    /// Makes an error from its cause. The cause goes into the log, so it must not contain a secret, such as the password in a
    /// URL.
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
