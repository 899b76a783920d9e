//! For the tests of apps: sessions without a provider, and a clock that does as it is told (feature `test-util`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::layer::OscAuthLayer;
use crate::provider::{Credentials, Tokens, bearer};
use crate::secret::Secret;
pub use crate::store::memory::{MemoryStore, Snapshot};

/// Proves that a [`SessionStore`](crate::SessionStore) keeps what the trait promises.
pub mod store_contract {
    pub use crate::store::contract::run;
}

/// The tokens of a session that [`OscAuthLayer::sign_in_for_test`] makes.
#[derive(Debug)]
pub struct TestToken {
    access_token: Secret,
    refresh_token: Option<Secret>,
    lifetime: Duration,
    port: u16,
}

impl TestToken {
    /// A session with this access token, good for an hour and without a refresh token.
    ///
    /// # Panics
    /// When `access_token` holds anything but visible ASCII characters: no provider's would.
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

    /// What a refresh would spend. Default: none, so the session ends with its token.
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<String>) -> Self {
        self.refresh_token = Some(Secret::new(token.into()));
        self
    }

    /// The token's lifetime from now. Default: an hour.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The port in the `Host` of the requests to come. It matters only without a `public_url`, when it is part of the
    /// cookie's name. Default: 80, that of a request without `Host`.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

impl OscAuthLayer {
    /// Makes a live session without asking a provider, and returns the `Cookie` header of the browser that has it.
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
    ///     let token = request.extensions().get::<OscToken>().expect("the layer lets nobody else through");
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
    /// When the session store fails.
    pub async fn sign_in_for_test(&self, token: TestToken) -> HeaderValue {
        let bearer = bearer(token.access_token.expose()).expect("checked by TestToken::new");
        let tokens = Tokens { bearer, refresh_token: token.refresh_token, lifetime: token.lifetime };
        let credentials = self.shared.provider.static_client().unwrap_or_else(|| {
            Arc::new(Credentials { id: "test".to_owned(), secret: None, auth_method: None })
        });
        let begun = self.shared.begin_session(tokens, credentials).await;
        let begun = begun.expect("the session store takes a session");
        let name = self.shared.config.cookies.session_name(|| token.port);
        HeaderValue::try_from(format!("{name}={}", begun.held_by().id().cookie_value()))
            .expect("a name and base64 are valid in a header")
    }
}

impl OscAuthLayer {
    /// How many refreshes, revocations and other tasks run beside the requests just now.
    #[must_use]
    pub fn tasks_under_way(&self) -> usize {
        self.shared.tasks.len()
    }
}

/// A [`Clock`] that stands still until it is moved. Clones move together.
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
    /// A clock that shows the present time.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(SystemTime::now())))
    }

    /// Moves it on. Whoever sleeps until then or earlier wakes.
    ///
    /// # Panics
    /// When that is beyond what `SystemTime` can tell.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now += duration);
    }

    /// Sets it, forwards or back.
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
        // Keeps the sender alive, so that waiting cannot fail.
        let clock = self.clone();
        Box::pin(async move {
            let _ = receiver.wait_for(|now| until.is_some_and(|until| *now >= until)).await;
            drop(clock);
        })
    }
}
