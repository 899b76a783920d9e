//! Answers to visitors during an outage of the provider.

use std::time::Duration;

use futures_util::FutureExt;
use http::{StatusCode, header};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{EXPIRED, LEEWAY, Stage, error_of, retry_after, soon, token_of};

#[tokio::test]
async fn a_public_path_waits_at_most_200_ms_for_a_silent_provider() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let (hold, request) = stage.held_up("/public").await;

    stage.clock.advance(Duration::from_millis(200));

    let answer = soon(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(token_of(&answer).is_none());
    hold.release();
    // The refresh continued, and the next request gets its token.
    let answer = stage.browser.clone().fetch("/public").await;
    assert!(stage.osc.is_live(token_of(&answer).expect("a token").access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_public_path_keeps_a_valid_token_with_a_silent_provider() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.pass(LEEWAY);
    let (_hold, request) = stage.held_up("/public").await;
    stage.clock.advance(Duration::from_millis(200));
    let answer = soon(request).await;
    assert_eq!(token_of(&answer).expect("the old token").access_token(), old.access_token());
}

#[tokio::test]
async fn a_public_path_passes_at_once_during_backoff() {
    let mut stage = Stage::signed_in().await;
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "20".to_owned()));
    stage.pass(EXPIRED);
    assert_eq!(error_of(&stage.fetch("/").await), "temporarily_unavailable");
    let answer = stage.browser.fetch("/public").now_or_never().expect("it waits");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(token_of(&answer).is_none());
    assert!(!answer.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn s56_an_outage_neither_redirects_nor_offers_sign_in() {
    let mut stage = Stage::with(MockOsc::builder(), |layer| layer.redirect_to_signin()).await;
    stage.osc.fault(Endpoint::Token, Fault::Status(429));
    stage.pass(EXPIRED);
    for script in [false, true] {
        let answer = if script { stage.fetch("/").await } else { stage.browser.navigate("/").await };
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!answer.headers().contains_key(header::LOCATION), "{answer:?}");
        assert!(!String::from_utf8_lossy(answer.body()).contains("/auth/signin"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_status_of_an_outage_can_be_500() {
    let chosen = StatusCode::INTERNAL_SERVER_ERROR;
    let mut stage = Stage::with(MockOsc::builder(), |layer| layer.outage_status(chosen)).await;
    stage.osc.fault(Endpoint::Token, Fault::Status(429));
    stage.pass(EXPIRED);
    let answer = stage.fetch("/").await;
    assert_eq!(answer.status(), chosen);
    assert_eq!(error_of(&answer), "temporarily_unavailable");
    assert!(retry_after(&answer) >= Duration::from_secs(1));
    assert!(!answer.headers().contains_key(header::WWW_AUTHENTICATE));
}

#[tokio::test]
async fn a_request_waits_at_most_ten_seconds_for_a_silent_provider() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let (hold, request) = stage.held_up("/").await;
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(error_of(&soon(request).await), "temporarily_unavailable");
    hold.release();
    assert_eq!(stage.browser.clone().fetch("/").await.status(), StatusCode::OK);
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_request_whose_token_expires_waits_for_the_next() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED - Duration::from_secs(2));
    let (hold, mut request) = stage.held_up("/").await;
    stage.pass(Duration::from_secs(9));
    assert!(request.as_mut().now_or_never().is_none(), "it gave up");
    hold.release();
    let answer = soon(request).await;
    assert!(stage.osc.is_live(token_of(&answer).expect("the new token").access_token()));
}
