//! Sign-ins with every outcome.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::OscAuthLayerBuilder;
use osc_tests::{Answer, Browser, Nodes, Op, Stage, Trouble, app, callback, path_of, refusal, soon};

/// The time that a user may take at the provider.
const GOOD_FOR: Duration = Duration::from_secs(600);

async fn stage(configure: fn(OscAuthLayerBuilder) -> OscAuthLayerBuilder) -> Stage {
    Stage::before_sign_in(MockOsc::builder(), configure).await
}

fn assert_refused(answer: &Answer, error: &str) {
    assert_eq!(refusal(answer).1, error, "{answer:?}");
}

pub(crate) async fn drive() {
    completed_and_repeated().await;
    declined().await;
    refused_by_the_provider().await;
    with_a_bad_callback().await;
    displaced().await;
    refused_by_app_or_store().await;
}

async fn completed_and_repeated() {
    let mut stage = stage(|layer| layer).await;
    let path = callback(&mut stage.browser, &stage.osc).await;
    assert_eq!(stage.browser.navigate(&path).await.status(), StatusCode::SEE_OTHER);
    // The sign-in is over, and the user is signed in.
    assert_eq!(stage.browser.navigate(&path).await.status(), StatusCode::SEE_OTHER);
    let mut stranger = Browser::new(app(&stage.layer));
    assert_refused(&stranger.navigate(&path).await, "invalid_state");
    assert_eq!(stage.browser.post_from("same-origin", "/auth/signout").await.status(), StatusCode::SEE_OTHER);
}

async fn declined() {
    let mut stage = stage(|layer| layer).await;
    for (error, expected) in [("access_denied", "access_denied"), ("server_error", "sign_in_failed")] {
        let denied =
            stage.osc.deny(&stage.browser.begin_sign_in("/auth/signin").await).await.expect("a denial");
        let path = path_of(&denied).replace("access_denied", error);
        assert_refused(&stage.browser.navigate(&path).await, expected);
    }
}

async fn refused_by_the_provider() {
    let mut stage = stage(|layer| layer).await;
    for (fault, expected) in [
        (Fault::OAuth("invalid_grant"), "sign_in_failed"),
        (Fault::OAuth("invalid_client"), "misconfigured"),
        (Fault::Status(503), "provider_unavailable"),
    ] {
        let path = callback(&mut stage.browser, &stage.osc).await;
        stage.osc.fault(Endpoint::Token, fault).once();
        assert_refused(&stage.browser.navigate(&path).await, expected);
    }
}

async fn with_a_bad_callback() {
    let mut stage = stage(|layer| layer).await;
    let path = callback(&mut stage.browser, &stage.osc).await;
    let other_issuer = format!("{path}&iss=https://evil.example");
    assert_refused(&stage.browser.navigate(&other_issuer).await, "invalid_request");
    let path = callback(&mut stage.browser, &stage.osc).await;
    assert_refused(&stage.browser.navigate(&path.replace("code=", "other=")).await, "invalid_request");

    let path = callback(&mut stage.browser, &stage.osc).await;
    let mut without_cookie = Browser::new(app(&stage.layer));
    assert_refused(&without_cookie.navigate(&path).await, "invalid_state");
    let mut other = Browser::new(app(&stage.layer));
    other.begin_sign_in("/auth/signin").await;
    assert_refused(&other.navigate(&path).await, "invalid_state");
    stage.pass(GOOD_FOR);
    assert_refused(&stage.browser.navigate(&path).await, "invalid_state");
}

/// More sign-ins than a browser keeps. The layer begins the first one anew in a window, but not in the background.
async fn displaced() {
    let mut stage = stage(|layer| layer).await;
    let first = callback(&mut stage.browser, &stage.osc).await;
    for _ in 0..8 {
        stage.clock.advance(Duration::from_millis(1));
        stage.browser.begin_sign_in("/auth/signin").await;
    }
    assert_refused(&stage.browser.fetch(&first).await, "invalid_state");
    assert_eq!(stage.browser.navigate(&first).await.status(), StatusCode::SEE_OTHER);
}

async fn refused_by_app_or_store() {
    let mut stage = stage(|layer| layer.authorize(|_| false)).await;
    assert_refused(&stage.browser.sign_in(&stage.osc).await, "not_allowed");

    let mut nodes = Nodes::<osc_tests::WatchedClock>::with(MockOsc::builder(), true, 1, |layer| layer).await;
    nodes.node(0).store.trouble_next(Op::Once, Trouble::Fails, 1);
    let path = {
        let authorize = nodes.browser.begin_sign_in("/auth/signin").await;
        nodes.osc.approve(&authorize).await.expect("consent")
    };
    assert_refused(&soon(nodes.browser.navigate(path_of(&path))).await, "store_unavailable");
}
