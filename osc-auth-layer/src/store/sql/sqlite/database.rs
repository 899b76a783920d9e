//! The connection to the file, or to the app's own database.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{ConnectOptions, Connection, Sqlite};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::sleep;

use super::POLL;
use super::problem::{is_busy, problem};
use super::statements::{GET, SCHEMA, SWEEP};
use super::writes::Queue;
use crate::store::StoreError;
use crate::store::sql::{MOST_SWEPT, SWEEP_EVERY, Watchers};

/// The database, and the layers that it notifies.
pub(super) struct Database {
    source: Source,
    pub(super) watchers: Watchers,
    pub(super) queue: Queue,
}

pub(super) enum Source {
    /// All operations use one connection. So a change of the file's `data_version` means that another process wrote.
    File(Box<SqliteConnectOptions>, Mutex<Option<Open>>),
    /// The app's own pool, and whether the table is known to exist.
    Pool(SqlitePool, AtomicBool),
}

pub(super) struct Open {
    connection: SqliteConnection,
    file: Identity,
    log: Identity,
    data_version: Option<i64>,
}

/// A connection to a database that has the table.
pub(super) enum Held<'d> {
    File(MutexGuard<'d, Option<Open>>),
    Pool(PoolConnection<Sqlite>, &'d AtomicBool),
}

impl Held<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::File(open) => &mut open.as_mut().expect("it was opened").connection,
            Self::Pool(connection, _) => connection,
        }
    }

    /// Ends the use of the connection. After an error another one is opened, because this one may be inside a transaction that
    /// SQLite has ended.
    pub(super) fn settle<T>(self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            match self {
                _ if is_busy(&error) => {}
                Self::File(mut open) => *open = None,
                Self::Pool(mut connection, has_table) => {
                    has_table.store(false, Ordering::SeqCst);
                    connection.close_on_drop();
                }
            }
            problem(error)
        })
    }
}

impl Database {
    pub(super) fn new(source: Source) -> Self {
        Self { source, watchers: Watchers::default(), queue: Queue::default() }
    }

    pub(super) fn place(&self) -> String {
        format!("SQLite file {}", self.file().display())
    }

    pub(super) fn file(&self) -> PathBuf {
        match &self.source {
            Source::File(options, _) => options.get_filename().to_owned(),
            Source::Pool(pool, _) => pool.connect_options().get_filename().to_owned(),
        }
    }

    /// Returns true if changes by other processes are noticed. With a pool they are not, because `data_version` counts for one
    /// connection.
    pub(super) fn notices_changes(&self) -> bool {
        matches!(self.source, Source::File(..))
    }

    pub(super) async fn hold(&self) -> Result<Held<'_>, StoreError> {
        match &self.source {
            Source::File(options, open) => {
                let mut open = open.lock().await;
                if open.as_ref().is_some_and(|open| open.file != identity(options.get_filename())) {
                    close_replaced(options.get_filename(), open.take()).await;
                }
                if open.is_none() {
                    *open = Some(Open::at(options).await.map_err(problem)?);
                }
                Ok(Held::File(open))
            }
            Source::Pool(pool, has_table) => {
                let mut connection = pool.acquire().await.map_err(problem)?;
                if !has_table.load(Ordering::SeqCst) {
                    sqlx::raw_sql(SCHEMA).execute(&mut *connection).await.map_err(problem)?;
                    has_table.store(true, Ordering::SeqCst);
                }
                Ok(Held::Pool(connection, has_table))
            }
        }
    }

    pub(super) fn keep_polling(self: &Arc<Self>) {
        self.watchers.keep_notifying(|| poll(Arc::downgrade(self)));
    }

    /// Tells the layers that other processes changed nothing, or that they may have changed anything.
    async fn notice_changes(&self, is_begun: bool) -> Result<(), StoreError> {
        let as_of = Instant::now();
        let mut held = self.hold().await?;
        let version = sqlx::query_scalar("PRAGMA data_version").fetch_one(held.connection()).await;
        if let (Held::File(open), Ok(version)) = (&mut held, &version) {
            let seen = &mut open.as_mut().expect("it was opened").data_version;
            if seen.replace(*version) != Some(*version) || !is_begun {
                self.watchers.begin();
            }
            self.watchers.confirm(as_of);
        }
        held.settle(version.map(drop))
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        let mut held = self.hold().await?;
        let swept = sqlx::query(SWEEP).bind(MOST_SWEPT).execute(held.connection()).await;
        held.settle(swept.map(drop))
    }
}

async fn poll(database: Weak<Database>) {
    let (mut is_begun, mut swept) = (false, None::<Instant>);
    loop {
        let Some(database) = database.upgrade().filter(|database| database.watchers.is_needed()) else {
            return;
        };
        is_begun = database.notice_changes(is_begun).await.is_ok();
        if !is_begun {
            database.watchers.stop();
        } else if swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY) {
            // If it fails, the expired rows stay for another round.
            let _ = database.sweep().await;
            swept = Some(Instant::now());
        }
        drop(database);
        sleep(POLL).await;
    }
}

impl Open {
    async fn at(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
        let file = options.get_filename();
        Ok(Self {
            connection,
            file: identity(file),
            log: identity(&beside(file, "-wal")),
            data_version: None,
        })
    }
}

/// Closes a file that was replaced or deleted, as by restoring a backup.
///
/// The files beside it belong to the old one. SQLite would apply them to the new one.
async fn close_replaced(file: &Path, old: Option<Open>) {
    let Some(old) = old else { return };
    let log = beside(file, "-wal");
    let is_left_over = old.log.is_some() && old.log == identity(&log);
    let _ = old.connection.close().await;
    if is_left_over {
        let _ = fs::remove_file(log);
        let _ = fs::remove_file(beside(file, "-shm"));
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(ending);
    path.into()
}

/// Tells files apart that had the same path at different times.
type Identity = Option<(u64, u64)>;

#[cfg(unix)]
fn identity(file: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;

    let file = fs::metadata(file).ok()?;
    Some((file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Identity {
    None
}

pub(super) async fn read(
    connection: &mut SqliteConnection,
    namespace: &str,
    key: &str,
) -> Result<SqliteRow, sqlx::Error> {
    sqlx::query(GET).bind(namespace).bind(key).fetch_one(connection).await
}
