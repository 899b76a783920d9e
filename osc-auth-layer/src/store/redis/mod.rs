//! Sessions in Redis or Valkey.

mod check;
mod connect;
mod link;
pub(crate) mod problem;
pub(crate) mod scripts;
mod sequence;
mod tracking;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Value};

use self::connect::Server;
use self::link::Link;
use self::problem::Problem;
use self::scripts::{Request, millis};
use self::tracking::Tracking;
use super::{Finding, Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher};
use crate::error::ConfigError;
use crate::secret::random_token;

const SETTING: &str = "SESSION_STORE / RedisStore::from_url";
const REMEDY: &str = "Write it as redis://user:password@host:6379/0, or rediss:// for TLS. Percent-encode special \
                      characters in the password.";
const DEFAULT_NAMESPACE: &str = "osc-auth";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
/// With a shorter timeout, no operation would succeed.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
/// A timeout is added to the current time, and the sum must not overflow.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Keeps sessions in Redis (5.0 or later) or Valkey (feature `redis`).
///
/// Use it for an app that runs on several nodes, or whose users stay signed in over a restart. Clones share their
/// connections.
///
/// - The store connects at first use, and again whenever a connection fails. When a server is restarted or replaced behind
///   its address, you need not do anything.
/// - A second connection receives notifications of other nodes' changes, so most requests need no round trip to Redis. If the
///   server or a proxy refuses `CLIENT TRACKING`, each request with a session costs one round trip. Redis 5 always does.
/// - A session that Redis loses is signed out. Turn persistence on and set `maxmemory-policy noeviction`.
/// - An ACL has to allow `~osc-auth:* +@read +@write +@scripting +@connection +time`, with your
///   [`with_namespace`](Self::with_namespace) instead of `osc-auth`.
/// - The URL has to lead to a primary. The store refuses a read-only replica, a Redis Cluster and a Sentinel, and logs which it
///   met. With Sentinels, use an address that follows the primary, such as a proxy's or a service name. After a failover, the store
///   reconnects through it.
///
/// ```
/// use osc_auth_layer::store::RedisStore;
/// use osc_auth_layer::{OAuthClient, OscAuthLayer};
///
/// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = RedisStore::from_url("redis://localhost:6379/0")?.with_namespace("my-app");
/// let client = OAuthClient::confidential("id", "a secret of 32 characters or more");
/// let auth = OscAuthLayer::builder(client).store(store).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    namespace: Arc<str>,
    link: Arc<Link>,
    tracking: Arc<Tracking>,
}

impl RedisStore {
    /// Makes a store for the server of this URL:
    ///
    /// | URL | connection |
    /// |---|---|
    /// | `redis://user:password@host:6379/0` | TCP. Everything but the host is optional. |
    /// | `rediss://…` | TLS. The system, or the file in `SSL_CERT_FILE`, must trust the server's certificate. |
    /// | `unix:///path` | a Unix socket |
    ///
    /// Works outside a Tokio runtime. The store connects when the layer is built in a runtime, or at the first request.
    ///
    /// TLS uses the rustls crypto provider that the process has installed, or else aws-lc-rs for this store only. The store
    /// installs no provider.
    ///
    /// # Errors
    /// The URL cannot be used, or it asks for TLS and the system has no root certificates. The error never contains the
    /// password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let server = Server::new(parse(url)?)?;
        Ok(Self::with(server, DEFAULT_NAMESPACE.into(), DEFAULT_TIMEOUT))
    }

    /// Sets the prefix of the store's keys. Default: `osc-auth`.
    ///
    /// All nodes of an app need the same prefix. Two apps on one Redis need different prefixes, or each finds sessions that
    /// it cannot open. A change signs all users out.
    #[must_use]
    pub fn with_namespace(self, name: impl Into<String>) -> Self {
        Self::with(self.link.server.clone(), name.into().into(), self.link.timeout)
    }

    /// Sets how long an operation may take, including the wait for a connection. It also limits the time to connect.
    ///
    /// Default: 1 second. Values are clamped to between 10 ms and 60 seconds. The layer itself waits two seconds at most.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        let timeout = timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT);
        Self::with(self.link.server.clone(), self.namespace, timeout)
    }

    fn with(server: Server, namespace: Arc<str>, timeout: Duration) -> Self {
        let probe = Request::mark(&format!("{namespace}:w:{}", random_token::<12>()), 1);
        let link = Arc::new(Link::new(server, timeout, probe));
        let tracking = Arc::new(Tracking::new(namespace.clone(), link.clone()));
        Self { namespace, link, tracking }
    }

    fn key(&self, key: &str) -> String {
        format!("{}:s:{key}", self.namespace)
    }

    fn group_key(&self, group: &str) -> String {
        format!("{}:u:{group}", self.namespace)
    }

    /// Sends a request and reads the answer.
    fn run<'s, T: Send + 's>(
        &'s self,
        request: Request,
        read: impl FnOnce(Value) -> Result<T, Problem> + Send + 's,
    ) -> StoreFuture<'s, T> {
        Box::pin(async move {
            self.tracking.keep_going();
            self.link.ask(&request).await.and_then(read).map_err(StoreError::new)
        })
    }
}

fn parse(url: &str) -> Result<ConnectionInfo, ConfigError> {
    let invalid = |problem: &str, remedy: &str| ConfigError::invalid(SETTING, problem, remedy);
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    if scheme.ends_with("sentinel") || scheme.ends_with("cluster") {
        let remedy = "Give the address of the primary, or one that always leads to it, as redis://user:password@host:6379/0. \
                      The server may not run in cluster mode.";
        return Err(invalid(
            "asks for Redis Sentinel or Redis Cluster, which RedisStore does not support",
            remedy,
        ));
    }
    let server =
        url.into_connection_info().map_err(|_| invalid("is not the URL of a Redis server", REMEDY))?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = server.addr() {
        let remedy = "Remove #insecure, and name the file with the server's CA in SSL_CERT_FILE.";
        return Err(invalid("asks for TLS without checking the certificate", remedy));
    }
    let redis = server.redis_settings();
    if redis.username().is_some() && redis.password().is_none() {
        let remedy =
            "Write it as redis://user:password@host, or redis://:password@host for a password alone.";
        return Err(invalid("has a user without a password", remedy));
    }
    // An operation is one small packet. Without this option, TCP may hold it back to send it with others.
    let tcp = server.tcp_settings().clone().set_nodelay(true);
    Ok(server.set_tcp_settings(tcp))
}

impl SessionStore for RedisStore {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn place(&self) -> String {
        self.link.server.place()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.run(Request::call(&scripts::GET, &self.key(key)), scripts::found)
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        let expected = swap.expected.as_ref().map_or(&[][..], |version| version.as_bytes());
        let expires_in =
            swap.expires_in.map_or_else(String::new, |expires_in| millis(expires_in).to_string());
        let request = Request::call(&scripts::SWAP, &self.key(key));
        let request = request.arg(expected).arg(swap.version.as_bytes()).arg(swap.value).arg(expires_in);
        let group = swap.group.map_or_else(String::new, |group| self.group_key(group));
        let request = request.arg(group);
        self.run(request, scripts::swapped)
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        let request = Request::call(&scripts::TOUCH, &self.key(key));
        self.run(request.arg(expected.as_bytes()).arg(millis(expires_in)), |_| Ok(()))
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.run(Request::call(&scripts::DELETE, &self.key(key)).arg(expected.as_bytes()), |_| Ok(()))
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        let request = Request::call(&scripts::MEMBERS, &self.group_key(group));
        self.run(request, |answer| scripts::members(answer, &self.key("")))
    }

    fn watch(&self, watcher: Watcher) {
        self.tracking.watch(watcher);
    }

    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        Box::pin(async { check::check(&self.link, &self.tracking).await.map_err(StoreError::new) })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("namespace", &self.namespace)
            .field("timeout", &self.link.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_redis_and_valkey_are_accepted_without_a_runtime() {
        for url in [
            "redis://localhost",
            "redis://:hunter2@localhost:6380/3",
            "rediss://ada:hunter2@redis.example.com",
            "valkeys://10.0.0.1:6379",
            "redis://[::1]:6379/0",
            "unix:///run/redis.sock",
        ] {
            assert!(RedisStore::from_url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn an_error_about_a_url_contains_no_password() {
        for url in [
            "",
            "localhost:6379",
            "http://:hunter2@localhost",
            "redis://:hun/ter2@localhost",
            "redis://:hunter2@localhost/sessions",
            "rediss://:hunter2@localhost/#insecure",
            "redis://hunter2@localhost",
        ] {
            let error = RedisStore::from_url(url).expect_err(url).to_string();
            assert!(error.starts_with(SETTING) && !error.contains("hun"), "{error}");
        }
    }

    #[test]
    fn urls_of_sentinels_and_clusters_are_refused_by_name() {
        for scheme in
            ["redis+sentinel", "redis-sentinel", "rediss-cluster", "valkey+cluster", "REDIS-SENTINEL"]
        {
            let url = format!("{scheme}://:hunter2@localhost:26379/mymaster");
            let error = RedisStore::from_url(&url).expect_err(&url).to_string();
            assert!(
                error.contains("Redis Sentinel or Redis Cluster") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn debug_and_keys_show_the_namespace_and_no_password() {
        let store = RedisStore::from_url("redis://ada:hunter2@localhost").expect("a valid URL");
        let store = store.timeout(Duration::MAX).with_namespace("app").timeout(Duration::from_millis(200));
        assert_eq!(store.key("n"), "app:s:n");
        let debug = format!("{store:?}");
        assert!(debug.contains("app") && !debug.contains("hunter2"), "{debug}");
        assert_eq!(store.place(), "Redis at localhost:6379");
    }
}
