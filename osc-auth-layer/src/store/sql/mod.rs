//! Session stores in SQL databases: the parts that they share.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod watchers;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{FromRow, Row};

use self::watchers::Watchers;
use super::{Entry, Found, StoreError, Version};

const DEFAULT_NAMESPACE: &str = "osc-auth";
/// Shorter than the two seconds that the layer waits for an operation.
const LIMIT: Duration = Duration::from_millis(1500);
/// The pause between two rounds that remove expired rows. Each new entry also removes two.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Limits the time for which a round holds locks.
const MOST_SWEPT: i64 = 1000;

/// The store's time in milliseconds, and the version, value and expiry of the entry, if there is one.
type Columns = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>);

/// Reads a row. Fails if something else than a store wrote it.
fn found<'r, R: Row>(row: &'r R) -> Result<Found, StoreError>
where
    Columns: FromRow<'r, R>,
{
    let malformed = || StoreError::new("a row of the table osc_auth_sessions is malformed; delete it");
    let (now, version, value, expires_at) = Columns::from_row(row).map_err(|_| malformed())?;
    let now = time(now);
    let (Some(version), Some(value), Some(expires_at)) = (version, value, expires_at) else {
        return Ok(Found { entry: None, now });
    };
    let version = Version::from_bytes(version.try_into().map_err(|_| malformed())?);
    Ok(Found { entry: Some(Entry { version, value, expires_at: time(expires_at) }), now })
}

fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// Returns milliseconds for SQL. A hundred years at most, so that the sum with a time does not overflow.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(100 * 365 * 24 * 60 * 60 * 1000)
}
