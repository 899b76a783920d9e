//! Helps to test apps: sessions without a provider, and a clock that the test moves (feature `test-util`).
//!
//! - [`OscAuthLayer::sign_in_for_test`] makes a session from a [`TestToken`] and returns its `Cookie` header.
//! - [`TestClock`] shows a time that only the test moves.
//! - [`MemoryStore`] is a session store in memory that several layers can share.
//! - [`store_contract`] tests your own session store.

mod clock;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

pub use self::clock::TestClock;
use crate::config::OscAuthLayerBuilder;
use crate::layer::OscAuthLayer;
use crate::oauth::wire::{self, DEFAULT_LIFETIME};
use crate::oauth::{Credentials, Tokens, bearer};
use crate::secret::Secret;
use crate::sessions::{Claims, Device, has_newer_members, with_newer_members};
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

/// Divides the limit of refreshes at a time, and the number of changes that a node remembers. A simulation of a part of the users has
/// its nodes reach them as a node with all users does.
#[doc(hidden)]
pub fn scaled_down(builder: OscAuthLayerBuilder, by: usize) -> OscAuthLayerBuilder {
    builder.scaled_down(by)
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
    let key = RecordKey::of(cookie.as_bytes());
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
    tokens: Tokens,
    port: u16,
}

impl TestToken {
    /// Starts with this access token. It is good for an hour, and there is no refresh token.
    ///
    /// # Panics
    /// If `access_token` is empty or contains anything but visible ASCII characters.
    #[track_caller]
    pub fn new(access_token: impl Into<String>) -> Self {
        let Some(bearer) = bearer(&access_token.into()) else {
            panic!(
                "an access token consists of visible ASCII characters, and this one is empty or has others"
            );
        };
        Self { tokens: Tokens { bearer, refresh_token: None, lifetime: DEFAULT_LIFETIME }, port: 80 }
    }

    /// Reads the tokens and the lifetime from the answer of a token endpoint (RFC 6749 §5.1), such as the mock's `grant_for`
    /// returns. With the same provider and client in the layer, the session refreshes and revokes these tokens.
    ///
    /// ```
    /// use osc_auth_layer::test_util::TestToken;
    ///
    /// let token = TestToken::from_answer(r#"{"access_token":"pat-of-ada","refresh_token":"rt-1","expires_in":60}"#);
    /// ```
    ///
    /// # Panics
    /// If the layer would not accept this answer.
    #[track_caller]
    pub fn from_answer(answer: impl AsRef<str>) -> Self {
        let Some(tokens) = wire::tokens(answer.as_ref().as_bytes()) else {
            panic!(
                "a token answer is JSON with an access_token of visible ASCII characters; this text is none"
            );
        };
        Self { tokens, port: 80 }
    }

    /// Sets the refresh token. Default: none, so the session ends when its token expires.
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<String>) -> Self {
        self.tokens.refresh_token = Some(Secret::new(token.into()));
        self
    }

    /// Sets the access token's lifetime, counted from the sign-in. Default: one hour.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.tokens.lifetime = lifetime;
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
    /// Makes a session without a sign-in, and returns the `Cookie` header that belongs to it. `Debug` hides its value.
    ///
    /// The session belongs to the layer's configured client. If the client registers itself, there is none, and the session
    /// cannot be refreshed.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use http::{Request, Response, header};
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer, OscToken, test_util::TestToken};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), osc_auth_layer::ConfigError> {
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli")).build()?;
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
    /// If the session store fails, or if [`OscAuthLayerBuilder::authorize`](crate::OscAuthLayerBuilder::authorize) or
    /// [`allowed_workspaces`](crate::OscAuthLayerBuilder::allowed_workspaces) does not admit the token's user. To see how your app refuses
    /// such a user, use the mock's `sign_in_as`, which returns the 403.
    #[track_caller]
    pub fn sign_in_for_test(&self, token: TestToken) -> impl Future<Output = HeaderValue> + Send + use<'_> {
        let caller = Location::caller();
        let TestToken { tokens, port } = token;
        async move {
            if !self.auth.sessions.admits(&tokens, None) {
                let user = user_of(&tokens);
                panic!("the app's rules (authorize, allowed_workspaces) do not admit {user} ({caller})");
            }
            let credentials = self.auth.sessions.provider.static_client().unwrap_or_else(|| {
                Arc::new(Credentials { id: "test".to_owned(), secret: None, auth_method: None })
            });
            let begun = self.auth.sessions.begin(tokens, credentials, Device::default()).await;
            let begun = begun.unwrap_or_else(|error| panic!("{error:?} ({caller})"));
            let name = self.auth.config.cookies.session_name(|| port);
            let cookie = HeaderValue::try_from(format!("{name}={}", begun.held_by().id().cookie_value()));
            let mut cookie = cookie.expect("a name and base64 are valid in a header");
            cookie.set_sensitive(true);
            cookie
        }
    }
}

fn user_of(tokens: &Tokens) -> String {
    match Claims::of(tokens.access_token()) {
        None => "a token that names no user and no workspace".to_owned(),
        Some(Claims { tenant_id, user_id: None }) => format!("the workspace {tenant_id:?}"),
        Some(Claims { tenant_id, user_id: Some(user) }) => {
            format!("the user {user:?} of the workspace {tenant_id:?}")
        }
    }
}

impl OscAuthLayer {
    /// Returns the number of refreshes, revocations and other background tasks that are running.
    #[must_use]
    pub fn tasks_under_way(&self) -> usize {
        self.auth.sessions.tasks.len()
    }
}
