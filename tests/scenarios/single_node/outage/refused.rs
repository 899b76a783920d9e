//! Refusals by the provider. A refused refresh token ends the session, and a refused client does not.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, Fault};
use osc_tests::{AHEAD, EXPIRED, LEEWAY, Logs, Stage, error_of, soon};

#[tokio::test]
async fn s42_invalid_grant_ends_the_session_and_removes_its_cookie() {
    let mut stage = Stage::signed_in().await;
    let mut other_tab = stage.browser.clone();
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));

    let answer = stage.fetch("/").await;

    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(error_of(&answer), "session_ended");
    assert!(stage.browser.cookies().is_empty());
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated");
    // A second tab gets the same error, and the provider is not asked again.
    assert_eq!(error_of(&other_tab.fetch("/").await), "session_ended");
    assert!(other_tab.cookies().is_empty());
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn s28_a_dead_refresh_token_ends_the_session_at_the_next_refresh() {
    let mut stage = Stage::signed_in().await;
    stage.osc.revoke_refresh_tokens();
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    stage.pass(LEEWAY);

    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
    assert!(stage.browser.cookies().is_empty());
}

#[tokio::test]
async fn a_refusal_in_the_background_ends_the_session_at_the_next_request() {
    let mut stage = Stage::signed_in().await;
    let token = stage.token().await;
    stage.osc.revoke_grants();
    stage.pass(AHEAD);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    assert!(soon(token.session().refresh(&token)).await.is_err());

    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_visitor_whose_session_was_ended_signs_in_again() {
    let mut stage = Stage::signed_in().await;
    stage.osc.revoke_grants();
    stage.pass(EXPIRED);
    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
    let stage = stage.sign_in().await;
    assert!(stage.osc.is_live(stage.token().await.access_token()));
}

#[tokio::test]
async fn a_refused_client_keeps_the_session_and_is_logged() {
    let logs = Logs::collect();
    let mut stage = Stage::signed_in().await;
    let mut asked = 0;
    stage.osc.fault(Endpoint::Token, Fault::OAuth("invalid_client"));
    stage.pass(EXPIRED);
    for _ in 0..3 {
        let answer = stage.fetch("/").await;
        assert_eq!(error_of(&answer), "temporarily_unavailable");
        asked += 1;
        assert_eq!(stage.refreshes(), asked);
        stage.pass(osc_tests::retry_after(&answer) + Duration::from_secs(1));
    }
    let text = logs.text();
    let line = text.lines().find(|line| line.contains("ERROR")).expect("an error is logged");
    assert!(line.contains("CLIENT_ID") && line.contains("invalid_client"), "{line}");
    assert!(!text.contains(&stage.osc.client_secret()));

    // The client works again.
    stage.osc.clear_faults();
    assert!(stage.osc.is_live(stage.token().await.access_token()));
}
