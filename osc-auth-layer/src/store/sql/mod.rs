//! Session stores in SQL databases: the parts that they share.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod watchers;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::watchers::Watchers;
use super::{Entry, Found, StoreError, Version};

/// A row as both databases return it: the store's time in milliseconds, and the version, value and expiry of the entry, if there is
/// one.
type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>);

/// Reads a row. Fails if something else than a store wrote it.
fn found((now, version, value, expires_at): Row) -> Result<Found, StoreError> {
    let now = time(now);
    let (Some(version), Some(value), Some(expires_at)) = (version, value, expires_at) else {
        return Ok(Found { entry: None, now });
    };
    let version = version.try_into().map_err(|_| StoreError::new("a version in the table is malformed"))?;
    Ok(Found {
        entry: Some(Entry { version: Version::from_bytes(version), value, expires_at: time(expires_at) }),
        now,
    })
}

fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// Returns milliseconds for SQL. The year 10,000 and later are no times that a database can add to.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(100 * 365 * 24 * 60 * 60 * 1000)
}
