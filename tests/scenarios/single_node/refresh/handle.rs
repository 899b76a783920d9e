//! `OscSession`, the handle that outlives its request.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, Fault};
use osc_auth_layer::{Clock, SessionErrorKind};
use osc_tests::{AHEAD, EXPIRED, LEEWAY, Stage, error_of, soon};

#[tokio::test]
async fn a_job_that_runs_for_three_lifetimes_always_has_a_fresh_token() {
    let mut stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    // One step every seven minutes for hours, with one break longer than a token's lifetime.
    for step in 0..40 {
        stage.pass(Duration::from_secs(if step == 13 { 2 * 3600 } else { 7 * 60 }));
        let token = soon(session.token()).await.expect("a token");
        assert!(stage.osc.is_live(token.access_token()), "step {step}");
        assert!(token.expires_at() > stage.clock.now());
    }
    assert!(stage.refreshes() >= 4, "{}", stage.refreshes());
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_rejected_token_is_refreshed_once_for_any_number_of_callers() {
    let stage = Stage::signed_in().await;
    let rejected = stage.token().await;
    let session = rejected.session();
    let hold = stage.osc.hold(Endpoint::Token);
    let mut callers = Box::pin(join_all((0..500).map(|_| session.refresh(&rejected))));
    assert!(callers.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    hold.release();

    let tokens = soon(callers).await;

    let newer = tokens[0].as_ref().expect("a token").access_token();
    assert_ne!(newer, rejected.access_token());
    assert!(stage.osc.is_live(newer));
    assert!(tokens.iter().all(|token| token.as_ref().unwrap().access_token() == newer));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn refreshing_a_replaced_token_returns_the_newer_one() {
    let stage = Stage::signed_in().await;
    let first = stage.token().await;
    let second = soon(first.session().refresh(&first)).await.expect("a token");

    let again = soon(first.session().refresh(&first)).await.expect("a token");

    assert_eq!(again.access_token(), second.access_token());
    assert_eq!(stage.token().await.access_token(), second.access_token());
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_late_job_never_gets_an_expired_newer_token() {
    let stage = Stage::signed_in().await;
    let first = stage.token().await;
    soon(first.session().refresh(&first)).await.expect("a token");
    stage.pass(EXPIRED);

    let token = soon(first.session().refresh(&first)).await.expect("a token");

    assert!(token.expires_at() > stage.clock.now(), "it has expired");
    assert!(stage.osc.is_live(token.access_token()));
}

#[tokio::test]
async fn in_an_outage_a_late_job_gets_the_newer_valid_token() {
    let stage = Stage::signed_in().await;
    let first = stage.token().await;
    let second = soon(first.session().refresh(&first)).await.expect("a token");
    stage.pass(LEEWAY);
    stage.osc.fault(Endpoint::Token, Fault::Status(429));
    for attempt in ["the provider fails", "the provider is left alone"] {
        let token = soon(first.session().refresh(&first)).await.expect(attempt);
        assert_eq!(token.access_token(), second.access_token(), "{attempt}");
    }
}

#[tokio::test]
async fn a_soon_expiring_token_is_returned_and_refreshed_in_background() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    let session = old.session();
    stage.pass(AHEAD);
    let hold = stage.osc.hold(Endpoint::Token);

    let token = session.token().now_or_never().expect("it waits").expect("a token");

    assert_eq!(token.access_token(), old.access_token());
    soon(hold.arrived(1)).await;
    hold.release();
    assert_ne!(soon(session.refresh(&old)).await.expect("a token").access_token(), old.access_token());
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn signing_out_from_code_ends_the_session_and_revokes_the_grant() {
    let mut stage = Stage::signed_in().await;
    let token = stage.token().await;

    token.session().sign_out().await;

    let answer = stage.fetch("/").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(error_of(&answer), "unauthenticated");
    assert_eq!(soon(token.session().token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
    assert_eq!(soon(token.session().refresh(&token)).await.unwrap_err().kind(), SessionErrorKind::Ended);
    token.session().sign_out().await;
    assert!(soon(stage.layer.shutdown(Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.count(Endpoint::Revoke), 1);
    assert!(!stage.osc.is_live(token.access_token()));
}

#[tokio::test]
async fn a_handle_ends_with_the_sign_out_in_the_browser() {
    let mut stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    stage.browser.post_from("same-origin", "/auth/signout").await;
    let error = soon(session.token()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (SessionErrorKind::Ended, None));
}

#[tokio::test]
async fn a_handle_waiting_for_a_refresh_notices_the_sign_out() {
    let stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    stage.pass(EXPIRED);
    let hold = stage.osc.hold(Endpoint::Token);
    let mut waiting = Box::pin(session.token());
    assert!(waiting.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    session.sign_out().await;
    hold.release();
    assert_eq!(soon(waiting).await.unwrap_err().kind(), SessionErrorKind::Ended);
}

#[tokio::test]
async fn a_handle_of_a_dropped_layer_has_no_session() {
    let stage = Stage::signed_in().await;
    let token = stage.token().await;
    let Stage { layer, browser, osc, .. } = stage;
    drop((layer, browser));
    assert_eq!(soon(token.session().token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
    assert_eq!(soon(token.session().refresh(&token)).await.unwrap_err().kind(), SessionErrorKind::Ended);
    token.session().sign_out().await;
    assert_eq!(osc.count(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn handles_distinguish_an_outage_from_the_sessions_end() {
    let stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "30".to_owned())).once();

    let error = soon(session.token()).await.unwrap_err();

    assert_eq!(error.kind(), SessionErrorKind::Unavailable);
    let wait = error.retry_after().expect("a time");
    assert!((Duration::from_secs(30)..=Duration::from_secs(45)).contains(&wait), "{wait:?}");
    assert_eq!(soon(session.token()).await.unwrap_err().kind(), SessionErrorKind::Unavailable);
    assert_eq!(stage.refreshes(), 1);
    stage.pass(wait);
    assert!(stage.osc.is_live(soon(session.token()).await.expect("a token").access_token()));
}
