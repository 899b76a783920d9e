//! Settings of sessions: their times, cookie and store.

use std::sync::Arc;
use std::time::Duration;

use super::OscAuthLayerBuilder;
use crate::clock::Clock;
use crate::config::store;
use crate::sessions::SessionEvent;
use crate::store::SessionStore;

impl OscAuthLayerBuilder {
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
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer, SessionEventKind};
    ///
    /// let (events, mut received) = tokio::sync::mpsc::unbounded_channel();
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli"))
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
    /// Repeatable, to rotate keys: the first key seals, and every key opens. In a store, the keys also seal the credentials of an app
    /// that [registers itself](crate::OAuthClient::register), and the lists of users' sessions. Without its key, a list lacks a session
    /// until its next refresh.
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
    /// | `sqlite:sessions.db` | [`SqliteStore`](crate::store::SqliteStore) | `sqlite` |
    /// | `postgres://user:password@host/database` | [`PostgresStore`](crate::store::PostgresStore) | `postgres` |
    /// | `redis://…`, `rediss://…`, `unix:///path` | [`RedisStore`](crate::store::RedisStore) | `redis` |
    ///
    /// The store has its default settings. To change them, make it with its `from_url` and pass it to [`store`](Self::store).
    ///
    /// `build()` refuses a URL that no store knows, and one whose feature is not enabled.
    ///
    /// ```
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer};
    ///
    /// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
    /// let client = OAuthClient::confidential("id", "a secret of 32 characters or more");
    /// let auth = OscAuthLayer::builder(client).store_url("sqlite:sessions.db").build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn store_url(self, url: impl AsRef<str>) -> Self {
        Self { store: store::from_url(url.as_ref()), ..self }
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
