//! Sessions in Redis or Valkey.

mod connect;
mod link;
pub(crate) mod problem;
pub(crate) mod scripts;
mod sequence;
mod tracking;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, Value};

use self::connect::Server;
use self::link::Link;
use self::problem::Problem;
use self::scripts::{Request, millis};
use self::tracking::Tracking;
use super::{ENDED_FOR, Ending, Expiry, Found, Leased, Record, Replaced, SessionStore, StoreFuture, Watcher};
use crate::config::ConfigError;
use crate::secret::random_token;

const SETTING: &str = "REDIS_URL / RedisStore::new";
const REMEDY: &str = "write it as redis://user:password@host:6379/0, or rediss:// for TLS, with special characters of \
                      the password percent-encoded";
const DEFAULT_NAMESPACE: &str = "osc-auth";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
/// A shorter one would let nothing through.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
/// Sums of it and a moment must not overflow.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A [`SessionStore`] in Redis (6.0 or later) or Valkey, for apps that run on several nodes or restart without signing
/// everyone out (feature `redis`). Clones share their connections.
///
/// It connects at first use and again whenever the connection fails; a server that is restarted, or replaced behind its
/// address, needs nothing from you. A second connection brings word of what other nodes change, so most requests ask
/// Redis nothing; where the server or a proxy refuses `CLIENT TRACKING`, each request with a session costs a round trip.
///
/// What Redis forgets is signed out: turn persistence on, and set `maxmemory-policy noeviction`. An ACL has to allow
/// `~osc-auth:* +@read +@write +@scripting +@connection +time` (the name is that of [`namespace`](Self::namespace)). Redis
/// Cluster is not supported.
///
/// ```
/// use osc_auth_layer::{Client, OscAuthLayer, RedisStore};
///
/// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = RedisStore::new("redis://localhost:6379/0")?.namespace("my-app");
/// let client = Client::confidential("id", "a secret of 32 characters or more");
/// let auth = OscAuthLayer::builder(client).store(store).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    server: Server,
    namespace: Arc<str>,
    timeout: Duration,
    link: Arc<Link>,
    tracking: Arc<Tracking>,
}

impl RedisStore {
    /// A store at the server of this URL: `redis://user:password@host:6379/0`, all but the host optional; `rediss://` for
    /// TLS, whose certificate must be one the system trusts (or the file in `SSL_CERT_FILE`); `unix:///path` for a
    /// socket.
    ///
    /// No runtime is needed. Nothing is connected before the layer is built in one, or gets its first request.
    ///
    /// TLS uses the rustls crypto provider that the process has installed by now, or else aws-lc-rs for this store alone.
    /// Nothing is installed.
    ///
    /// # Errors
    /// When the URL cannot be used, or asks for TLS where the system has no root certificates. The message never holds the
    /// password.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let server = Server::new(parse(url)?)?;
        Ok(Self::with(server, DEFAULT_NAMESPACE.into(), DEFAULT_TIMEOUT))
    }

    /// What the store's keys begin with. Nodes of one app need the same, two apps on one Redis need different ones, lest
    /// each end up with sessions it cannot open. Changing it signs everyone out. Default: `osc-auth`.
    #[must_use]
    pub fn namespace(self, name: impl Into<String>) -> Self {
        Self::with(self.server, name.into().into(), self.timeout)
    }

    /// The longest any operation takes, waiting for a connection included; the longest a connection may take to be made,
    /// too. The layer itself waits for two seconds at most. Default: 1 second.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self::with(self.server, self.namespace, timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT))
    }

    fn with(server: Server, namespace: Arc<str>, timeout: Duration) -> Self {
        let probe = format!("{namespace}:w:{}", random_token::<12>());
        let link = Arc::new(Link::new(server.speaking(ProtocolVersion::RESP2), timeout, probe));
        let listener = server.speaking(ProtocolVersion::RESP3);
        let tracking = Tracking::new(listener, timeout, &namespace, link.clone());
        Self { server, namespace, timeout, link, tracking: Arc::new(tracking) }
    }

    fn session(&self, name: &str) -> String {
        format!("{}:s:{name}", self.namespace)
    }

    fn once(&self, name: &str) -> String {
        format!("{}:o:{name}", self.namespace)
    }

    /// Sends a request and makes of the answer what `read` does.
    fn run<'s, T: Send + 's>(
        &'s self,
        request: Request,
        read: impl FnOnce(Value) -> Result<T, Problem> + Send + 's,
    ) -> StoreFuture<'s, T> {
        Box::pin(async move {
            self.tracking.keep_going();
            Ok(read(self.link.ask(&request).await?)?)
        })
    }
}

fn parse(url: &str) -> Result<ConnectionInfo, ConfigError> {
    let invalid = |problem: &str, remedy: &str| ConfigError::invalid(SETTING, problem, remedy);
    let server = url.into_connection_info().map_err(|_| invalid("is no URL of a Redis server", REMEDY))?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = server.addr() {
        let remedy = "remove #insecure, and name the file with the server's CA in SSL_CERT_FILE";
        return Err(invalid("asks for TLS without a check of the certificate", remedy));
    }
    let redis = server.redis_settings();
    if redis.username().is_some() && redis.password().is_none() {
        let remedy = "write it as redis://user:password@host, or redis://:password@host for a password alone";
        return Err(invalid("has a user without a password", remedy));
    }
    // An operation is one small packet, which must not wait for others to travel with.
    let tcp = server.tcp_settings().clone().set_nodelay(true);
    Ok(server.set_tcp_settings(tcp))
}

fn done(_: Value) -> Result<(), Problem> {
    Ok(())
}

impl SessionStore for RedisStore {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool> {
        let request = Request::call(&scripts::CREATE, &self.session(name))
            .arg(sealed)
            .arg(millis(expiry.idle))
            .arg(millis(expiry.absolute));
        self.run(request, scripts::parse)
    }

    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found> {
        self.run(Request::call(&scripts::READ, &self.session(name)).repeatable(), scripts::found)
    }

    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced> {
        let request =
            Request::call(&scripts::REPLACE, &self.session(name)).arg(expected).arg(version).arg(sealed);
        self.run(request, scripts::replaced)
    }

    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()> {
        self.run(Request::call(&scripts::REFUSE, &self.session(name)).arg(version).repeatable(), done)
    }

    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.run(Request::call(&scripts::TOUCH, &self.session(name)).repeatable(), done)
    }

    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>> {
        let request = Request::call(&scripts::END, &self.session(name))
            .arg(scripts::mark(ending))
            .arg(millis(ENDED_FOR));
        self.run(request, |answer| {
            Ok(match scripts::found(answer)? {
                Found::Live(record) => Some(record),
                Found::Ended(_) | Found::Absent => None,
            })
        })
    }

    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased> {
        let request = Request::call(&scripts::LEASE, &self.session(name)).arg(owner).arg(millis(duration));
        self.run(request.repeatable(), scripts::leased)
    }

    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()> {
        self.run(Request::call(&scripts::RELEASE, &self.session(name)).arg(owner).repeatable(), done)
    }

    fn create_once<'s>(
        &'s self,
        name: &'s str,
        value: &'s [u8],
        lifetime: Duration,
    ) -> StoreFuture<'s, bool> {
        let request =
            Request::plain("SET", &self.once(name)).arg(value).arg("PX").arg(millis(lifetime)).arg("NX");
        self.run(request, |answer| Ok(answer == Value::Okay))
    }

    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>> {
        self.run(Request::plain("GET", &self.once(name)).repeatable(), scripts::parse)
    }

    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.run(Request::plain("DEL", &self.once(name)).repeatable(), done)
    }

    fn now(&self) -> StoreFuture<'_, SystemTime> {
        self.run(Request::time().repeatable(), scripts::time)
    }

    fn watch(&self, watcher: Watcher) {
        self.tracking.watch(watcher);
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("namespace", &self.namespace)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_redis_and_valkey_are_taken_without_a_runtime() {
        for url in [
            "redis://localhost",
            "redis://:hunter2@localhost:6380/3",
            "rediss://ada:hunter2@redis.example.com",
            "valkeys://10.0.0.1:6379",
            "redis://[::1]:6379/0",
            "unix:///run/redis.sock",
        ] {
            assert!(RedisStore::new(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn an_unusable_url_is_told_without_its_password() {
        for url in [
            "",
            "localhost:6379",
            "http://:hunter2@localhost",
            "redis://:hun/ter2@localhost",
            "redis://:hunter2@localhost/sessions",
            "rediss://:hunter2@localhost/#insecure",
            "redis://hunter2@localhost",
        ] {
            let error = RedisStore::new(url).expect_err(url).to_string();
            assert!(error.starts_with(SETTING) && !error.contains("hun"), "{error}");
        }
    }

    #[test]
    fn debug_and_keys_show_the_namespace_and_no_password() {
        let store = RedisStore::new("redis://ada:hunter2@localhost").expect("a valid URL");
        let store = store.timeout(Duration::MAX).namespace("app").timeout(Duration::from_millis(200));
        assert_eq!((store.session("n"), store.once("n")), ("app:s:n".to_owned(), "app:o:n".to_owned()));
        let debug = format!("{store:?}");
        assert!(debug.contains("app") && !debug.contains("hunter2"), "{debug}");
    }
}
