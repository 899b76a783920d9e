use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use sync_wrapper::SyncWrapper;

use super::{Authorize, Client, ClientAuthMethod, Timing, quoted};
use crate::clock::{Clock, SystemClock};
use crate::session::OscUser;
use crate::store::SessionStore;

type ConfigureHttp = Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send>;

/// Configures an [`OscAuthLayer`](crate::OscAuthLayer). Every setter is optional and documented with its default, effect and risk.
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
    /// The public URL is `OSC_HOSTNAME`, for want of a `PUBLIC_URL`.
    pub(super) is_osc_hostname: bool,
    pub(super) scopes: Vec<String>,
    pub(super) authorization_params: Vec<(String, String)>,
    pub(super) signin_path: String,
    pub(super) callback_path: String,
    pub(super) signout_path: String,
    pub(super) session_path: String,
    pub(super) authorize: Vec<Authorize>,
    pub(super) after_signin: String,
    pub(super) after_signout: String,
    pub(super) public_paths: Vec<String>,
    pub(super) public_prefixes: Vec<String>,
    pub(super) optional: bool,
    pub(super) redirect_to_signin: bool,
    pub(super) outage_status: StatusCode,
    pub(super) timing: Timing,
    pub(super) max_sessions: usize,
    pub(super) cookie_name: String,
    pub(super) cookie_keys: Vec<Vec<u8>>,
    pub(super) store: Option<Arc<dyn SessionStore>>,
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
            after_signin: "/".to_owned(),
            after_signout: "/".to_owned(),
            public_paths: Vec::new(),
            public_prefixes: Vec::new(),
            optional: false,
            redirect_to_signin: false,
            outage_status: StatusCode::UNAUTHORIZED,
            timing: Timing {
                refresh_leeway: Duration::from_secs(60),
                refresh_ahead: Duration::from_secs(5 * 60),
                idle_timeout: Duration::from_secs(24 * 60 * 60),
                absolute_timeout: Duration::from_secs(30 * 24 * 60 * 60),
            },
            max_sessions: 100_000,
            cookie_name: "osc_session".to_owned(),
            cookie_keys: Vec::new(),
            store: None,
            configure_http: None,
            clock: Arc::new(SystemClock),
            #[cfg(feature = "client")]
            platform: None,
        }
    }

    /// The provider's issuer identifier (RFC 8414 §2), an `https` URL, or `http` on loopback.
    ///
    /// Default: `https://app.osaas.io`, OSC's production. Must equal the `issuer` of the provider's metadata to the
    /// letter. Not together with [`environment`](Self::environment).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// An OSC environment by name: `prod`, or another such as `dev` or `stage`, whose issuer is
    /// `https://app.{name}.osaas.io`. Default: `prod`. Not together with [`issuer`](Self::issuer).
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// How a client with a secret authenticates, at the token, revocation and push endpoints alike. For a provider that
    /// announces several methods and binds each client to one.
    ///
    /// It is used whether or not the provider announces it. Default: what the provider announces, `client_secret_post` first;
    /// a client that registers itself agrees on one then.
    pub fn auth_method(mut self, method: ClientAuthMethod) -> Self {
        self.auth_method = Some(method);
        self
    }

    /// Falls back to OSC's endpoint paths below the issuer (`/api/connect/authorize`, …) when the provider's metadata
    /// cannot be had. Default: only for OSC's own issuers. A wrong `issuer` in the metadata never falls back.
    pub fn known_endpoints(mut self) -> Self {
        self.known_endpoints = true;
        self
    }

    /// Where browsers find the app's root, for example `https://app.example.com`. Repeatable: the request's host then
    /// selects one of them, and can select nothing else (RFC 9700 §4.13).
    ///
    /// It may carry a path, for an app behind a proxy that strips it or below axum's `nest`. Plain http is accepted on
    /// loopback only. Default: none, which serves a request on a loopback host that came by no proxy, and answers
    /// sign-in with 500 on any other.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_urls.push(url.into());
        self
    }

    /// The scopes asked for at sign-in (RFC 6749 §3.3), and nothing else. Default: none, which leaves it to the provider; some
    /// refuse that with `access_denied`.
    pub fn scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a constant parameter to each authorization request, such as `prompt=consent` for a provider that gives a refresh
    /// token only after asking. Repeatable. Default: none.
    ///
    /// The layer refuses parameters that it sets itself or relies on: `client_id`, `state`, `response_mode`, `nonce`, … A
    /// name may be there once, except `resource` (RFC 8707). All parameters together may take 512 bytes, percent-encoded.
    /// Where the provider takes pushed requests (RFC 9126), the layer pushes them too.
    pub fn authorization_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.authorization_params.push((name.into(), value.into()));
        self
    }

    /// The path that starts a sign-in. Default: `/auth/signin`. Its query parameter `return_to` says where it leads: a
    /// path on this origin, as the browser knows it, of up to 320 bytes. One that might be read in two ways (`//`, dot
    /// segments, an escaped `/`, `\`, `.` or `%`, or a character that normalises to one) leads to [`after_signin`](Self::after_signin) instead.
    pub fn signin_path(mut self, path: impl Into<String>) -> Self {
        self.signin_path = path.into();
        self
    }

    /// The path of the redirect URI (RFC 6749 §3.1.2). Default: `/auth/callback`. Register it with the provider.
    pub fn callback_path(mut self, path: impl Into<String>) -> Self {
        self.callback_path = path.into();
        self
    }

    /// The path that signs out, by `POST` from the same origin. Default: `/auth/signout`.
    pub fn signout_path(mut self, path: impl Into<String>) -> Self {
        self.signout_path = path.into();
        self
    }

    /// The path that tells a script of the app whether the visitor is signed in. Default: `/auth/session`.
    ///
    /// It answers with 200 and JSON: `{"signed_in":true,"workspace":…,"user":…,"expires_at":…,"signout":…}` or
    /// `{"signed_in":false,"signin":…}`. `workspace` and `user` are null when they are not known. `expires_at` is the end of
    /// the session if nobody uses it again, in seconds since 1970. While the session store is out of reach, the answer is
    /// 503 and `{"signed_in":null,"retry_after":…}`, in seconds.
    ///
    /// A request to it never refreshes or redirects, does not count as use of the session, and is refused with 403 when it
    /// comes from a page of another origin.
    pub fn session_path(mut self, path: impl Into<String>) -> Self {
        self.session_path = path.into();
        self
    }

    /// Lets only users in for whom `may_enter` returns true. Repeatable; then all of them have to. Default: every account of
    /// the provider may enter.
    ///
    /// It is asked at sign-in, at each refresh, and when a session is read from the [`store`](Self::store). A user who may
    /// not enter gets 403 `not_allowed` and a page; nothing is kept, and the grant is revoked. So does a user whose token
    /// names no workspace, since nobody knows who that is.
    pub fn authorize(mut self, may_enter: impl Fn(&OscUser) -> bool + Send + Sync + 'static) -> Self {
        self.authorize.push(Arc::new(may_enter));
        self
    }

    /// Lets only users of these workspaces in, by [`OscUser::workspace`]; see [`authorize`](Self::authorize).
    pub fn allowed_workspaces<I>(self, workspaces: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let allowed: Vec<String> = workspaces.into_iter().map(Into::into).collect();
        self.authorize(move |user| allowed.iter().any(|workspace| workspace == user.workspace()))
    }

    /// Where a sign-in without `return_to` leads, a path below the public URL. Default: `/`.
    pub fn after_signin(mut self, path: impl Into<String>) -> Self {
        self.after_signin = path.into();
        self
    }

    /// Where a sign-out leads, a path below the public URL; it should be public. Default: `/`.
    pub fn after_signout(mut self, path: impl Into<String>) -> Self {
        self.after_signout = path.into();
        self
    }

    /// Lets requests for exactly this path through without a session. With one they still get their token.
    /// Repeatable. Default: no path is public. The raw path is compared, byte for byte.
    pub fn public_path(mut self, path: impl Into<String>) -> Self {
        self.public_paths.push(path.into());
        self
    }

    /// The same for a path and everything below it, by whole segments: `/static` covers `/static/app.css` and not
    /// `/statics`. A path that another parser might read differently (`..`, `//`, `;`, `%2f`,
    /// a `%` that begins no escape, an escape that is no UTF-8, a fullwidth `．`, …) is never public.
    pub fn public_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.public_prefixes.push(prefix.into());
        self
    }

    /// Makes every path public: requests with a session get their token, others go through bare.
    ///
    /// Risk: nothing answers 401 any more but the handlers themselves, by asking for an `OscToken`; and that answer of
    /// feature `axum`'s extractors is JSON, without a page for browsers.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Answers a browser's navigation without a session with a 303 to sign-in instead of 401. Default: 401 and a page
    /// with a sign-in link. API calls always get the 401; an outage is never redirected.
    pub fn redirect_to_signin(mut self) -> Self {
        self.redirect_to_signin = true;
        self
    }

    /// The status when a token expired and the provider is out of reach. Default: 401; 503 is what we recommend, since
    /// clients retry it. Any 4xx or 5xx is accepted.
    pub fn outage_status(mut self, status: StatusCode) -> Self {
        self.outage_status = status;
        self
    }

    /// How long before its expiry a token is no longer given to requests, which then wait for the refresh.
    /// Default: 60 seconds; at most a quarter of the token's lifetime is used.
    pub fn refresh_leeway(mut self, leeway: Duration) -> Self {
        self.timing.refresh_leeway = leeway;
        self
    }

    /// How long before its expiry a token is refreshed beside requests that do not wait for it. Default: 5 minutes, at
    /// most half of the token's lifetime, jittered. Must be longer than [`refresh_leeway`](Self::refresh_leeway).
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.timing.refresh_ahead = ahead;
        self
    }

    /// How long a session lives without a request. Default: 24 hours. Longer leaves stolen cookies useful for longer.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.timing.idle_timeout = timeout;
        self
    }

    /// How long a session lives at most, counted from sign-in; also the cookie's `Max-Age`. Default: 30 days (browsers
    /// keep no cookie for more than 400).
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.timing.absolute_timeout = timeout;
        self
    }

    /// Sets how many sessions this process holds. At a full table each sign-in pushes out a session: of a few hundred taken at
    /// random, the one unused for longest, and never one that a request is using. With a [`store`](Self::store) it is read
    /// again when it is needed.
    ///
    /// Use is noted once a minute at most, so give room for twice the sign-ins of a minute. Default: 100,000, which take about
    /// 125 MB with tokens of 1 KB.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// The session cookie's name. Default: `osc_session`. The layer adds `__Host-` in front of it, or on plain-http
    /// loopback `_<port>` behind it. Two apps below different paths of one host need different ones, or sign each other
    /// out.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = name.into();
        self
    }

    /// A key for sealed cookies, 32 random bytes or more. Repeatable: the first seals, all of them open, so keys can be
    /// rotated. Default: derived from the client secret when that has 32 characters or more, else random, so that
    /// sign-ins begun before a restart fail. All nodes of an app need the same.
    pub fn cookie_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.cookie_keys.push(key.into());
        self
    }

    /// Where the nodes of the app keep their sessions, in sealed records (for Redis see feature `redis`). Default: none;
    /// sessions live in this process, and end with it.
    ///
    /// All nodes need the same client and [`cookie_key`](Self::cookie_key)s. A key is required with a store unless the
    /// client secret has 32 characters or more, since a sign-in may begin on one node and end on another.
    pub fn store(mut self, store: impl SessionStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Changes the HTTP client that talks to the provider (a proxy, further root certificates, a user agent, …).
    ///
    /// The type is that of `reqwest` 0.13, and its settings for TLS count whether or not the process has a default rustls
    /// provider. The layer's own settings come after it: redirects stay off, and the timeouts stay 5 s to connect and 10 s in
    /// all. With feature `client` the same client talks to OSC's platform, for which 30 s is allowed.
    pub fn configure_http<F>(mut self, configure: F) -> Self
    where
        F: FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + 'static,
    {
        self.configure_http = Some(SyncWrapper::new(Box::new(configure)));
        self
    }

    /// Where the platform's services are, for tests: service `S` at `{base}/S`. Default: those of the issuer's environment,
    /// which only OSC's own issuers have. `https`, or anything on loopback; nothing else ever gets a token.
    #[cfg(feature = "client")]
    pub fn platform(mut self, base: impl Into<String>) -> Self {
        self.platform = Some(base.into());
        self
    }

    /// Another clock, for tests. Default: the system's, and Tokio's timer.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
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
