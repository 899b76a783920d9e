//! Single kinds of failure at a refresh: how often the provider is asked, what the visitor gets, and that the
//! session works afterwards.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{EXPIRED, LEEWAY, Stage, error_of, retry_after, token_of};

/// The number of requests before the layer stops asking the provider.
const POSSIBLY_PROCESSED: usize = 2;
const NOT_PROCESSED: usize = 1;

#[tokio::test]
async fn s42_a_server_error_is_retried_once_and_ends_no_session() {
    for status in [500, 502, 503, 504] {
        survives(Fault::Status(status), POSSIBLY_PROCESSED).await;
    }
}

#[tokio::test]
async fn s42_an_oauth_server_error_is_retried_once_and_ends_no_session() {
    survives(Fault::OAuth("server_error"), POSSIBLY_PROCESSED).await;
    survives(Fault::OAuth("temporarily_unavailable"), POSSIBLY_PROCESSED).await;
}

#[tokio::test]
async fn s42_a_client_error_of_a_gateway_ends_no_session() {
    let page = "<title>Blocked</title>".to_owned();
    survives(Fault::Answer(403, "text/html", page), POSSIBLY_PROCESSED).await;
    survives(Fault::Status(404), POSSIBLY_PROCESSED).await;
}

#[tokio::test]
async fn s42_a_429_is_not_retried_and_ends_no_session() {
    survives(Fault::Status(429), NOT_PROCESSED).await;
    survives(Fault::RetryAfter(429, "30".to_owned()), NOT_PROCESSED).await;
    survives(Fault::RetryAfter(429, "tomorrow, perhaps".to_owned()), NOT_PROCESSED).await;
}

#[tokio::test]
async fn s42_a_closed_connection_is_retried_once_and_ends_no_session() {
    survives(Fault::HangUp, POSSIBLY_PROCESSED).await;
}

#[tokio::test]
async fn s42_malformed_answers_are_retried_once_and_end_no_session() {
    for nonsense in [Fault::Html, Fault::Empty, Fault::MalformedJson, Fault::WrongTypes] {
        survives(nonsense, POSSIBLY_PROCESSED).await;
    }
}

#[tokio::test]
async fn s42_a_huge_answer_is_retried_once_and_ends_no_session() {
    survives(Fault::Huge, POSSIBLY_PROCESSED).await;
}

#[tokio::test]
async fn s42_a_redirect_is_not_followed_and_ends_no_session() {
    let elsewhere = MockOsc::builder().start().await.unwrap();
    let target = format!("{}/api/connect/token", elsewhere.issuer());
    survives(Fault::Redirect(target), POSSIBLY_PROCESSED).await;
    assert_eq!(elsewhere.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s42_lost_answers_end_no_session_within_the_providers_grace() {
    survives(Fault::LostAnswer, POSSIBLY_PROCESSED).await;
    survives(Fault::HalfAnswer, POSSIBLY_PROCESSED).await;
    survives(Fault::Status(502).after_processing(), POSSIBLY_PROCESSED).await;
}

#[tokio::test]
async fn s42_a_refused_client_is_not_retried_and_ends_no_session() {
    for code in ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"] {
        survives(Fault::OAuth(code), NOT_PROCESSED).await;
    }
}

/// Checks that a session survives an outage that begins before its token expires and ends long after.
async fn survives(fault: Fault, requests: usize) {
    let provider = MockOsc::builder().refresh_grace(Duration::from_secs(60));
    let mut stage = Stage::with(provider, |layer| layer).await;
    let old = stage.token().await;
    stage.osc.fault(Endpoint::Token, fault.clone());

    // The token is still valid, so the visitor notices nothing.
    stage.pass(LEEWAY);
    let answer = stage.clock.clone().through_second_tries(stage.browser.fetch("/")).await;
    assert_eq!(token_of(&answer).expect("the old token").access_token(), old.access_token(), "{fault:?}");
    assert_eq!(stage.refreshes(), requests, "{fault:?}");

    // The token has expired. The visitor is asked to retry and keeps the cookie.
    stage.pass(EXPIRED - LEEWAY);
    let answer = stage.clock.clone().through_second_tries(stage.browser.fetch("/")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
    assert_eq!(error_of(&answer), "temporarily_unavailable", "{fault:?}");
    assert!(!answer.headers().contains_key("set-cookie"), "{fault:?}");
    assert_eq!(stage.refreshes(), 2 * requests, "{fault:?}");

    // The outage is over, and the session works again.
    stage.osc.clear_faults();
    stage.pass(retry_after(&answer));
    let token = stage.token().await;
    assert!(stage.osc.is_live(token.access_token()), "{fault:?}");
    assert_eq!(stage.refreshes(), 2 * requests + 1, "{fault:?}");
}

#[tokio::test]
async fn within_the_grace_a_lost_answer_is_recovered_in_two_seconds() {
    for fault in [Fault::LostAnswer, Fault::HalfAnswer, Fault::Html.after_processing(), Fault::HangUp] {
        let provider = MockOsc::builder().refresh_grace(Duration::from_secs(2));
        let stage = Stage::with(provider, |layer| layer).await;
        stage.pass(EXPIRED);
        stage.osc.fault(Endpoint::Token, fault.clone()).once();
        let clock = stage.clock.clone();

        // `through_second_tries` only ends pauses of less than two seconds.
        let token = clock.through_second_tries(stage.token()).await;

        assert!(stage.osc.is_live(token.access_token()), "{fault:?}");
        assert_eq!(stage.refreshes(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn without_a_grace_a_lost_answer_ends_the_session_as_documented() {
    for fault in [Fault::LostAnswer, Fault::HalfAnswer] {
        let mut stage = Stage::signed_in().await;
        stage.pass(EXPIRED);
        stage.osc.fault(Endpoint::Token, fault).once();

        let answer = stage.clock.clone().through_second_tries(stage.browser.fetch("/")).await;

        assert_eq!(error_of(&answer), "session_ended");
        assert!(stage.browser.cookies().is_empty());
        assert_eq!(stage.refreshes(), 2);
    }
}

#[tokio::test]
async fn a_lost_answer_of_a_provider_that_does_not_rotate_is_harmless() {
    let provider = MockOsc::builder().rotation(mock_osc::Rotation::Never);
    let stage = Stage::with(provider, |layer| layer).await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::LostAnswer).once();
    let clock = stage.clock.clone();
    let token = clock.through_second_tries(stage.token()).await;
    assert!(stage.osc.is_live(token.access_token()));
}

#[tokio::test]
async fn s42_a_silent_provider_is_not_asked_again_too_early() {
    let mut stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::Endless(Duration::from_secs(1))).once();
    let began = std::time::Instant::now();

    // The request never times out on this clock, so the HTTP client gives up first.
    assert_eq!(error_of(&stage.fetch("/").await), "temporarily_unavailable");

    assert!(began.elapsed() >= Duration::from_secs(20), "the HTTP client's time is real");
    assert_eq!(stage.refreshes(), 1);
    stage.pass(Duration::from_secs(2));
    assert!(stage.osc.is_live(stage.token().await.access_token()));
    assert_eq!(stage.refreshes(), 2);
}
