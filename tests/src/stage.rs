//! A signed-in user and a layer whose clock stands still.

use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt;
use http::{StatusCode, header};
use mock_osc::{Endpoint, Hold, MockOsc};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{OscAuthLayer, OscAuthLayerBuilder, OscToken};
use serde_json::Value;

use crate::app::with_scenario_store;
use crate::{Answer, Browser, WatchedClock, app, layer_for, token_of};

/// At this age, a token is refreshed in the background, whatever the jitter. Tokens live for one hour.
pub const AHEAD: Duration = Duration::from_secs(3450);
/// At this age, requests wait for the refresh, although the token has not expired.
pub const LEEWAY: Duration = Duration::from_secs(3550);
/// At this age, a token has expired.
pub const EXPIRED: Duration = Duration::from_secs(3600);

/// A provider, a layer whose clock stands still, and a signed-in browser.
#[derive(Debug)]
pub struct Stage {
    /// The provider.
    pub osc: MockOsc,
    /// The layer's clock.
    pub clock: WatchedClock,
    /// The layer.
    pub layer: OscAuthLayer,
    /// The user's browser.
    pub browser: Browser,
}

impl Stage {
    /// Signs a user in with default settings: refresh tokens rotate, and a second use revokes the grant.
    pub async fn signed_in() -> Self {
        Self::with(MockOsc::builder(), |layer| layer).await
    }

    /// Signs a user in with other settings of provider or layer.
    ///
    /// # Panics
    /// If the layer does not build or the sign-in fails.
    pub async fn with(
        osc: mock_osc::MockOscBuilder,
        configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
    ) -> Self {
        Self::before_sign_in(osc, configure).await.sign_in().await
    }

    /// Sets up the same without a sign-in.
    ///
    /// # Panics
    /// If the layer does not build.
    pub async fn before_sign_in(
        osc: mock_osc::MockOscBuilder,
        configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
    ) -> Self {
        let osc = osc.start().await.expect("the mock starts");
        let clock = WatchedClock::default();
        let layer = with_scenario_store(layer_for(&osc), clock.clone()).clock(clock.clone());
        let layer = configure(layer).build().expect("the test's layer builds");
        let browser = Browser::new(app(&layer));
        Self { osc, clock, layer, browser }
    }

    /// Signs the user in.
    ///
    /// # Panics
    /// If the sign-in fails.
    pub async fn sign_in(mut self) -> Self {
        let answer = self.browser.sign_in(&self.osc).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        self
    }

    /// Returns the browser of another user whose session starts with this token.
    pub async fn browser_with(&self, token: TestToken) -> Browser {
        let cookie = self.layer.sign_in_for_test(token).await;
        let cookie = cookie.to_str().expect("cookies are ASCII");
        let (name, value) = cookie.split_once('=').expect("a cookie has a name");
        let mut browser = Browser::new(app(&self.layer));
        browser.set_cookie(name, value);
        browser
    }

    /// Moves the clocks of layer and provider ahead.
    pub fn pass(&self, time: Duration) {
        self.osc.advance(time);
        self.clock.advance(time);
    }

    /// Returns the number of refreshes that arrived at the provider.
    pub fn refreshes(&self) -> usize {
        self.osc.count_grants("refresh_token")
    }

    /// Sends a request as a script does.
    pub async fn fetch(&mut self, path: &str) -> Answer {
        soon(self.browser.fetch(path)).await
    }

    /// Starts a request that waits for a refresh. The provider holds the refresh until it is released.
    ///
    /// # Panics
    /// If the request is answered without waiting.
    pub async fn held_up(&self, path: &'static str) -> (Hold, Pin<Box<dyn Future<Output = Answer>>>) {
        let hold = self.osc.hold(Endpoint::Token);
        let mut browser = self.browser.clone();
        let mut request = Box::pin(async move { browser.fetch(path).await });
        assert!(request.as_mut().now_or_never().is_none(), "it did not wait");
        soon(hold.arrived(1)).await;
        (hold, request)
    }

    /// Returns the token of a request of the user.
    ///
    /// # Panics
    /// If the request gets no token.
    pub async fn token(&self) -> OscToken {
        let answer = soon(self.browser.clone().fetch("/")).await;
        token_of(&answer).unwrap_or_else(|| panic!("no token: {answer:?}"))
    }
}

/// Waits for an event that must happen. If it does not come in time, the test fails at the caller's line.
#[track_caller]
pub fn soon<T>(event: impl Future<Output = T>) -> impl Future<Output = T> {
    const LIMIT: Duration = Duration::from_secs(60);
    let caller = Location::caller();
    async move {
        let result = tokio::time::timeout(LIMIT, event).await;
        result.unwrap_or_else(|_| panic!("timed out waiting at {caller}"))
    }
}

/// Returns the `error` of one of the layer's JSON answers.
///
/// # Panics
/// If the answer has no `error`.
pub fn error_of(answer: &Answer) -> String {
    let json: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    json["error"].as_str().unwrap_or_else(|| panic!("no error: {answer:?}")).to_owned()
}

/// Returns the value of `Retry-After`.
///
/// # Panics
/// If the header is missing or not a number of seconds.
pub fn retry_after(answer: &Answer) -> Duration {
    let value = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = value.and_then(|value| value.parse().ok());
    Duration::from_secs(seconds.unwrap_or_else(|| panic!("no Retry-After: {answer:?}")))
}
