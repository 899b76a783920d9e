//! Idle and absolute timeouts.

use std::time::Duration;

use http::{StatusCode, header};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::SessionErrorKind;
use osc_tests::{Stage, error_of, soon, token_of};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Returns a stage whose tokens outlive every session, so that only the timeouts decide.
async fn with_long_tokens(
    configure: impl FnOnce(osc_auth_layer::OscAuthLayerBuilder) -> osc_auth_layer::OscAuthLayerBuilder,
) -> Stage {
    Stage::with(MockOsc::builder().token_ttl(10_000 * HOUR), configure).await
}

#[tokio::test]
async fn s26_a_session_nobody_uses_for_a_day_ends() {
    let mut stage = with_long_tokens(|layer| layer).await;
    stage.pass(24 * HOUR - Duration::from_secs(1));
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    stage.pass(24 * HOUR);
    let answer = stage.fetch("/").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(error_of(&answer), "unauthenticated");
    let answer = stage.fetch("/public").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(token_of(&answer).is_none());
}

#[tokio::test]
async fn s26_every_use_begins_the_idle_time_anew() {
    let mut stage = with_long_tokens(|layer| layer.idle_timeout(10 * MINUTE)).await;
    let session = stage.token().await.session();
    for step in 0..30 {
        stage.pass(9 * MINUTE);
        match step % 3 {
            0 => assert_eq!(stage.fetch("/").await.status(), StatusCode::OK),
            1 => assert!(token_of(&stage.fetch("/public").await).is_some()),
            _ => assert!(soon(session.token()).await.is_ok()),
        }
    }
    stage.pass(10 * MINUTE);
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated");
    assert_eq!(soon(session.token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
}

#[tokio::test]
async fn s26_an_idle_session_with_a_refresh_token_ends_too() {
    let mut stage = Stage::signed_in().await;
    stage.pass(24 * HOUR);
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated");
    assert_eq!(stage.refreshes(), 0);
}

#[tokio::test]
async fn s27_a_constantly_used_session_ends_after_thirty_days() {
    let mut stage = Stage::signed_in().await;
    for _ in 1..30 * 4 {
        stage.pass(6 * HOUR);
        assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    }
    let session = stage.token().await.session();
    stage.pass(6 * HOUR - Duration::from_secs(1));
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    stage.pass(Duration::from_secs(1));
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated");
    assert_eq!(soon(session.token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
}

#[tokio::test]
async fn s27_the_absolute_timeout_is_the_cookies_max_age_and_set_once() {
    let configure = |layer: osc_auth_layer::OscAuthLayerBuilder| layer.absolute_timeout(3 * HOUR);
    let mut stage = Stage::before_sign_in(MockOsc::builder(), configure).await;
    let answer = stage.browser.sign_in(&stage.osc).await;
    let cookies: Vec<_> =
        answer.headers().get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).collect();
    let session: Vec<_> = cookies.iter().filter(|cookie| cookie.starts_with("osc_session_3000=")).collect();
    assert_eq!(session.len(), 1, "{cookies:?}");
    assert!(session[0].contains("Max-Age=10800"), "{session:?}");
    for _ in 0..5 {
        stage.pass(30 * MINUTE);
        let answer = stage.fetch("/").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
    }
    stage.pass(30 * MINUTE);
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated");
}

#[tokio::test]
async fn a_restart_signs_everyone_out() {
    let mut stage = Stage::signed_in().await;
    let restarted = osc_tests::layer(&stage.osc);
    stage.browser.switch_app(osc_tests::app(&restarted));
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated");
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
    stage.browser.sign_in(&stage.osc).await;
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn two_layers_in_one_process_share_no_sessions() {
    let mut stage = Stage::signed_in().await;
    let other = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut stranger = other.browser.clone();
    for (name, value) in stage.browser.cookies() {
        stranger.set_cookie(name, value);
    }
    assert_eq!(error_of(&stranger.fetch("/").await), "unauthenticated");
    stranger.post_from("same-origin", "/auth/signout").await;
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}
