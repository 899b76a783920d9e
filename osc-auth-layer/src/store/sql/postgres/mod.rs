//! A session store in PostgreSQL.

mod check;
mod connections;
mod listening;
mod problem;
mod statements;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{ConnectOptions, Row};
use tokio::time::timeout;

use self::connections::{Connections, Source};
use self::statements::{CREATE, DELETE, GET, MEMBERS, SCHEMA, SWAP, SWEEP, TOUCH};
use super::{DEFAULT_NAMESPACE, Watchers, found, millis, time};
use crate::error::ConfigError;
use crate::finding::Finding;
use crate::store::{Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher};

const SETTING: &str = "SESSION_STORE / PostgresStore::from_url";
/// The time that a sign-in waits for expired rows to go.
const SWEEP_LIMIT: Duration = Duration::from_millis(200);

/// Keeps sessions in PostgreSQL (feature `postgres`).
///
/// Clones share their connections.
///
/// - The store connects, and makes its table, at first use.
/// - Nodes are notified of each other's changes, so most requests need no round trip. Behind a pooler that shares connections among
///   transactions, such as PgBouncer in transaction mode, notifications do not arrive. Then each request with a session costs one
///   round trip. PgBouncer needs version 1.21 and `max_prepared_statements`.
/// - A session that the database loses is signed out. A server with `synchronous_commit=off` may lose some in a crash.
/// - After you restore a backup into a running server, restart the app. Nodes are not notified of what a restore changes.
///
/// ```
/// use osc_auth_layer::store::PostgresStore;
/// use osc_auth_layer::{OAuthClient, OscAuthLayer};
///
/// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = PostgresStore::from_url("postgres://app:password@localhost/app")?.with_namespace("my-app");
/// let client = OAuthClient::confidential("id", "a secret of 32 characters or more");
/// let auth = OscAuthLayer::builder(client).store(store).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    namespace: Arc<str>,
    database: Arc<Database>,
}

struct Database {
    connections: Connections,
    watchers: Watchers,
    channel: String,
}

impl PostgresStore {
    /// Makes a store for the database of this URL, such as `postgres://user:password@host:5432/database?sslmode=verify-full`. Works
    /// outside a Tokio runtime.
    ///
    /// The store opens up to four connections for operations, and one for notifications. An operation fails after 1.5 seconds.
    ///
    /// # Errors
    /// The URL cannot be used. The error never contains the password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        if let Some((_, query)) = url.split_once('?')
            && !form_urlencoded::parse(query.as_bytes()).all(|(name, _)| is_parameter(&name))
        {
            let remedy = "Check its spelling. The documentation of sqlx's PgConnectOptions lists them.";
            return Err(ConfigError::invalid(SETTING, "has a parameter that sqlx does not know", remedy));
        }
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = PgConnectOptions::from_str(url).ok().filter(|_| is_postgres);
        let options = options.ok_or_else(|| {
            let remedy = "Write it as postgres://user:password@host:5432/database. Percent-encode special characters in the \
                          password.";
            ConfigError::invalid(SETTING, "is not the URL of a PostgreSQL database", remedy)
        })?;
        // PgBouncer refuses a parameter that it does not know.
        let options = options.extra_float_digits(None).disable_statement_logging();
        Ok(Self::with(Source::Server(Box::new(options)), DEFAULT_NAMESPACE.into()))
    }

    /// Makes a store that uses the app's own pool. Notifications need one more connection, which the store opens itself.
    #[must_use]
    pub fn from_pool(pool: PgPool) -> Self {
        Self::with(Source::Pool(pool), DEFAULT_NAMESPACE.into())
    }

    /// Returns the statements that make the store's table, for a user who may not make tables. That user needs `SELECT`, `INSERT`,
    /// `UPDATE` and `DELETE` on the table.
    #[must_use]
    pub fn schema() -> &'static str {
        SCHEMA
    }

    /// Sets the name that keeps the app apart from other apps in the same database. Default: `osc-auth`.
    ///
    /// All nodes of an app need the same name. A change signs all users out.
    #[must_use]
    pub fn with_namespace(self, name: impl Into<String>) -> Self {
        Self::with(self.database.connections.source.clone(), name.into().into())
    }

    fn with(source: Source, namespace: Arc<str>) -> Self {
        // A channel's name has at most 63 bytes, and a namespace any number.
        let channel = URL_SAFE_NO_PAD.encode(&Sha256::digest(namespace.as_bytes())[..16]);
        let database = Database {
            connections: Connections::new(source),
            watchers: Watchers::default(),
            channel: format!("osc_auth_{channel}"),
        };
        Self { namespace, database: Arc::new(database) }
    }

    /// Returns the connections, and makes sure that the layers are notified.
    fn connections(&self) -> &Connections {
        self.keep_listening();
        &self.database.connections
    }

    fn keep_listening(&self) {
        self.database.watchers.keep_notifying(|| listening::run(Arc::downgrade(&self.database)));
    }
}

/// Returns true for a parameter that sqlx knows. sqlx logs the value of any other one, which may be a password.
fn is_parameter(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "application_name",
        "dbname",
        "host",
        "hostaddr",
        "options",
        "password",
        "port",
        "ssl-ca",
        "ssl-cert",
        "ssl-key",
        "ssl-mode",
        "ssl-root-cert",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "statement-cache-capacity",
        "user",
    ];
    NAMES.contains(&name) || name.starts_with("options[")
}

impl SessionStore for PostgresStore {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn place(&self) -> String {
        self.database.connections.source.place()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        Box::pin(async move {
            let rows = self.connections().ask(|| sqlx::query(GET).bind(&*self.namespace).bind(key)).await?;
            found(rows.first().ok_or_else(|| StoreError::new("PostgreSQL returned no row"))?)
        })
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        Box::pin(async move {
            let Swap { expected, version, value, expires_in, group } = swap;
            let query = || {
                let query = sqlx::query(if expected.is_some() { SWAP } else { CREATE })
                    .bind(&*self.namespace)
                    .bind(key)
                    .bind(version.as_bytes().to_vec())
                    .bind(value)
                    .bind(expires_in.map(millis))
                    .bind(&*self.database.channel)
                    .bind(group);
                match expected {
                    Some(expected) => query.bind(expected.as_bytes().to_vec()),
                    None => query,
                }
            };
            let rows = self.connections().ask(query).await?;
            let Some(row) = rows.first() else {
                // Read after the failed write, in a new snapshot: that of the write may be older than the change it met.
                return Ok(Swapped::Conflict(self.get(key).await?));
            };
            let now = row.try_get(0).map_err(|_| StoreError::new("PostgreSQL returned no time"))?;
            if expected.is_none() {
                // Two for each new entry, so that the table shrinks again after a burst. The new entry stays if this fails.
                let sweep = self.database.connections.ask(|| sqlx::query(SWEEP).bind(2_i64));
                let _ = timeout(SWEEP_LIMIT, sweep).await;
            }
            Ok(Swapped::Done { now: time(now) })
        })
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let query = || {
                let query = sqlx::query(TOUCH).bind(&*self.namespace).bind(key);
                query.bind(expected.as_bytes().to_vec()).bind(millis(expires_in))
            };
            self.connections().ask(query).await.map(drop)
        })
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let query = || {
                let query = sqlx::query(DELETE).bind(&*self.namespace).bind(key);
                query.bind(expected.as_bytes().to_vec()).bind(&*self.database.channel)
            };
            self.connections().ask(query).await.map(drop)
        })
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        Box::pin(async move {
            let rows =
                self.connections().ask(|| sqlx::query(MEMBERS).bind(&*self.namespace).bind(group)).await?;
            let keys: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
            keys.map_err(|_| StoreError::new("PostgreSQL returned no key"))
        })
    }

    fn watch(&self, watcher: Watcher) {
        self.database.watchers.add(watcher);
        self.keep_listening();
    }

    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        Box::pin(self.database.check())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
