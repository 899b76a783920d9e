//! Sign-out against a refresh in flight: sign-out wins.

use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, Fault};
use osc_auth_layer::SessionErrorKind;
use osc_tests::{EXPIRED, LEEWAY, Stage, error_of, soon, token_of};

const RACES: usize = 1000;

/// The refresh token that the provider gave out last.
fn newest(stage: &Stage) -> String {
    stage.osc.issued_tokens().pop().expect("a token")
}

#[tokio::test]
async fn s30_what_a_refresh_brings_after_sign_out_is_revoked_and_revives_nothing() {
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
    // The provider has not heard of the sign-out when it refreshes.
    soon(revoke_hold.arrived(1)).await;
    token_hold.release();

    let answer = soon(request).await;

    assert_eq!(error_of(&answer), "unauthenticated");
    soon(revoke_hold.arrived(2)).await;
    let revoked = stage.osc.requests(Endpoint::Revoke);
    assert_eq!(revoked[1].field("token"), Some(newest(&stage).as_str()));
    revoke_hold.release();
    assert!(soon(stage.layer.shutdown(std::time::Duration::from_secs(5))).await);
    assert_eq!(stage.osc.live_refresh_tokens(), 0);
    let mut thief = stage.browser.clone();
    assert_eq!(error_of(&thief.fetch("/").await), "unauthenticated");
}

#[tokio::test]
async fn s30_a_refresh_that_is_tried_again_after_sign_out_revives_nothing() {
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
    assert!(soon(stage.layer.shutdown(std::time::Duration::from_secs(5))).await);
    assert_eq!(stage.osc.live_refresh_tokens(), 0);
    assert_eq!(error_of(&stage.browser.clone().fetch("/").await), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s30_a_thousand_sign_outs_racing_a_refresh_leave_no_token_and_no_grant() {
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
            // Answered before the sign-out or after it; in both cases answered.
            let answer = soon(request).await.unwrap();
            assert!(
                matches!(answer.status(), StatusCode::OK | StatusCode::UNAUTHORIZED),
                "race {race}: {answer:?}"
            );
        }
    }
    // Revocations run beside; the last of them too has ended after this.
    assert!(soon(stage.layer.shutdown(std::time::Duration::from_secs(5))).await);
    // The session that the stage began with is the only one nobody signed out of.
    assert_eq!(stage.osc.live_refresh_tokens(), 1);
}

#[tokio::test]
async fn s30_who_waits_for_a_slow_refresh_falls_back_on_no_token_of_a_session_signed_out_meanwhile() {
    let stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    stage.pass(LEEWAY);
    let (hold, request) = stage.held_up("/").await;
    let mut job = Box::pin(session.token());
    assert!(job.as_mut().now_or_never().is_none());
    stage.browser.clone().post_from("same-origin", "/auth/signout").await;

    // The patience of a request, and then of a job; the token would be good for longer.
    stage.clock.advance(Duration::from_secs(3));
    assert_eq!(error_of(&soon(request).await), "unauthenticated");
    stage.clock.advance(Duration::from_secs(27));
    let error = soon(job).await.expect_err("no token");
    assert_eq!(error.kind(), SessionErrorKind::Ended);
    hold.release();
}
