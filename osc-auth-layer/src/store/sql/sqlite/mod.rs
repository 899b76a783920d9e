//! A session store in an SQLite file.

mod check;
mod database;
mod problem;
mod statements;
mod writes;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use tokio::sync::Mutex;

use self::database::{Database, Source, read};
use self::statements::{MEMBERS, SCHEMA};
use self::writes::{Change, Write};
use super::{DEFAULT_NAMESPACE, LIMIT, found};
use crate::error::ConfigError;
use crate::finding::Finding;
use crate::store::{Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher};

const SETTING: &str = "SESSION_STORE / SqliteStore::from_url";
/// Changes by other processes are seen within this time.
const POLL: Duration = Duration::from_millis(250);
/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Keeps sessions in an SQLite file (feature `sqlite`), so that users stay signed in over a restart.
///
/// Use it for an app that runs as one process, or as several on one machine. Clones share their connection.
///
/// - The file is opened, and the table made, at first use. Its directory must exist.
/// - Every change is on the disk before the app uses it. The journal of the file is a write-ahead log, with `synchronous=FULL`.
/// - Changes by other processes are seen within a quarter of a second. After one, each session is read again at its next request.
/// - The file must be on a local disk. SQLite cannot lock files on network file systems reliably.
/// - Stop the app before you restore a backup, and delete the files beside it that end with `-wal` and `-shm`. The store notices
///   that another file has replaced its own (on Unix), but not that the contents were overwritten.
///
/// ```no_run
/// use osc_auth_layer::store::SqliteStore;
/// use osc_auth_layer::{OAuthClient, OscAuthLayer};
///
/// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = SqliteStore::from_url("sqlite:sessions.db")?;
/// let client = OAuthClient::confidential("id", "a secret of 32 characters or more");
/// let auth = OscAuthLayer::builder(client).store(store).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    namespace: Arc<str>,
    database: Arc<Database>,
}

impl SqliteStore {
    /// Makes a store for the file of this URL, such as `sqlite:sessions.db` or `sqlite:///var/lib/app/sessions.db`. The file need not
    /// exist. Works outside a Tokio runtime.
    ///
    /// # Errors
    /// The URL cannot be used, the file's directory does not exist, or the file is not one of SQLite's.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let options = options(url)?;
        Ok(Self::with(Source::File(Box::new(options), Mutex::default())))
    }

    /// Makes a store in the app's own database.
    ///
    /// Changes are not noticed through a pool. So each request with a session reads from the database, which takes about a
    /// tenth of a millisecond. Expired rows are removed two at a time, with each new row. The pool's settings decide what a power
    /// cut loses: with `synchronous=FULL`, nothing.
    #[must_use]
    pub fn from_pool(pool: SqlitePool) -> Self {
        Self::with(Source::Pool(pool, AtomicBool::new(false)))
    }

    /// Returns the statements that make the store's table.
    #[must_use]
    pub fn schema() -> &'static str {
        SCHEMA
    }

    /// Sets the name that keeps the app apart from other apps in the same file. Default: `osc-auth`. A change signs all users out.
    #[must_use]
    pub fn with_namespace(self, name: impl Into<String>) -> Self {
        Self { namespace: name.into().into(), ..self }
    }

    fn with(source: Source) -> Self {
        Self { namespace: DEFAULT_NAMESPACE.into(), database: Arc::new(Database::new(source)) }
    }

    async fn write(&self, key: &str, change: Change) -> Result<Swapped, StoreError> {
        self.database.keep_polling();
        self.database.write(Write { namespace: self.namespace.clone(), key: key.to_owned(), change }).await
    }
}

fn options(url: &str) -> Result<SqliteConnectOptions, ConfigError> {
    let invalid = |problem: &str, remedy: &str| ConfigError::invalid(SETTING, problem, remedy);
    let remedy = "Write it as sqlite:sessions.db, or sqlite:///var/lib/app/sessions.db for an absolute path.";
    let options = SqliteConnectOptions::from_str(url).ok().filter(|_| url.starts_with("sqlite:"));
    let options = options.ok_or_else(|| invalid("is not the URL of an SQLite file", remedy))?;
    let file = options.get_filename();
    if file.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(invalid("names no file", remedy));
    }
    if !file.parent().is_none_or(|parent| parent.as_os_str().is_empty() || parent.is_dir()) {
        return Err(invalid("names a directory that does not exist", "Create the directory of the file."));
    }
    if file.is_dir() {
        return Err(invalid("names a directory", "Add the name of a file in it, such as sessions.db."));
    }
    if is_foreign(file) {
        return Err(invalid("names a file that belongs to another program", "Name another file."));
    }
    Ok(options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(LIMIT)
        .disable_statement_logging())
}

/// Returns true if the file has contents, and they are not SQLite's. An unreadable file is a matter of the first use.
fn is_foreign(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(16).read_to_end(&mut start));
    read.is_ok() && !start.is_empty() && start != MAGIC
}

impl SessionStore for SqliteStore {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn place(&self) -> String {
        self.database.place()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        Box::pin(async move {
            self.database.keep_polling();
            let mut held = self.database.hold().await?;
            let row = read(held.connection(), &self.namespace, key).await;
            found(&held.settle(row)?)
        })
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        Box::pin(self.write(key, swap.into()))
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        Box::pin(async move { self.write(key, Change::Touch { expected, expires_in }).await.map(drop) })
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        Box::pin(async move { self.write(key, Change::Delete { expected }).await.map(drop) })
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        Box::pin(async move {
            let mut held = self.database.hold().await?;
            let query = sqlx::query_scalar(MEMBERS).bind(&*self.namespace).bind(group);
            let keys = query.fetch_all(held.connection()).await;
            held.settle(keys)
        })
    }

    fn watch(&self, watcher: Watcher) {
        if self.database.notices_changes() {
            self.database.watchers.add(watcher);
            self.database.keep_polling();
        }
    }

    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        Box::pin(self.database.check())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
