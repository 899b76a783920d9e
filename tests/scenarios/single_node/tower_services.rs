//! The layer around services of every kind: unusual bodies and errors, back pressure, upgrades, real
//! connections.

mod bodies;
mod drops;
mod errors;
mod extensions;
mod http2;
mod hyper_server;
mod limits;
mod not_send;
mod pinned;
mod readiness;
mod shared_caches;
mod streaming;
mod unread_bodies;
mod upgrades;
mod uploads;
mod websocket;

use std::time::Duration;

use http::{HeaderValue, Request, header};
use mock_osc::MockOsc;
use osc_auth_layer::test_util::{TestClock, TestToken};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscToken};
use osc_tests::{Browser, app, layer_for};

/// Returns a layer without a provider. `/public` needs no session.
fn lonely() -> OscAuthLayer {
    OscAuthLayer::builder(OAuthClient::public("cli"))
        .issuer("http://127.0.0.1:9")
        .public_url("http://localhost:3000")
        .public_path("/public")
        .build()
        .expect("the test's layer builds")
}

/// Returns the `Cookie` header of a browser that is signed in with this access token.
async fn cookie(auth: &OscAuthLayer, access_token: &str) -> HeaderValue {
    auth.sign_in_for_test(TestToken::new(access_token)).await
}

fn request<B>(path: &str, cookie: Option<&HeaderValue>, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.uri_mut() = path.parse().expect("a path");
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost:3000"));
    if let Some(cookie) = cookie {
        request.headers_mut().insert(header::COOKIE, cookie.clone());
    }
    request
}

fn token_in<B>(request: &Request<B>) -> Option<&str> {
    request.extensions().get::<OscToken>().map(OscToken::access_token)
}

fn cookies_of(browser: &Browser) -> HeaderValue {
    let cookies: Vec<_> = browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    HeaderValue::try_from(cookies.join("; ")).expect("cookies")
}

/// Two sessions: one with an expired token, whose next request waits for a refresh, and a fresh one.
struct Due {
    osc: MockOsc,
    auth: OscAuthLayer,
    due: HeaderValue,
    fresh: HeaderValue,
}

async fn due() -> Due {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let clock = TestClock::new();
    let auth = layer_for(&osc).clock(clock.clone()).build().expect("the test's layer builds");
    let mut browser = Browser::new(app(&auth));
    browser.sign_in(&osc).await;
    let due = cookies_of(&browser);
    clock.advance(Duration::from_secs(3601));
    let fresh = cookie(&auth, "fresh").await;
    osc.forget_requests();
    Due { osc, auth, due, fresh }
}
