use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use sync_wrapper::SyncWrapper;

use super::pages::PageSettings;
use super::{Client, ClientAuthMethod, store};
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, quoted};
use crate::request::public_path::PublicPaths;
use crate::sessions::{Authorize, Listener, OscUser, SessionEvent, Timing};
use crate::store::SessionStore;

type ConfigureHttp = Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send>;

/// Configures an [`OscAuthLayer`](crate::OscAuthLayer). Every setter is optional.
///
/// ```
/// use osc_auth_layer::{Client, OscAuthLayer};
///
/// let auth = OscAuthLayer::builder(Client::public("cli"))
///     .public_url("https://app.example.com")
///     .public_path("/")
///     .public_prefix("/static")
///     .redirect_to_signin()
///     .build()?;
/// # Ok::<(), osc_auth_layer::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until `build()`"]
pub struct Builder {
    pub(super) client: Client,
    pub(super) auth_method: Option<ClientAuthMethod>,
    pub(super) issuer: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) known_endpoints: bool,
    pub(super) public_urls: Vec<String>,
    /// True if the public URL comes from `OSC_HOSTNAME`, because `PUBLIC_URL` is not set.
    pub(super) is_osc_hostname: bool,
    pub(super) scopes: Vec<String>,
    pub(super) authorization_params: Vec<(String, String)>,
    pub(super) signin_path: String,
    pub(super) callback_path: String,
    pub(super) signout_path: String,
    pub(super) session_path: String,
    pub(super) authorize: Vec<Authorize>,
    pub(super) listeners: Vec<Listener>,
    pub(super) after_signin: String,
    pub(super) after_signout: String,
    pub(super) clear_cache_on_signout: bool,
    pub(super) public_paths: PublicPaths,
    pub(super) redirect_to_signin: bool,
    pub(super) outage_status: StatusCode,
    pub(super) pages: PageSettings,
    pub(super) timing: Timing,
    pub(super) max_sessions: usize,
    /// See [`scaled_down`](Self::scaled_down).
    pub(super) scaled_down: usize,
    pub(super) cookie_name: Option<String>,
    pub(super) cookie_keys: Vec<Vec<u8>>,
    /// Whether an error remains depends on the last of `store` and `store_url`, so `build()` reports it.
    pub(super) store: Result<Option<Arc<dyn SessionStore>>, ConfigError>,
    pub(super) configure_http: Option<SyncWrapper<ConfigureHttp>>,
    pub(super) clock: Arc<dyn Clock>,
    #[cfg(feature = "client")]
    pub(super) platform: Option<String>,
}

impl Builder {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            auth_method: None,
            issuer: None,
            environment: None,
            known_endpoints: false,
            public_urls: Vec::new(),
            is_osc_hostname: false,
            scopes: Vec::new(),
            authorization_params: Vec::new(),
            signin_path: "/auth/signin".to_owned(),
            callback_path: "/auth/callback".to_owned(),
            signout_path: "/auth/signout".to_owned(),
            session_path: "/auth/session".to_owned(),
            authorize: Vec::new(),
            listeners: Vec::new(),
            after_signin: "/".to_owned(),
            after_signout: "/".to_owned(),
            clear_cache_on_signout: false,
            public_paths: PublicPaths::default(),
            redirect_to_signin: false,
            outage_status: StatusCode::SERVICE_UNAVAILABLE,
            pages: PageSettings::default(),
            timing: Timing {
                refresh_leeway: Duration::from_secs(60),
                refresh_ahead: Duration::from_secs(5 * 60),
                idle_timeout: Duration::from_secs(24 * 60 * 60),
                absolute_timeout: Duration::from_secs(30 * 24 * 60 * 60),
            },
            max_sessions: 100_000,
            scaled_down: 1,
            cookie_name: None,
            cookie_keys: Vec::new(),
            store: Ok(None),
            configure_http: None,
            clock: Arc::new(SystemClock),
            #[cfg(feature = "client")]
            platform: None,
        }
    }

    /// Sets the provider's issuer identifier (RFC 8414 §2): an `https` URL, or `http` on loopback.
    ///
    /// Default: `https://app.osaas.io`, OSC's production. The provider's metadata must name exactly the same `issuer`.
    /// Cannot be combined with [`environment`](Self::environment).
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Selects an OSC environment by name, such as `prod`, `stage` or `dev`. Default: `prod`.
    ///
    /// The issuer of `prod` is `https://app.osaas.io`, that of any other environment `https://app.{name}.osaas.io`.
    /// Cannot be combined with [`issuer`](Self::issuer).
    pub fn environment(self, name: impl Into<String>) -> Self {
        Self { environment: Some(name.into()), ..self }
    }

    /// Sets how a client with a secret authenticates at the token, revocation and pushed-authorization endpoints. Needed
    /// for a provider that announces several methods but binds each client to one.
    ///
    /// Default: a method that the provider announces, preferably `client_secret_post`. A method that you set is used
    /// even if the provider does not announce it. A client that registers itself agrees on a method when it registers, so
    /// it cannot have this setting.
    pub fn auth_method(self, method: ClientAuthMethod) -> Self {
        Self { auth_method: Some(method), ..self }
    }

    /// Falls back to OSC's endpoint paths below the issuer (`/api/connect/authorize`, …) while the provider's metadata
    /// cannot be fetched.
    ///
    /// Default: only for OSC's own issuers. The layer never falls back if the metadata names another `issuer`.
    pub fn known_endpoints(self) -> Self {
        Self { known_endpoints: true, ..self }
    }

    /// Adds a URL under which browsers find the app's root, for example `https://app.example.com`. Repeatable.
    ///
    /// The request's host selects one of the URLs and can select nothing else (RFC 9700 §4.13). A URL may have a path, for
    /// an app below axum's `nest` or behind a proxy that strips a prefix. Plain `http` is accepted on loopback only. Give
    /// each origin once, and do not mix `https` and `http`.
    ///
    /// Default: none. Then sign-in works on loopback hosts without a proxy, and answers 500 on any other host.
    ///
    /// ```
    /// use osc_auth_layer::{Client, OscAuthLayer};
    ///
    /// let auth = OscAuthLayer::builder(Client::public("cli"))
    ///     .public_url("https://app.example.com")
    ///     .public_url("https://example.org/app")
    ///     .build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_urls.push(url.into());
        self
    }

    /// Sets the scopes that sign-in asks for (RFC 6749 §3.3).
    ///
    /// Default: none. Then the provider decides; some providers answer `access_denied`.
    pub fn scopes<I>(self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self { scopes: scopes.into_iter().map(Into::into).collect(), ..self }
    }

    /// Adds a constant parameter to each authorization request, such as `prompt=consent` for a provider that issues a
    /// refresh token only after the user consents. Repeatable. Default: none.
    ///
    /// `build()` refuses:
    /// - parameters that the layer sets itself or relies on, such as `client_id`, `state`, `response_mode` and `nonce`;
    /// - a name that is given twice, except `resource` (RFC 8707);
    /// - more than 512 bytes of parameters, percent-encoded.
    ///
    /// If the provider supports pushed authorization requests (RFC 9126), the parameters are pushed.
    pub fn authorization_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.authorization_params.push((name.into(), value.into()));
        self
    }

    /// Sets the path that starts a sign-in. Default: `/auth/signin`.
    ///
    /// The query parameter `return_to` names the page that the user returns to: path, query and fragment on the same origin, as
    /// the browser sees them. An address of up to 2,048 bytes comes back unchanged. Of a longer one, only the path counts.
    ///
    /// The sign-in leads to [`after_signin`](Self::after_signin) instead in three cases:
    ///
    /// - some parser could read the path as another host's address (`//evil.example`, `/%2Fevil.example`);
    /// - the path has dot segments;
    /// - the path is one of the layer's own.
    pub fn signin_path(self, path: impl Into<String>) -> Self {
        Self { signin_path: path.into(), ..self }
    }

    /// Sets the path of the redirect URI (RFC 6749 §3.1.2). Default: `/auth/callback`. Register the whole URL, such as
    /// `https://app.example.com/auth/callback`, with the provider.
    pub fn callback_path(self, path: impl Into<String>) -> Self {
        Self { callback_path: path.into(), ..self }
    }

    /// Sets the path that signs the user out. Default: `/auth/signout`. It accepts `POST` from the same origin only.
    pub fn signout_path(self, path: impl Into<String>) -> Self {
        Self { signout_path: path.into(), ..self }
    }

    /// Sets the path that tells the app's scripts whether the user is signed in. Default: `/auth/session`.
    ///
    /// | situation | status | JSON |
    /// |---|---|---|
    /// | signed in | 200 | `{"signed_in":true,"workspace":…,"user":…,"expires_at":…,"signout":…}` |
    /// | not signed in | 200 | `{"signed_in":false,"signin":…}` |
    /// | the store is unreachable | 503 | `{"signed_in":null,"retry_after":…}`, in seconds |
    /// | the request comes from a page of another origin | 403 | `{"error":"forbidden",…}` |
    ///
    /// `workspace` and `user` are null if they are unknown. `expires_at` is the time, in seconds since 1970, at which the
    /// session ends if nobody uses it. A request to this path never refreshes, never redirects and does not count as
    /// use of the session.
    pub fn session_path(self, path: impl Into<String>) -> Self {
        Self { session_path: path.into(), ..self }
    }

    /// Admits only users for whom `may_enter` returns true. Repeatable: then every rule must admit the user. Default: every
    /// account of the provider may enter.
    ///
    /// The layer asks at three times:
    ///
    /// - At sign-in, another user gets 403 `not_allowed`. The layer keeps nothing of the user and revokes the grant.
    /// - At a refresh, the session ends with 401 `session_ended`. The layer revokes the grant.
    /// - When the layer reads a session from the [`store`](Self::store), the request gets 401 `unauthenticated`. The session
    ///   stays in the store, so a mistake in a rule signs nobody out for good.
    ///
    /// With a rule, the layer also refuses users whose token names no workspace. A rule that panics refuses the user.
    ///
    /// ```
    /// use osc_auth_layer::{Client, OscAuthLayer};
    ///
    /// let auth = OscAuthLayer::builder(Client::public("cli"))
    ///     .authorize(|user| user.workspace() == "team" && user.user_id().is_some())
    ///     .build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn authorize(mut self, may_enter: impl Fn(&OscUser) -> bool + Send + Sync + 'static) -> Self {
        self.authorize.push(Arc::new(may_enter));
        self
    }

    /// Admits only users of these workspaces ([`OscUser::workspace`]). Otherwise like [`authorize`](Self::authorize).
    pub fn allowed_workspaces<I>(self, workspaces: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let allowed: Vec<String> = workspaces.into_iter().map(Into::into).collect();
        self.authorize(move |user| allowed.iter().any(|workspace| workspace == user.workspace()))
    }

    /// Calls a function when a session begins or ends: a user signs in, signs out, or loses the session otherwise. Repeatable.
    /// Default: none.
    ///
    /// - The layer calls it in a background task, one event after the other. No request waits for it.
    /// - It must not block: it would delay later events, and hold a thread of the runtime. For work that waits, such as a write
    ///   to a database, send the event to a channel.
    /// - A panic in it is logged, and the layer goes on.
    /// - Of several nodes, the one at which the session began or ended calls it. Each session has at most one end. An event can be
    ///   missing if the process stops or the [`store`](Self::store) fails at that moment. The guide's page about the user lists the
    ///   details.
    ///
    /// ```
    /// use osc_auth_layer::{Client, OscAuthLayer, SessionEventKind};
    ///
    /// let (events, mut received) = tokio::sync::mpsc::unbounded_channel();
    /// let auth = OscAuthLayer::builder(Client::public("cli"))
    ///     .on_session_event(move |event| _ = events.send(event.clone()))
    ///     .build()?;
    ///
    /// let audit = async move {
    ///     while let Some(event) = received.recv().await {
    ///         let user = event.user().and_then(|user| user.user_id().map(str::to_owned));
    ///         match event.kind() {
    ///             SessionEventKind::SignedIn => tracing::info!(?user, "signed in"),
    ///             SessionEventKind::Ended(reason) => tracing::info!(?user, ?reason, "the session ended"),
    ///             _ => {}
    ///         }
    ///     }
    /// };
    /// # drop((auth, audit));
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn on_session_event(mut self, listener: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Sets the path, below the public URL, that a sign-in without `return_to` leads to. Default: `/`.
    pub fn after_signin(self, path: impl Into<String>) -> Self {
        Self { after_signin: path.into(), ..self }
    }

    /// Sets the path, below the public URL, that a sign-out leads to. Default: `/`. Make it
    /// [public](Self::public_path), or the user is asked to sign in again at once.
    pub fn after_signout(self, path: impl Into<String>) -> Self {
        Self { after_signout: path.into(), ..self }
    }

    /// Asks the browser at sign-out to drop its cache of the app (`Clear-Site-Data: "cache"`). Default: off.
    ///
    /// For an app whose pages browsers may store. Pages with `Cache-Control: no-store` do not need it.
    ///
    /// Risk: with a full cache, Chromium takes two to three seconds, and the sign-out waits for it.
    pub fn clear_cache_on_signout(self) -> Self {
        Self { clear_cache_on_signout: true, ..self }
    }

    /// Lets requests for exactly this path pass without a session. Requests with a session still get their token.
    /// Repeatable. Default: no path is public.
    ///
    /// In an outage, requests with a session pass without a token. [`OscVisitor`](crate::OscVisitor) tells them from requests without
    /// a session.
    ///
    /// The layer compares the raw path, byte by byte.
    pub fn public_path(mut self, path: impl Into<String>) -> Self {
        self.public_paths.exact.push(path.into());
        self
    }

    /// Makes a path and everything below it public, by whole segments: `/static` covers `/static/app.css` but not
    /// `/statics`. Repeatable.
    ///
    /// A path that another parser could read differently is never public. Examples are `..`, `//`, `;`, `%2f`, a `%`
    /// without two hex digits, an escape that is not UTF-8, and a fullwidth `．`.
    pub fn public_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.public_paths.prefixes.push(prefix.into());
        self
    }

    /// Makes every path public. Requests with a session get their token, and all others pass without one.
    ///
    /// Risk: the layer no longer protects any path. Each handler has to ask for an `OscToken`. The extractors of feature
    /// `axum` then answer 401.
    pub fn optional(mut self) -> Self {
        self.public_paths.every = true;
        self
    }

    /// Sends browsers without a session straight to sign-in, by a 303. Default: 401, with a page that links to sign-in.
    ///
    /// Only `GET` and `HEAD` requests that navigate the browser are redirected. API calls always get 401. An outage never
    /// redirects.
    pub fn redirect_to_signin(self) -> Self {
        Self { redirect_to_signin: true, ..self }
    }

    /// Sets the status of the answer `temporarily_unavailable`: the token has expired and the provider or the store is
    /// unreachable. Default: 503, so that scripts do not confuse an outage with a sign-out. Any 4xx or 5xx is accepted.
    ///
    /// Proxies with outlier ejection count 5xx answers, and may take this node out of service although it works. Tell such a
    /// proxy to ignore 503, or choose another status here.
    pub fn outage_status(self, status: StatusCode) -> Self {
        Self { outage_status: status, ..self }
    }

    /// Sets how long before its expiry a token is no longer handed out. Requests then wait for the refresh.
    ///
    /// Default: 60 seconds, but never more than a quarter of the token's lifetime.
    pub fn refresh_leeway(mut self, leeway: Duration) -> Self {
        self.timing.refresh_leeway = leeway;
        self
    }

    /// Sets how long before its expiry a token is refreshed in the background, while requests go on with it.
    ///
    /// Default: 5 minutes, with jitter, but never more than half of the token's lifetime. Must be longer than
    /// [`refresh_leeway`](Self::refresh_leeway).
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.timing.refresh_ahead = ahead;
        self
    }

    /// Sets how long a session lives without a request. Default: 24 hours; at least one second.
    ///
    /// Risk: a stolen cookie stays useful for as long.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.timing.idle_timeout = timeout;
        self
    }

    /// Sets how long a session lives at most, counted from sign-in. Default: 30 days; at least one second.
    ///
    /// This is also the cookie's `Max-Age`. Browsers keep no cookie for more than 400 days.
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.timing.absolute_timeout = timeout;
        self
    }

    /// Sets how many sessions this process holds. Default: 100,000, which take about 125 MB with tokens of 1 KB.
    ///
    /// When the table is full, each sign-in pushes one session out: the one unused for longest among a few hundred taken at
    /// random, but never one that a request is using. A session in a [`store`](Self::store) is read again when it is
    /// needed; without a store its user has to sign in again.
    ///
    /// The layer notes the use of a session at most once a minute. So give room for at least twice the sign-ins of a minute.
    pub fn max_sessions(self, sessions: usize) -> Self {
        Self { max_sessions: sessions, ..self }
    }

    /// Sets the session cookie's name. Up to 64 letters, digits, `_` and `-`. The environment variable is `COOKIE_NAME`.
    ///
    /// Default: `osc_session`. If the first [`public_url`](Self::public_url) has a path, or an https port other than 443, eight hex
    /// digits of their hash follow: `osc_session_1a2b3c4d`. The layer adds the prefix `__Host-`, or on plain-http loopback the
    /// suffix `_<port>`.
    ///
    /// Apps on one host need different names, or they sign each other's users out. Names are no isolation: a browser sends the
    /// cookie to every app on the host. So apps that must not act for each other's users need hosts of their own.
    pub fn cookie_name(self, name: impl Into<String>) -> Self {
        Self { cookie_name: Some(name.into()), ..self }
    }

    /// Adds a key that seals the `state` of sign-ins: 32 random bytes or more. All nodes of an app need the same keys.
    ///
    /// Repeatable, to rotate keys: the first key seals, and every key opens. In a store, the keys also seal the registration of a
    /// [`Client::register`] app, and the lists of users' sessions. Without its key, a list lacks a session until its next refresh.
    ///
    /// Default: derived from a client secret of 32 characters or more. Otherwise random in each process, so that sign-ins
    /// begun before a restart fail.
    pub fn cookie_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.cookie_keys.push(key.into());
        self
    }

    /// Keeps the sessions in a store, so that they survive a restart and several nodes can share them. Takes a
    /// [`SessionStore`] or an [`Arc`] of one. The records are sealed.
    ///
    /// Default: none. Then sessions live in this process and end with it. Of `store` and [`store_url`](Self::store_url), the
    /// last call counts.
    ///
    /// All nodes need the same client and the same [`cookie_key`](Self::cookie_key)s, because a sign-in may begin on one node
    /// and end on another. A key is required unless the client secret has 32 characters or more.
    pub fn store(self, store: impl SessionStore) -> Self {
        Self { store: Ok(Some(Arc::new(store))), ..self }
    }

    /// Keeps the sessions in the [`store`](Self::store) of this URL. The environment variable is `SESSION_STORE`.
    ///
    /// | URL | store | feature |
    /// |---|---|---|
    /// | `memory:` | none: sessions live in this process. The default. | |
    /// | `sqlite:sessions.db` | [`SqliteStore`](crate::SqliteStore) | `sqlite` |
    /// | `postgres://user:password@host/database` | [`PostgresStore`](crate::PostgresStore) | `postgres` |
    /// | `redis://…`, `rediss://…`, `unix:///path` | [`RedisStore`](crate::RedisStore) | `redis` |
    ///
    /// The store has its default settings. To change them, make it with its `from_url` and pass it to [`store`](Self::store).
    ///
    /// `build()` refuses a URL that no store knows, and one whose feature is not enabled.
    ///
    /// ```
    /// use osc_auth_layer::{Client, OscAuthLayer};
    ///
    /// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
    /// let client = Client::confidential("id", "a secret of 32 characters or more");
    /// let auth = OscAuthLayer::builder(client).store_url("sqlite:sessions.db").build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn store_url(self, url: impl AsRef<str>) -> Self {
        Self { store: store::from_url(url.as_ref()), ..self }
    }

    /// Changes the HTTP client that talks to the provider: a proxy, further root certificates, a user agent, …
    ///
    /// The type is that of `reqwest` 0.13. Its TLS settings apply whether or not the process has a default rustls provider.
    /// The layer sets these afterwards, so they cannot be changed:
    /// - no redirects and no retries;
    /// - 5 seconds to connect;
    /// - 10 seconds for an answer, 25 seconds for a token request, and 30 seconds for OSC's platform (feature `client`).
    pub fn configure_http<F>(self, configure: F) -> Self
    where
        F: FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + 'static,
    {
        Self { configure_http: Some(SyncWrapper::new(Box::new(configure))), ..self }
    }

    /// Sets the base URL of the platform's services, for tests: service `S` is at `{base}/S`. It must be `https`, or on
    /// loopback. Tokens go nowhere else.
    ///
    /// Default: the platform of the issuer's environment. Issuers other than OSC's have none.
    #[cfg(feature = "client")]
    pub fn platform(self, base: impl Into<String>) -> Self {
        Self { platform: Some(base.into()), ..self }
    }

    /// Divides the layer's fixed limits, for a simulation of a part of the users. Default: 1.
    #[cfg(feature = "test-util")]
    pub(crate) fn scaled_down(self, by: usize) -> Self {
        Self { scaled_down: by.max(1), ..self }
    }

    /// Sets the clock, for tests. Default: the system's clock and Tokio's timer.
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("client", &self.client)
            .field("issuer", &self.issuer.as_deref().map(quoted))
            .field("environment", &self.environment)
            .field("public_urls", &self.public_urls.iter().map(|url| quoted(url)).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
