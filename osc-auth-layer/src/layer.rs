//! The Tower layer: how it is configured, built and shut down.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::config::{OAuthClient, OscAuthLayerBuilder};
use crate::endpoints::Auth;
use crate::error::ConfigError;
use crate::meter;
use crate::preflight::{self, CheckReport};
use crate::readiness::Readiness;
use crate::service::OscAuth;
use crate::sessions::{Sessions, UserSessions};

/// Signs users in with Open Source Cloud, and gives each of their requests a fresh [`OscToken`](crate::OscToken).
///
/// The token is in the request's extensions. A request without a session gets 401, unless its path is
/// [public](OscAuthLayerBuilder::public_path). The layer also serves its own paths: sign-in, callback, sign-out and session status.
///
/// It marks your answers to a user `Cache-Control: private`, and on public paths `Vary: Cookie`, unless you say `public`.
///
/// Clones share their sessions. In axum, add the layer last and on the outermost router, because it can serve its own
/// paths only if it sees them. For other placements, feature `axum` has the method `routes`.
///
/// ```no_run
/// use osc_auth_layer::{OscAuthLayer, OscToken};
/// use tower::ServiceBuilder;
///
/// # async fn handle(_: http::Request<String>) -> Result<http::Response<String>, std::convert::Infallible> { todo!() }
/// let auth = OscAuthLayer::from_env()?; // CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, …
/// let service = ServiceBuilder::new().layer(auth).service_fn(handle);
/// # Ok::<(), osc_auth_layer::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OscAuthLayer {
    pub(crate) auth: Arc<Auth>,
}

impl OscAuthLayer {
    /// Starts a configuration. Only the client is required; the [`OscAuthLayerBuilder`] lists the other settings and their defaults.
    ///
    /// ```
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer};
    ///
    /// let auth = OscAuthLayer::builder(OAuthClient::confidential("osc_…", "osc_secret_…"))
    ///     .public_url("https://app.example.com")
    ///     .build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn builder(client: OAuthClient) -> OscAuthLayerBuilder {
        OscAuthLayerBuilder::new(client)
    }

    /// Starts a configuration from the environment variables that [`from_env`](Self::from_env) reads. Use it to add
    /// settings that have no variable.
    ///
    /// ```no_run
    /// use osc_auth_layer::OscAuthLayer;
    ///
    /// let auth = OscAuthLayer::builder_from_env()?.public_path("/").redirect_to_signin().build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing or cannot be used, and says what to do.
    pub fn builder_from_env() -> Result<OscAuthLayerBuilder, ConfigError> {
        OscAuthLayerBuilder::from_variables(|name| std::env::var_os(name))
    }

    /// Builds a layer from environment variables. An empty variable counts as unset.
    ///
    /// | variable | meaning | default |
    /// |---|---|---|
    /// | `CLIENT_ID` | id of the OAuth app | required, unless `OSC_APP_NAME` is set |
    /// | `CLIENT_SECRET` | secret of the OAuth app | none: the client is public |
    /// | `OSC_APP_NAME` | name of the app on the layer's pages ([`OscAuthLayerBuilder::app_name`]); if `CLIENT_ID` is not set, the app registers itself under it ([`OAuthClient::register`]), which requires `COOKIE_KEY` | none |
    /// | `PUBLIC_URL` | URL that browsers use for the app; separate several by commas ([`OscAuthLayerBuilder::public_url`]) | see `OSC_HOSTNAME` |
    /// | `OSC_HOSTNAME` | set by OSC; if `PUBLIC_URL` is not set, the public URL is `https://$OSC_HOSTNAME` | none: only localhost works |
    /// | `CLIENT_AUTH_METHOD` | `client_secret_basic` or `client_secret_post` ([`OscAuthLayerBuilder::auth_method`]) | a method that the provider announces |
    /// | `OSC_ISSUER` | issuer of the provider ([`OscAuthLayerBuilder::issuer`]) | `https://app.osaas.io` |
    /// | `COOKIE_KEY` | key that seals the `state` of sign-ins: 32 bytes or more, in base64 ([`OscAuthLayerBuilder::cookie_key`]) | derived from the secret, or random |
    /// | `COOKIE_NAME` | name of the session cookie ([`OscAuthLayerBuilder::cookie_name`]) | `osc_session`, with a hash for a path |
    /// | `SESSION_STORE` | URL of the store of sessions ([`OscAuthLayerBuilder::store_url`]) | `memory:`: sessions live in this process |
    /// | `ALLOWED_WORKSPACES` | workspaces whose users may enter, separated by commas ([`OscAuthLayerBuilder::allowed_workspaces`]) | every account may enter |
    /// | `OSC_PLATFORM` | feature `client`, for tests: base URL of the platform's services | the services of the issuer's environment |
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing or cannot be used, and says what to do.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::builder_from_env()?.build()
    }

    /// Returns the sessions of the user with this [key](crate::OscUser::key), for an administrator or a job. Sends nothing.
    ///
    /// The layer does not check who asks, so the app must.
    ///
    /// ```
    /// use osc_auth_layer::{OscAuthLayer, SessionError};
    ///
    /// async fn lock_out(auth: &OscAuthLayer, user_key: &str) -> Result<(), SessionError> {
    ///     auth.sessions_of(user_key).end_all().await
    /// }
    /// ```
    #[must_use]
    pub fn sessions_of(&self, user_key: impl Into<String>) -> UserSessions {
        UserSessions::new(user_key.into(), Arc::downgrade(&self.auth.sessions))
    }

    /// Returns whether this node can serve users, for the readiness probe of a load balancer or of Kubernetes.
    ///
    /// Call it as often as you like. The layer answers from what it knows, and asks the store, and at first the provider, at most once a
    /// second: all callers within a second share an answer. It takes at most two seconds, as long as an operation of the store may take.
    /// So give the probe a timeout of three seconds.
    ///
    /// - **Not ready** is a node whose store does not answer, or that shuts down. Its users would get 503.
    /// - **Impaired, but ready** is a node without the provider, or without notifications from its store. In an outage of the
    ///   provider, users with a fresh token go on, and public pages work. A probe that took all nodes out of service would end both.
    ///
    /// Do not restart a node that is not ready: that repairs no store. [`Readiness`] has no host and no secret, so it may be public.
    ///
    /// ```
    /// use http::StatusCode;
    /// use osc_auth_layer::OscAuthLayer;
    ///
    /// async fn ready(auth: OscAuthLayer) -> (StatusCode, String) {
    ///     let readiness = auth.ready().await;
    ///     let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    ///     (status, readiness.to_string())
    /// }
    /// ```
    pub async fn ready(&self) -> Readiness {
        self.auth.probe.ask(&self.auth.sessions).await
    }

    /// Asks the real provider and store whether the app can work with them, and returns what to correct. Print it at the start of your
    /// app, or call it in a CI step.
    ///
    /// It asks for these, all at the same time, and takes twelve seconds at most:
    ///
    /// - the provider's metadata: reachable, of the configured issuer, with PKCE, and with a clock like this machine's;
    /// - the client: a token request with a made-up code, which a provider that accepts the client answers with `invalid_grant`;
    /// - each redirect URI: a sign-in without a browser, pushed if the provider supports it, that nobody continues. A sign-in to a
    ///   foreign redirect URI shows whether the first answer proves anything;
    /// - the store: an entry under a random key, which is written, read and removed, and
    ///   [`SessionStore::check`](crate::store::SessionStore::check).
    ///
    /// That opens no grant, registers no client, and changes no session. It writes one entry, which expires after a minute if it cannot
    /// be removed. A store makes its table, as at first use.
    ///
    /// If an answer does not tell, the finding is [`Severity::Unchecked`](crate::preflight::Severity::Unchecked).
    ///
    /// ```
    /// use osc_auth_layer::OscAuthLayer;
    ///
    /// async fn start(auth: &OscAuthLayer) {
    ///     let auth = auth.clone();
    ///     // In a task, because a provider that is down must not delay the start.
    ///     tokio::spawn(async move { println!("{}", auth.check().await) });
    /// }
    /// ```
    pub async fn check(&self) -> CheckReport {
        preflight::check(&self.auth.config, &self.auth.sessions).await
    }

    /// Waits for refreshes, revocations and session events that are under way, so that no rotated refresh token is lost.
    ///
    /// Call it after the server has stopped. The layer starts no further refresh. The provider may take up to 25 seconds to answer
    /// one, so wait for 30.
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::OscAuthLayer;
    ///
    /// async fn stop(auth: OscAuthLayer) {
    ///     if let Err(error) = auth.shutdown(Duration::from_secs(30)).await {
    ///         tracing::warn!(%error, "the layer's work did not end");
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ShutdownError`]: some of it was still under way after `timeout`.
    pub async fn shutdown(&self, timeout: Duration) -> Result<(), ShutdownError> {
        let has_ended = self.auth.sessions.shut_down(timeout).await;
        if has_ended { Ok(()) } else { Err(ShutdownError { tasks: self.auth.sessions.tasks.len() }) }
    }
}

/// Says that refreshes, revocations or session events were still under way when [`shutdown`](OscAuthLayer::shutdown) gave up.
///
/// If the process stops now, a session whose refresh is under way may be lost: the provider may have rotated its refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownError {
    tasks: usize,
}

impl ShutdownError {
    /// Returns how many tasks were still under way.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tasks (refreshes, revocations or session events) did not end in time; sessions may be lost. Allow more time",
            self.tasks
        )
    }
}

impl Error for ShutdownError {}

impl<S> Layer<S> for OscAuthLayer {
    type Service = OscAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OscAuth { inner, auth: self.auth.clone() }
    }
}

impl OscAuthLayerBuilder {
    /// Checks the settings and builds the layer. Works outside a Tokio runtime and sends nothing. Logs which provider, client and
    /// store it uses, and the redirect URIs to register.
    ///
    /// TLS uses the rustls crypto provider that the process has installed, or else aws-lc-rs for this layer only. The layer
    /// installs no provider, so your app may install its own before or afterwards.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that is missing or cannot be used, and says what to do.
    pub fn build(self) -> Result<OscAuthLayer, ConfigError> {
        let (config, settings) = self.check()?;
        config.announce(&settings);
        meter::describe();
        Ok(OscAuthLayer { auth: Auth::new(config, Sessions::new(settings)) })
    }
}
