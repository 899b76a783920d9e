//! A session store in an SQLite file.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex as SyncMutex;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{Row, Watchers, found, millis, time};
use crate::error::ConfigError;
use crate::store::{Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher};

const SETTING: &str = "SESSION_STORE / SqliteStore::from_url";
const DEFAULT_NAMESPACE: &str = "osc-auth";

/// Shorter than the two seconds that the layer waits for an operation.
const BUSY: Duration = Duration::from_millis(1500);
/// Changes by other processes are seen within this time.
const POLL: Duration = Duration::from_millis(250);

macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
}

const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS osc_auth_sessions (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    version BLOB NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER NOT NULL, -- milliseconds since 1970
    user_group TEXT,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS osc_auth_sessions_expiry ON osc_auth_sessions (expires_at);
CREATE INDEX IF NOT EXISTS osc_auth_sessions_group ON osc_auth_sessions (namespace, user_group) WHERE user_group IS NOT NULL;
";

const GET: &str = concat!(
    "SELECT ",
    now!(),
    ", version, value, expires_at FROM (SELECT 1) \
     LEFT JOIN osc_auth_sessions ON namespace = ?1 AND key = ?2 AND expires_at > ",
    now!()
);
const CREATE: &str = concat!(
    "INSERT INTO osc_auth_sessions (namespace, key, version, value, user_group, expires_at) \
     VALUES (?1, ?2, ?3, ?4, ?6, ",
    now!(),
    " + ?5) \
     ON CONFLICT (namespace, key) DO UPDATE \
     SET version = excluded.version, value = excluded.value, expires_at = excluded.expires_at, \
     user_group = excluded.user_group \
     WHERE osc_auth_sessions.expires_at <= ",
    now!(),
    " RETURNING ",
    now!()
);
const SWAP: &str = concat!(
    "UPDATE osc_auth_sessions SET version = ?3, value = ?4, user_group = ?6, expires_at = iif(?5 IS NULL, expires_at, ",
    now!(),
    " + ?5) \
     WHERE namespace = ?1 AND key = ?2 AND version = ?7 AND expires_at > ",
    now!(),
    " RETURNING ",
    now!()
);
const TOUCH: &str = concat!(
    "UPDATE osc_auth_sessions SET expires_at = max(expires_at, ",
    now!(),
    " + ?4) \
     WHERE namespace = ?1 AND key = ?2 AND version = ?3 AND expires_at > ",
    now!()
);
const DELETE: &str = "DELETE FROM osc_auth_sessions WHERE namespace = ?1 AND key = ?2 AND version = ?3";
const MEMBERS: &str = concat!(
    "SELECT key FROM osc_auth_sessions WHERE namespace = ?1 AND user_group = ?2 AND expires_at > ",
    now!()
);
/// Two for each new entry, so that the table shrinks again after a burst.
const SWEEP: &str = concat!(
    "DELETE FROM osc_auth_sessions WHERE (namespace, key) IN \
     (SELECT namespace, key FROM osc_auth_sessions WHERE expires_at <= ",
    now!(),
    " LIMIT 2)"
);

/// Keeps sessions in an SQLite file (feature `sqlite`), so that users stay signed in over a restart.
///
/// Use it for an app that runs as one process, or as several on one machine. Clones share their connection.
///
/// - The file is opened, and the table made, at first use. Its directory must exist.
/// - Every change is on the disk before the app uses it. Only the time of a session's last use may be lost in a power cut.
/// - Changes by other processes are seen within a quarter of a second.
/// - The file must be on a local disk. SQLite cannot lock files on network file systems reliably.
///
/// ```no_run
/// use osc_auth_layer::{Client, OscAuthLayer, SqliteStore};
///
/// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = SqliteStore::from_url("sqlite:sessions.db")?;
/// let client = Client::confidential("id", "a secret of 32 characters or more");
/// let auth = OscAuthLayer::builder(client).store(store).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    namespace: Arc<str>,
    database: Arc<Database>,
}

/// The database, and the layers that it notifies.
struct Database {
    source: Source,
    watchers: Watchers,
    polling: SyncMutex<Option<JoinHandle<()>>>,
}

enum Source {
    /// All operations use one connection. So a change of the file's `data_version` means that another process wrote.
    File(Box<SqliteConnectOptions>, Mutex<Option<SqliteConnection>>),
    /// The app's own pool, and whether the table is known to exist.
    Pool(SqlitePool, OnceCell<()>),
}

impl SqliteStore {
    /// Makes a store for the file of this URL, such as `sqlite:sessions.db` or `sqlite:///var/lib/app/sessions.db`. The file need not
    /// exist. Works outside a Tokio runtime.
    ///
    /// # Errors
    /// The URL cannot be used, or the file's directory does not exist.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let invalid = |problem: &str, remedy: &str| ConfigError::invalid(SETTING, problem, remedy);
        let remedy =
            "Write it as sqlite:sessions.db, or sqlite:///var/lib/app/sessions.db for an absolute path.";
        if !url.starts_with("sqlite:") {
            return Err(invalid("is not the URL of an SQLite file", remedy));
        }
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|_| invalid("is not the URL of an SQLite file", remedy))?;
        let file = options.get_filename();
        if file.as_os_str().is_empty() || url.contains(":memory:") {
            return Err(invalid("names no file", remedy));
        }
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        if !directory.is_none_or(Path::is_dir) {
            return Err(invalid(
                "names a directory that does not exist",
                "Create the directory of the file.",
            ));
        }
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        Ok(Self::with(Source::File(Box::new(options), Mutex::default())))
    }

    /// Makes a store in the app's own database. The pool's settings decide what a power cut loses: `synchronous=FULL` loses
    /// nothing.
    #[must_use]
    pub fn from_pool(pool: SqlitePool) -> Self {
        Self::with(Source::Pool(pool, OnceCell::new()))
    }

    /// Returns the statements that make the store's table, for a database in which the app may not make tables.
    #[must_use]
    pub fn schema() -> &'static str {
        SCHEMA
    }

    /// Sets the name that keeps the app apart from other apps in the same file. Default: `osc-auth`. A change signs all users out.
    #[must_use]
    pub fn namespace(self, name: impl Into<String>) -> Self {
        Self(Arc::new(Inner { namespace: name.into().into(), database: self.0.database.clone() }))
    }

    fn with(source: Source) -> Self {
        let database = Database { source, watchers: Watchers::default(), polling: SyncMutex::default() };
        Self(Arc::new(Inner { namespace: DEFAULT_NAMESPACE.into(), database: Arc::new(database) }))
    }
}

/// A connection to a database that has the table.
enum Held<'d> {
    File(MutexGuard<'d, Option<SqliteConnection>>),
    Pool(PoolConnection<Sqlite>),
}

impl Held<'_> {
    fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::File(connection) => connection.as_mut().expect("it was opened"),
            Self::Pool(connection) => connection,
        }
    }
}

impl Database {
    async fn hold(self: &Arc<Self>) -> Result<Held<'_>, StoreError> {
        self.keep_polling();
        match &self.source {
            Source::File(options, connection) => {
                let mut connection = connection.lock().await;
                if connection.is_none() {
                    let mut opened = options.connect().await.map_err(problem)?;
                    make_table(&mut opened).await?;
                    *connection = Some(opened);
                }
                Ok(Held::File(connection))
            }
            Source::Pool(pool, has_table) => {
                let mut connection = pool.acquire().await.map_err(problem)?;
                has_table.get_or_try_init(|| make_table(&mut connection)).await?;
                Ok(Held::Pool(connection))
            }
        }
    }

    /// Makes sure that the task runs that sees other processes' changes. Starts it again if its runtime has ended.
    fn keep_polling(self: &Arc<Self>) {
        let mut polling = self.polling.lock();
        if polling.as_ref().is_none_or(JoinHandle::is_finished)
            && self.watchers.is_needed()
            && let Ok(runtime) = Handle::try_current()
        {
            *polling = Some(runtime.spawn(poll(Arc::downgrade(self))));
        }
    }
}

/// Tells the layers that other processes changed nothing, or that they may have changed anything.
async fn poll(database: Weak<Database>) {
    let mut last = None;
    loop {
        let Some(database) = database.upgrade().filter(|database| database.watchers.is_needed()) else {
            return;
        };
        let as_of = Instant::now();
        let version = data_version(&database).await;
        match version {
            Ok(version) => {
                if last != Some(version) {
                    database.watchers.begin();
                }
                last = Some(version);
                database.watchers.confirm(as_of);
            }
            Err(_) => {
                database.watchers.stop();
                last = None;
            }
        }
        drop(database);
        sleep(POLL).await;
    }
}

async fn data_version(database: &Arc<Database>) -> Result<i64, StoreError> {
    let mut held = database.hold().await?;
    sqlx::query_scalar("PRAGMA data_version").fetch_one(held.connection()).await.map_err(problem)
}

async fn make_table(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::raw_sql(SCHEMA).execute(connection).await.map_err(problem)?;
    Ok(())
}

async fn read(connection: &mut SqliteConnection, namespace: &str, key: &str) -> Result<Found, StoreError> {
    let row: Row =
        sqlx::query_as(GET).bind(namespace).bind(key).fetch_one(connection).await.map_err(problem)?;
    found(row)
}

impl SessionStore for SqliteStore {
    fn namespace(&self) -> &str {
        &self.0.namespace
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        Box::pin(
            async move { read(self.0.database.hold().await?.connection(), &self.0.namespace, key).await },
        )
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        Box::pin(async move {
            let mut held = self.0.database.hold().await?;
            // The file is locked from the start, so nothing changes between the write that fails and the read.
            let mut transaction = held.connection().begin_with("BEGIN IMMEDIATE").await.map_err(problem)?;
            let expires_in = swap.expires_in.map(millis);
            let query = sqlx::query_scalar(if swap.expected.is_some() { SWAP } else { CREATE })
                .bind(&*self.0.namespace)
                .bind(key)
                .bind(&swap.version.as_bytes()[..])
                .bind(swap.value)
                .bind(expires_in)
                .bind(swap.group);
            let query = match &swap.expected {
                Some(expected) => query.bind(&expected.as_bytes()[..]),
                None => query,
            };
            let now: Option<i64> = query.fetch_optional(&mut *transaction).await.map_err(problem)?;
            let Some(now) = now else {
                return Ok(Swapped::Conflict(read(&mut transaction, &self.0.namespace, key).await?));
            };
            if swap.expected.is_none() {
                sqlx::query(SWEEP).execute(&mut *transaction).await.map_err(problem)?;
            }
            transaction.commit().await.map_err(problem)?;
            self.0.database.watchers.changed(key);
            Ok(Swapped::Done { now: time(now) })
        })
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let mut held = self.0.database.hold().await?;
            let query = sqlx::query(TOUCH).bind(&*self.0.namespace).bind(key).bind(&expected.as_bytes()[..]);
            query.bind(millis(expires_in)).execute(held.connection()).await.map_err(problem)?;
            Ok(())
        })
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let mut held = self.0.database.hold().await?;
            let query = sqlx::query(DELETE).bind(&*self.0.namespace).bind(key).bind(&expected.as_bytes()[..]);
            let deleted = query.execute(held.connection()).await.map_err(problem)?;
            if deleted.rows_affected() > 0 {
                self.0.database.watchers.changed(key);
            }
            Ok(())
        })
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        Box::pin(async move {
            let mut held = self.0.database.hold().await?;
            let query = sqlx::query_scalar(MEMBERS).bind(&*self.0.namespace).bind(group);
            query.fetch_all(held.connection()).await.map_err(problem)
        })
    }

    fn watch(&self, watcher: Watcher) {
        self.0.database.watchers.add(watcher);
        self.0.database.keep_polling();
    }
}

/// Says what is wrong in words that help. The database's own texts contain no values.
fn problem(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    match code.as_deref() {
        Some("26") => StoreError::new("the file is not an SQLite database; name another file"),
        Some("14") => StoreError::new("the file cannot be opened; check its directory and permissions"),
        Some("8") => StoreError::new("the file is read-only; let the app write to it and to its directory"),
        Some("13") => StoreError::new("the disk is full"),
        _ => StoreError::new(error),
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("namespace", &self.0.namespace).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_keeps_every_promise() {
        let file = std::env::temp_dir().join(format!("osc-auth-{}.db", crate::secret::random_token::<9>()));
        let url = format!("sqlite://{}", file.display());
        let store = || SqliteStore::from_url(&url).expect("a valid URL");
        crate::store::contract::run(async || store()).await;
        std::fs::remove_file(&file).expect("the store made the file");
    }
}
