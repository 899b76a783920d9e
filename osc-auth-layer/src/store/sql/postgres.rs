//! A session store in PostgreSQL.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Row, Watchers, found, millis, time};
use crate::clock::Pauses;
use crate::error::ConfigError;
use crate::secret::random_token;
use crate::store::{Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher};

const SETTING: &str = "SESSION_STORE / PostgresStore::from_url";
const DEFAULT_NAMESPACE: &str = "osc-auth";
/// Shorter than the two seconds that the layer waits for an operation.
const ACQUIRE: Duration = Duration::from_millis(1500);
const MOST_CONNECTIONS: u32 = 8;
/// A canary is sent this often. While it comes back, notifications are known to arrive.
const CANARY_EVERY: Duration = Duration::from_millis(400);
const CANARY_LIMIT: Duration = Duration::from_secs(1);
const RECONNECT: Pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(1));

macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS osc_auth_sessions (
    namespace text NOT NULL,
    key text NOT NULL,
    version bytea NOT NULL,
    value bytea NOT NULL,
    expires_at bigint NOT NULL, -- milliseconds since 1970
    user_group text,
    PRIMARY KEY (namespace, key)
);
CREATE INDEX IF NOT EXISTS osc_auth_sessions_expiry ON osc_auth_sessions (expires_at);
CREATE INDEX IF NOT EXISTS osc_auth_sessions_group ON osc_auth_sessions (namespace, user_group) WHERE user_group IS NOT NULL;
";

const GET: &str = concat!(
    "SELECT ",
    now!(),
    ", version, value, expires_at FROM (SELECT 1) AS one \
     LEFT JOIN osc_auth_sessions ON namespace = $1 AND key = $2 AND expires_at > ",
    now!()
);
const CREATE: &str = concat!(
    "WITH swapped AS (INSERT INTO osc_auth_sessions AS held (namespace, key, version, value, user_group, expires_at) \
     VALUES ($1, $2, $3, $4, $7, ",
    now!(),
    " + $5) \
     ON CONFLICT (namespace, key) DO UPDATE \
     SET version = excluded.version, value = excluded.value, expires_at = excluded.expires_at, \
     user_group = excluded.user_group \
     WHERE held.expires_at <= ",
    now!(),
    " RETURNING 1) \
     SELECT ",
    now!(),
    ", pg_notify($6, $2)::text FROM swapped"
);
const SWAP: &str = concat!(
    "WITH swapped AS (UPDATE osc_auth_sessions SET version = $3, value = $4, user_group = $7, \
     expires_at = coalesce(",
    now!(),
    " + $5, expires_at) \
     WHERE namespace = $1 AND key = $2 AND version = $8 AND expires_at > ",
    now!(),
    " RETURNING 1) \
     SELECT ",
    now!(),
    ", pg_notify($6, $2)::text FROM swapped"
);
const TOUCH: &str = concat!(
    "UPDATE osc_auth_sessions SET expires_at = greatest(expires_at, ",
    now!(),
    " + $4) \
     WHERE namespace = $1 AND key = $2 AND version = $3 AND expires_at > ",
    now!()
);
const DELETE: &str = "\
    WITH deleted AS (DELETE FROM osc_auth_sessions WHERE namespace = $1 AND key = $2 AND version = $3 RETURNING 1) \
    SELECT pg_notify($4, $2)::text FROM deleted";
const MEMBERS: &str = concat!(
    "SELECT key FROM osc_auth_sessions WHERE namespace = $1 AND user_group = $2 AND expires_at > ",
    now!()
);
/// Two for each new entry, so that the table shrinks again after a burst. Skips rows that another node removes.
const SWEEP: &str = concat!(
    "DELETE FROM osc_auth_sessions WHERE (namespace, key) IN (SELECT namespace, key FROM osc_auth_sessions \
     WHERE expires_at <= ",
    now!(),
    " LIMIT 2 FOR UPDATE SKIP LOCKED)"
);

/// Keeps sessions in PostgreSQL (feature `postgres`).
///
/// Clones share their connections.
///
/// - The store connects, and makes its table, at first use.
/// - Nodes are notified of each other's changes, so most requests need no round trip. Behind a pooler that shares connections among
///   transactions, such as PgBouncer in transaction mode, notifications do not arrive. Then each request with a session costs one
///   round trip.
///
/// ```
/// use osc_auth_layer::{Client, OscAuthLayer, PostgresStore};
///
/// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = PostgresStore::from_url("postgres://app:password@localhost/app")?.namespace("my-app");
/// let client = Client::confidential("id", "a secret of 32 characters or more");
/// let auth = OscAuthLayer::builder(client).cookie_key([7; 32]).store(store).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    namespace: Arc<str>,
    database: Arc<Database>,
}

struct Database {
    source: Source,
    has_table: OnceCell<()>,
    watchers: Watchers,
    listening: Mutex<Option<JoinHandle<()>>>,
}

enum Source {
    /// The pool is made at first use, because that needs a runtime.
    Server(Box<PgConnectOptions>, OnceLock<PgPool>),
    Pool(PgPool),
}

impl PostgresStore {
    /// Makes a store for the database of this URL, such as `postgres://user:password@host:5432/database?sslmode=verify-full`. Works
    /// outside a Tokio runtime.
    ///
    /// # Errors
    /// The URL cannot be used. The error never contains the password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            let remedy = "Write it as postgres://user:password@host:5432/database. Percent-encode special characters in the \
                          password.";
            ConfigError::invalid(SETTING, "is not the URL of a PostgreSQL database", remedy)
        })?;
        let options = Box::new(options.disable_statement_logging());
        Ok(Self::with(Source::Server(options, OnceLock::new())))
    }

    /// Makes a store that uses the app's own pool.
    #[must_use]
    pub fn from_pool(pool: PgPool) -> Self {
        Self::with(Source::Pool(pool))
    }

    /// Returns the statements that make the store's table, for a user who may not make tables.
    #[must_use]
    pub fn schema() -> &'static str {
        SCHEMA
    }

    /// Sets the name that keeps the app apart from other apps in the same database. Default: `osc-auth`.
    ///
    /// All nodes of an app need the same name. A change signs all users out.
    #[must_use]
    pub fn namespace(self, name: impl Into<String>) -> Self {
        Self::with_namespace(self.database.source.again(), name.into().into())
    }

    fn with(source: Source) -> Self {
        Self::with_namespace(source, DEFAULT_NAMESPACE.into())
    }

    fn with_namespace(source: Source, namespace: Arc<str>) -> Self {
        let database = Arc::new(Database {
            source,
            has_table: OnceCell::new(),
            watchers: Watchers::default(),
            listening: Mutex::default(),
        });
        Self { namespace, database }
    }

    fn channel(&self) -> String {
        format!("osc_auth:{}", self.namespace)
    }

    /// Returns a pool whose database has the table.
    async fn pool(&self) -> Result<&PgPool, StoreError> {
        self.keep_listening();
        let pool = self.database.source.pool();
        let make_table = || async {
            let exists: Option<String> =
                sqlx::query_scalar("SELECT to_regclass('osc_auth_sessions')::text").fetch_one(pool).await?;
            // Asked first, because a user who may not make tables may not even try.
            if exists.is_none() {
                sqlx::raw_sql(SCHEMA).execute(pool).await?;
            }
            Ok(())
        };
        self.database.has_table.get_or_try_init(make_table).await.map_err(problem)?;
        Ok(pool)
    }

    fn keep_listening(&self) {
        let mut listening = self.database.listening.lock();
        if listening.as_ref().is_none_or(JoinHandle::is_finished)
            && self.database.watchers.is_needed()
            && let Ok(runtime) = Handle::try_current()
        {
            *listening = Some(runtime.spawn(keep_listening(Arc::downgrade(&self.database), self.channel())));
        }
    }
}

impl Source {
    fn pool(&self) -> &PgPool {
        match self {
            Self::Pool(pool) => pool,
            Self::Server(options, pool) => pool.get_or_init(|| {
                PgPoolOptions::new()
                    .max_connections(MOST_CONNECTIONS)
                    .acquire_timeout(ACQUIRE)
                    .connect_lazy_with((**options).clone())
            }),
        }
    }

    fn again(&self) -> Self {
        match self {
            Self::Pool(pool) => Self::Pool(pool.clone()),
            Self::Server(options, _) => Self::Server(options.clone(), OnceLock::new()),
        }
    }
}

async fn keep_listening(database: Weak<Database>, channel: String) {
    let mut pauses = RECONNECT;
    loop {
        let Some(database) = database.upgrade().filter(|database| database.watchers.is_needed()) else {
            return;
        };
        if listen(&database, &channel).await.is_ok() {
            pauses = RECONNECT;
        }
        database.watchers.stop();
        drop(database);
        sleep(pauses.next()).await;
    }
}

/// Notifies the layers for as long as the connection lasts and the canaries come back.
async fn listen(database: &Database, channel: &str) -> Result<(), sqlx::Error> {
    let pool = database.source.pool();
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    database.watchers.begin();
    let canary = format!("canary:{}", random_token::<12>());
    while database.watchers.is_needed() {
        let sent_at = Instant::now();
        sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(&canary).execute(pool).await?;
        let arrival = async {
            while let Some(notification) = listener.try_recv().await? {
                match notification.payload() {
                    payload if payload == canary => return Ok(true),
                    key => database.watchers.changed(key),
                }
            }
            Ok::<_, sqlx::Error>(false)
        };
        if !matches!(timeout(CANARY_LIMIT, arrival).await, Ok(Ok(true))) {
            return Ok(());
        }
        database.watchers.confirm(sent_at);
        let more = async {
            while let Some(notification) = listener.try_recv().await? {
                database.watchers.changed(notification.payload());
            }
            Ok::<_, sqlx::Error>(())
        };
        // An end before the pause means that the connection is lost.
        if timeout(CANARY_EVERY, more).await.is_ok() {
            return Ok(());
        }
    }
    Ok(())
}

impl SessionStore for PostgresStore {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        Box::pin(async move {
            let query = sqlx::query_as::<_, Row>(GET).bind(&*self.namespace).bind(key);
            found(query.fetch_one(self.pool().await?).await.map_err(problem)?)
        })
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        Box::pin(async move {
            let pool = self.pool().await?;
            let query =
                sqlx::query_as::<_, (i64, String)>(if swap.expected.is_some() { SWAP } else { CREATE })
                    .bind(&*self.namespace)
                    .bind(key)
                    .bind(&swap.version.as_bytes()[..])
                    .bind(swap.value)
                    .bind(swap.expires_in.map(millis))
                    .bind(self.channel())
                    .bind(swap.group);
            let query = match &swap.expected {
                Some(expected) => query.bind(&expected.as_bytes()[..]),
                None => query,
            };
            let Some((now, _)) = query.fetch_optional(pool).await.map_err(problem)? else {
                // Read after the failed write, in a new snapshot: that of the write may be older than the change it met.
                return Ok(Swapped::Conflict(self.get(key).await?));
            };
            if swap.expected.is_none() {
                sqlx::query(SWEEP).execute(pool).await.map_err(problem)?;
            }
            Ok(Swapped::Done { now: time(now) })
        })
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let query = sqlx::query(TOUCH).bind(&*self.namespace).bind(key).bind(&expected.as_bytes()[..]);
            query.bind(millis(expires_in)).execute(self.pool().await?).await.map_err(problem)?;
            Ok(())
        })
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let query = sqlx::query(DELETE).bind(&*self.namespace).bind(key).bind(&expected.as_bytes()[..]);
            query.bind(self.channel()).execute(self.pool().await?).await.map_err(problem)?;
            Ok(())
        })
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        Box::pin(async move {
            let query = sqlx::query_scalar(MEMBERS).bind(&*self.namespace).bind(group);
            query.fetch_all(self.pool().await?).await.map_err(problem)
        })
    }

    fn watch(&self, watcher: Watcher) {
        self.database.watchers.add(watcher);
        self.keep_listening();
    }
}

/// Says what is wrong in words that help. The database's own texts contain no values of parameters.
fn problem(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    match code.as_deref() {
        Some("42501") => StoreError::new(
            "the database user lacks a privilege; make the table of PostgresStore::schema() and grant SELECT, INSERT, UPDATE and DELETE",
        ),
        Some("25006") => StoreError::new("the database is read-only; name the primary server"),
        Some("28P01" | "28000") => StoreError::new("the database refuses the user or the password"),
        Some("3D000") => StoreError::new("there is no such database; create it"),
        Some("53100") => StoreError::new("the database's disk is full"),
        _ => StoreError::new(error),
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
