//! Session stores: where sessions are kept so that they survive a restart and several nodes can share them.
//!
//! Name a store with [`store_url`](crate::OscAuthLayerBuilder::store_url), or make one and pass it to
//! [`store`](crate::OscAuthLayerBuilder::store). For a database that has no store here, implement [`SessionStore`].
//!
//! | store | feature | suits |
//! |---|---|---|
#![cfg_attr(
    feature = "sqlite",
    doc = "| [`SqliteStore`] | `sqlite` | one node, with its file on a local disk |"
)]
#![cfg_attr(
    feature = "postgres",
    doc = "| [`PostgresStore`] | `postgres` | several nodes that have a PostgreSQL already |"
)]
#![cfg_attr(
    feature = "redis",
    doc = "| [`RedisStore`] | `redis` | several nodes, and the least work for the store |"
)]
//!
//! The layer seals every record, so a store holds no token that its reader could use.

mod backing;
mod coherence;
#[cfg(feature = "test-util")]
pub(crate) mod contract;
#[cfg(feature = "test-util")]
pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod seal;
mod shared;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod sql;
mod watcher;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) use self::backing::Backing;
pub(crate) use self::coherence::{BeforeRead, Coherence};
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub(crate) use self::seal::{Keyring, RecordKey, RecordName, SealingKey, framed};
#[cfg(feature = "postgres")]
pub use self::sql::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sql::sqlite::SqliteStore;
pub use self::watcher::{Watcher, Watching};
use crate::finding::Finding;
use crate::redact::with_causes;
use crate::secret::random_bytes;

/// The future that the methods of a [`SessionStore`] return.
pub type StoreFuture<'s, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 's>>;

/// Keeps sessions outside of the process, so that they survive a restart and several nodes share them. Implement it for a store of
/// your own.
///
/// A store keeps values of bytes under keys, each with a version and an expiry. The layer seals the values, and derives the key
/// from the session id in the user's cookie. So the store and its backups contain no token that a thief could read.
///
/// The layer relies on these promises. Test your store with [`store_contract`](crate::test_util::store_contract) (feature
/// `test-util`):
///
/// - Every method is atomic. Every later call of any node sees an acknowledged change.
/// - All times are the store's own, because the clocks of the nodes may be hours apart.
/// - Entries expire by themselves. An expired entry is absent.
///
/// An operation that cannot finish fails with [`StoreError`]. The layer then keeps the session and answers as in an outage. It
/// waits at most two seconds for an operation. An operation that the layer gave up may still take effect.
pub trait SessionStore: Send + Sync + 'static {
    /// Returns a name that keeps the app apart from other apps in the same store. Values are sealed to it.
    fn namespace(&self) -> &str;

    /// Returns the server or file that holds the entries, for the log, such as `Redis at localhost:6379`. It must not contain a
    /// password. Default: the type's name.
    fn place(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }

    /// Reads an entry without any change.
    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found>;

    /// Writes an entry if the store holds the version that [`Swap::expected`] names, or if it holds none and none is expected.
    /// Otherwise returns what the store holds and changes nothing.
    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped>;

    /// Notes that a session was used: the entry expires in `expires_in`, unless it expires later anyway. The version stays.
    /// Does nothing if the store holds another version, or none.
    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()>;

    /// Removes an entry. Does nothing if the store holds another version, or none.
    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()>;

    /// Returns the keys of all entries in a [`Swap::group`], in any order.
    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>>;

    /// Gives the store a [`Watcher`]. Each layer calls this once.
    ///
    /// A store that notifies the layer of every [`swap`](Self::swap) and [`delete`](Self::delete) by any node saves a round trip
    /// per request. Default: it does not.
    fn watch(&self, watcher: Watcher) {
        let _ = watcher;
    }

    /// Looks for what will go wrong with this store, such as a missing privilege, or a server that forgets sessions. Default: finds
    /// nothing.
    ///
    /// [`OscAuthLayer::check`](crate::OscAuthLayer::check) calls it, and then does a round trip with the other methods. It waits five
    /// seconds at most. For a question that the store cannot answer, return a finding that is
    /// [not checked](crate::preflight::Severity::Unchecked).
    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// The version of an entry: 16 random bytes of the writer's.
///
/// A version is no count, because a count repeats after a backup is restored. Two writes never have the same version, so a writer
/// that finds its own version in a conflict knows that its write took effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version([u8; 16]);

impl Version {
    /// Returns the version of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for the store to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn random() -> Self {
        Self(random_bytes())
    }
}

/// A value in the store, with its version and expiry.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The version of the last [`SessionStore::swap`].
    pub version: Version,
    /// The bytes that the layer wrote.
    pub value: Vec<u8>,
    /// The time at which the entry expires.
    pub expires_at: SystemTime,
}

/// The result of [`SessionStore::get`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The entry. `None` if there is none, or if it has expired.
    pub entry: Option<Entry>,
    /// The store's time.
    pub now: SystemTime,
}

/// A change that [`SessionStore::swap`] makes.
#[derive(Clone, Copy)]
pub struct Swap<'s> {
    /// The version that the entry must have. `None` if there must be no entry.
    pub expected: Option<Version>,
    /// The version that the entry gets.
    pub version: Version,
    /// The value that the entry gets.
    pub value: &'s [u8],
    /// The time after which the entry expires. `None` leaves the expiry as it is. A new entry always has one.
    pub expires_in: Option<Duration>,
    /// The group that the entry belongs to from now on, and to no other: the sessions of one user. `None` if it belongs to none.
    pub group: Option<&'s str>,
}

/// The result of [`SessionStore::swap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// The store holds the new entry.
    Done {
        /// The store's time.
        now: SystemTime,
    },
    /// The store holds this instead, and changed nothing.
    Conflict(Found),
}

/// Says that the store is unreachable or sent a malformed answer. The operation may or may not have taken effect.
///
/// `source()` is the cause, and `Debug` shows both.
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
        f.write_str("the session store failed")
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(self))
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("version", &self.version)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Swap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swap")
            .field("expected", &self.expected)
            .field("version", &self.version)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
