//! Helps to test apps: sessions without a provider, and a clock that the test moves (feature `test-util`).
//!
//! - [`OscAuthLayer::sign_in_for_test`] makes a session from a [`TestToken`] and returns its `Cookie` header.
//! - [`TestClock`] stands still until the test moves it.
//! - [`MemoryStore`] is a session store in memory that several layers can share.
//! - [`store_contract`] tests your own session store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::layer::OscAuthLayer;
use crate::oauth::{Credentials, Tokens, bearer};
use crate::secret::Secret;
use crate::sessions::{Device, has_newer_members, with_newer_members};
pub use crate::store::memory::{MemoryStore, Snapshot};
use crate::store::{Entry, RecordKey, SessionStore, Swap, Swapped, Version};

/// Tests that a [`SessionStore`] keeps the promises of the trait.
pub mod store_contract {
    pub use crate::store::contract::run;
}

/// Returns how many sessions and how many used states a layer has in memory.
#[doc(hidden)]
#[must_use]
pub fn held(layer: &OscAuthLayer) -> (usize, usize) {
    layer.auth.held()
}

/// Rewrites a session's record as a newer version of the layer may: with a member in every object that this version does not know.
/// `cookie` is the value of the session's cookie.
#[doc(hidden)]
pub async fn write_as_a_newer_version(store: &MemoryStore, cookie: &str) {
    let (key, entry) = record_of(store, cookie).await;
    let version = Version::random();
    let value = with_newer_members(&entry.value, &key, store.namespace(), [entry.version, version]);
    let value = value.expect("a record that this version can read");
    let swap = Swap { expected: Some(entry.version), version, value: &value, expires_in: None, group: None };
    let swapped = store.swap(&key.name.text(), swap).await;
    assert!(matches!(swapped, Ok(Swapped::Done { .. })), "the record changed meanwhile");
}

/// Returns true if a session's record has everything that [`write_as_a_newer_version`] added.
#[doc(hidden)]
pub async fn has_members_of_a_newer_version(store: &MemoryStore, cookie: &str) -> bool {
    let (key, entry) = record_of(store, cookie).await;
    has_newer_members(&entry.value, &key, store.namespace(), entry.version)
}

async fn record_of(store: &MemoryStore, cookie: &str) -> (RecordKey, Entry) {
    let id = URL_SAFE_NO_PAD.decode(cookie).ok().and_then(|id| id.try_into().ok());
    let key = RecordKey::of(&id.expect("a session's cookie"));
    let found = store.get(&key.name.text()).await.expect("the store works");
    (key, found.entry.expect("a record"))
}

/// Describes the tokens of a session that [`OscAuthLayer::sign_in_for_test`] makes.
///
/// ```
/// use std::time::Duration;
/// use osc_auth_layer::test_util::TestToken;
///
/// let token = TestToken::new("pat-of-ada").expires_in(Duration::from_secs(60)).refresh_token("rt-1");
/// ```
#[derive(Debug)]
pub struct TestToken {
    access_token: Secret,
    refresh_token: Option<Secret>,
    lifetime: Duration,
    port: u16,
}

impl TestToken {
    /// Starts with this access token. It is good for an hour, and there is no refresh token.
    ///
    /// # Panics
    /// If `access_token` is empty or contains anything but visible ASCII characters.
    pub fn new(access_token: impl Into<String>) -> Self {
        let access_token = access_token.into();
        assert!(bearer(&access_token).is_some(), "an access token consists of visible ASCII characters");
        Self {
            access_token: Secret::new(access_token),
            refresh_token: None,
            lifetime: Duration::from_secs(3600),
            port: 80,
        }
    }

    /// Sets the refresh token. Default: none, so the session ends when its token expires.
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<String>) -> Self {
        self.refresh_token = Some(Secret::new(token.into()));
        self
    }

    /// Sets the access token's lifetime, counted from the sign-in. Default: one hour.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the port in the `Host` header of the test's requests. Default: 80, which also fits a request without `Host`.
    ///
    /// The port matters only without a `public_url`. Then it is part of the cookie's name.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

impl OscAuthLayer {
    /// Makes a session without a provider, and returns the `Cookie` header that belongs to it. Does not check the rules of
    /// [`Builder::authorize`](crate::Builder::authorize).
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use http::{Request, Response, header};
    /// use osc_auth_layer::{Client, OscAuthLayer, OscToken, test_util::TestToken};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), osc_auth_layer::ConfigError> {
    /// let auth = OscAuthLayer::builder(Client::public("cli")).build()?;
    /// let app = auth.layer(service_fn(|request: Request<String>| async move {
    ///     let token = request.extensions().get::<OscToken>().expect("only signed-in users pass");
    ///     assert_eq!(token.access_token(), "pat-of-ada");
    ///     Ok::<_, Infallible>(Response::new(http_body_util::Full::<bytes::Bytes>::from("ok")))
    /// }));
    ///
    /// let cookie = auth.sign_in_for_test(TestToken::new("pat-of-ada")).await;
    /// let request = Request::get("/").header(header::COOKIE, cookie).body(String::new()).expect("a valid request");
    /// assert_eq!(app.oneshot(request).await.expect("infallible").status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the session store fails.
    pub async fn sign_in_for_test(&self, token: TestToken) -> HeaderValue {
        let bearer = bearer(token.access_token.expose()).expect("checked by TestToken::new");
        let tokens = Tokens { bearer, refresh_token: token.refresh_token, lifetime: token.lifetime };
        let credentials = self.auth.sessions.provider.static_client().unwrap_or_else(|| {
            Arc::new(Credentials { id: "test".to_owned(), secret: None, auth_method: None })
        });
        let begun = self.auth.sessions.begin(tokens, credentials, Device::default()).await;
        let begun = begun.expect("the session store takes a session");
        let name = self.auth.config.cookies.session_name(|| token.port);
        HeaderValue::try_from(format!("{name}={}", begun.held_by().id().cookie_value()))
            .expect("a name and base64 are valid in a header")
    }
}

impl OscAuthLayer {
    /// Returns the number of refreshes, revocations and other background tasks that are running.
    #[must_use]
    pub fn tasks_under_way(&self) -> usize {
        self.auth.sessions.tasks.len()
    }
}

/// Stands still until the test moves it. Clones move together.
///
/// ```
/// use std::time::Duration;
/// use osc_auth_layer::{Clock, test_util::TestClock};
///
/// let clock = TestClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now(), before + Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug)]
pub struct TestClock(Arc<watch::Sender<SystemTime>>);

impl TestClock {
    /// Returns a clock that stands at the current time.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(SystemTime::now())))
    }

    /// Moves the clock ahead, and wakes the tasks whose sleep ends by then.
    ///
    /// # Panics
    /// If the new time is beyond the range of `SystemTime`.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now += duration);
    }

    /// Sets the clock to any time, ahead or back.
    pub fn set(&self, now: SystemTime) {
        self.0.send_replace(now);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let until = self.now().checked_add(duration);
        let mut receiver = self.0.subscribe();
        // This clone keeps the sender alive, so that waiting cannot fail.
        let clock = self.clone();
        Box::pin(async move {
            let _ = receiver.wait_for(|now| until.is_some_and(|until| *now >= until)).await;
            drop(clock);
        })
    }
}
