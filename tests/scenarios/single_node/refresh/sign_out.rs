//! Sign-out during a refresh: the sign-out wins.

use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, Fault};
use osc_auth_layer::SessionErrorKind;
use osc_tests::{EXPIRED, LEEWAY, Stage, error_of, soon, token_of};

const RACES: usize = 1000;

/// Returns the latest refresh token that the provider issued.
fn newest(stage: &Stage) -> String {
    stage.osc.issued_tokens().pop().expect("a token")
}

#[tokio::test]
async fn s30_tokens_refreshed_after_sign_out_are_revoked() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let token_hold = stage.osc.hold(Endpoint::Token);
    let revoke_hold = stage.osc.hold(Endpoint::Revoke);
    let mut waiting = stage.browser.clone();
    let mut request = Box::pin(waiting.fetch("/"));
    assert!(request.as_mut().now_or_never().is_none());
    soon(token_hold.arrived(1)).await;
    let mut leaving = stage.browser.clone();
    assert_eq!(leaving.post_from("same-origin", "/auth/signout").await.status(), StatusCode::SEE_OTHER);
    // The provider refreshes before it hears of the sign-out.
    soon(revoke_hold.arrived(1)).await;
    token_hold.release();

    let answer = soon(request).await;

    assert_eq!(error_of(&answer), "unauthenticated");
    soon(revoke_hold.arrived(2)).await;
    let revoked = stage.osc.requests(Endpoint::Revoke);
    assert_eq!(revoked[1].field("token"), Some(newest(&stage).as_str()));
    revoke_hold.release();
    assert!(soon(stage.layer.shutdown(std::time::Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.live_refresh_tokens(), 0);
    let mut thief = stage.browser.clone();
    assert_eq!(error_of(&thief.fetch("/").await), "unauthenticated");
}

#[tokio::test]
async fn s30_a_refresh_retried_after_sign_out_revives_nothing() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::Status(500)).once();
    let mut waiting = stage.browser.clone();
    let mut request = Box::pin(waiting.fetch("/"));
    assert!(request.as_mut().now_or_never().is_none());
    let pause = stage.clock.slept(osc_tests::WatchedClock::SECOND_TRY, 1).await;
    stage.browser.clone().post_from("same-origin", "/auth/signout").await;
    stage.clock.advance(pause);

    assert_eq!(soon(request).await.status(), StatusCode::UNAUTHORIZED);
    assert!(soon(stage.layer.shutdown(std::time::Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.live_refresh_tokens(), 0);
    assert_eq!(error_of(&stage.browser.clone().fetch("/").await), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s30_sign_outs_racing_a_refresh_leave_no_grant() {
    let mut stage = Stage::signed_in().await;
    for race in 0..RACES {
        stage.browser.forget_cookies("");
        assert_eq!(stage.browser.sign_in(&stage.osc).await.status(), StatusCode::SEE_OTHER);
        stage.pass(EXPIRED);
        let hold = stage.osc.hold(Endpoint::Token);
        let requests: Vec<_> = (0..4)
            .map(|_| {
                let mut browser = stage.browser.clone();
                tokio::spawn(async move { browser.fetch("/").await })
            })
            .collect();
        soon(hold.arrived(1)).await;
        let mut leaving = stage.browser.clone();
        let leaving = tokio::spawn(async move { leaving.post_from("same-origin", "/auth/signout").await });
        hold.release();

        assert_eq!(leaving.await.unwrap().status(), StatusCode::SEE_OTHER, "race {race}");

        let after = stage.browser.clone().fetch("/").await;
        assert!(token_of(&after).is_none(), "race {race}: a token after sign-out");
        assert_eq!(error_of(&after), "unauthenticated");
        for request in requests {
            // The request is answered before or after the sign-out, but it is always answered.
            let answer = soon(request).await.unwrap();
            assert!(
                matches!(answer.status(), StatusCode::OK | StatusCode::UNAUTHORIZED),
                "race {race}: {answer:?}"
            );
        }
    }
    // Revocations run in the background. All of them have ended after this.
    assert!(soon(stage.layer.shutdown(std::time::Duration::from_secs(5))).await.is_ok());
    // Only the session from the start of the test was never signed out.
    assert_eq!(stage.osc.live_refresh_tokens(), 1);
}

#[tokio::test]
async fn s30_waiters_get_no_token_of_a_signed_out_session() {
    let stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    stage.pass(LEEWAY);
    let (hold, request) = stage.held_up("/").await;
    let mut job = Box::pin(session.token());
    assert!(job.as_mut().now_or_never().is_none());
    stage.browser.clone().post_from("same-origin", "/auth/signout").await;

    // The time limit of a request, and then of a job. The token would be valid for longer.
    stage.clock.advance(Duration::from_secs(3));
    assert_eq!(error_of(&soon(request).await), "unauthenticated");
    stage.clock.advance(Duration::from_secs(27));
    let error = soon(job).await.expect_err("no token");
    assert_eq!(error.kind(), SessionErrorKind::Ended);
    hold.release();
}
