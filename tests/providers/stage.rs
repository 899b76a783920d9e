//! An app behind the layer that uses a provider, and a visitor.

use std::time::Duration;

use http::StatusCode;
use osc_auth_layer::test_util::TestClock;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder, OscToken};
use osc_tests::{Answer, Browser, app, soon, token_of};

use crate::person::Person;
use crate::provider::{Proof, Provider, Setup};

/// A provider, a layer whose clock stands still, and a visitor.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) provider: Provider,
    pub(crate) clock: TestClock,
    pub(crate) layer: OscAuthLayer,
    /// The visitor's browser at the app.
    pub(crate) browser: Browser,
    pub(crate) person: Person,
}

impl Stage {
    /// Starts the stage without a sign-in. The app is the client that the provider knows.
    pub(crate) async fn new(setup: Setup) -> Self {
        let clock = TestClock::new();
        Self::with(setup, client(&setup), clock.clone(), |layer| layer.clock(clock)).await
    }

    /// Starts the stage with the system's clock.
    pub(crate) async fn by_the_system_clock(setup: Setup) -> Self {
        Self::with(setup, client(&setup), TestClock::new(), |layer| layer).await
    }

    pub(crate) async fn with(
        setup: Setup,
        client: OAuthClient,
        clock: TestClock,
        configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
    ) -> Self {
        let provider = Provider::start(setup).await;
        let layer =
            OscAuthLayer::builder(client).issuer(provider.issuer()).public_url("http://localhost:3000");
        let layer = layer.scopes(setup.scopes().iter().copied());
        let layer = configure(layer).build().expect("the test's layer builds");
        let browser = Browser::new(app(&layer));
        Self { provider, clock, layer, browser, person: Person::new() }
    }

    pub(crate) async fn signed_in(setup: Setup) -> Self {
        let mut stage = Self::new(setup).await;
        stage.sign_in().await;
        stage
    }

    /// Signs the visitor in.
    pub(crate) async fn sign_in(&mut self) {
        let callback = self.callback().await;
        let answer = soon(self.browser.navigate(&callback)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
    }

    /// Signs in at the provider and allows the access. Returns path and query of the callback, which the
    /// browser has not requested.
    pub(crate) async fn callback(&mut self) -> String {
        let authorize = soon(self.browser.begin_sign_in("/auth/signin")).await;
        self.person.allow(&authorize).await
    }

    /// Returns the token of a request of the visitor.
    pub(crate) async fn token(&self) -> OscToken {
        let answer = self.fetch().await;
        token_of(&answer).unwrap_or_else(|| panic!("no token: {answer:?}"))
    }

    pub(crate) async fn fetch(&self) -> Answer {
        soon(self.browser.clone().fetch("/")).await
    }

    /// Lets the token expire.
    pub(crate) async fn expire(&self) {
        self.clock.set(self.token().await.expires_at());
    }

    /// Checks that the provider's API accepts the token.
    pub(crate) async fn assert_live(&self, token: &OscToken) {
        assert_eq!(self.provider.user_of(token.access_token()).await.as_deref(), Some("ada"));
    }

    /// Signs the visitor out and waits for the layer's background work.
    pub(crate) async fn sign_out(&mut self) {
        let answer = soon(self.browser.post_from("same-origin", "/auth/signout")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        assert!(self.layer.shutdown(Duration::from_secs(30)).await.is_ok());
    }
}

fn client(setup: &Setup) -> OAuthClient {
    match setup.proof {
        Proof::None => OAuthClient::public(setup.client_id()),
        Proof::Post | Proof::Basic => OAuthClient::confidential(setup.client_id(), setup.client_secret()),
    }
}
