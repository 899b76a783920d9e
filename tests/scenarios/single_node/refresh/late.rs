//! Answers to a refresh that are late, are lost in the layer, or do not help.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::SessionErrorKind;
use osc_tests::{EXPIRED, Nodes, Op, QuickClock, Stage, Trouble, app, error_of, soon, token_of};

/// The minimum time between two forced refreshes of a session.
const FORCE_AGAIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn s78_an_answer_after_eleven_seconds_keeps_the_session() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    // The provider rotates at once, and revokes the grant when the old refresh token is used again.
    stage.osc.fault(Endpoint::Token, Fault::LateAnswer(Duration::from_secs(11))).once();
    let token = stage.token().await;
    assert!(stage.osc.is_live(token.access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn s78_a_late_answer_is_used_by_the_next_request() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let patience = Duration::from_secs(10);
    let (hold, request) = stage.held_up("/").await;
    stage.clock.slept(patience..=patience, 1).await;
    stage.clock.advance(patience);
    assert_eq!(error_of(&soon(request).await), "temporarily_unavailable");
    hold.release();
    assert!(stage.osc.is_live(stage.token().await.access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn s78_a_store_that_panics_in_a_write_costs_no_second_grant() {
    for trouble in [Trouble::Panics, Trouble::PanicsAfter] {
        for op in [Op::Replace, Op::Release, Op::Lease] {
            // The pauses between two tries, but not the time that an operation of the store may take.
            let pauses = Duration::from_millis(50)..=Duration::from_millis(1600);
            let nodes = Nodes::notified(2).await;
            nodes.pass(EXPIRED);
            nodes.node(0).store.trouble_next(op, trouble, 1);
            let answer = nodes.through(pauses.clone(), nodes.fetch(0)).await;
            if token_of(&answer).is_none() {
                // Without a lease, no request was sent.
                assert_eq!(error_of(&answer), "temporarily_unavailable", "{op:?} {trouble:?}");
                assert_eq!(nodes.refreshes(), 0, "{op:?} {trouble:?}");
                nodes.pass(Duration::from_secs(2));
            }
            let token = nodes.through(pauses, nodes.token(0)).await;
            assert!(nodes.osc.is_live(token.access_token()), "{op:?} {trouble:?}");
            assert_eq!(nodes.refreshes(), 1, "{op:?} {trouble:?}");
        }
    }
}

#[tokio::test]
async fn s78_a_refresh_lost_with_its_runtime_is_repeated_once() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::HangUp);
    let hold = stage.osc.hold(Endpoint::Token);
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut first = stage.browser.clone();
    doomed.spawn(async move { first.fetch("/").await });
    soon(hold.arrived(1)).await;
    doomed.shutdown_background();
    hold.release();
    assert_eq!(error_of(&soon(stage.browser.clone().fetch("/")).await), "temporarily_unavailable");
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn s79_an_api_that_refuses_every_token_costs_one_refresh_in_ten_seconds() {
    let stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    for grants in 1..=3 {
        let (mut fresh, mut refused) = (0, 0);
        for _ in 0..200 {
            let rejected = soon(session.token()).await.expect("a token");
            match soon(session.refresh(&rejected)).await {
                Ok(newer) => {
                    assert_ne!(newer.access_token(), rejected.access_token());
                    fresh += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), SessionErrorKind::FreshTokenRejected);
                    assert!(error.retry_after().is_some_and(|wait| wait <= FORCE_AGAIN));
                    refused += 1;
                }
            }
        }
        assert_eq!((fresh, refused), (1, 199));
        assert_eq!(stage.refreshes(), grants);
        stage.pass(FORCE_AGAIN);
    }
}

#[tokio::test]
async fn s79_a_provider_that_repeats_its_token_is_asked_once_in_ten_seconds() {
    let stage = Stage::signed_in().await;
    let rejected = stage.token().await;
    stage.osc.set_token_field("access_token", serde_json::Value::from(rejected.access_token()));
    for _ in 0..200 {
        let error = soon(rejected.session().refresh(&rejected)).await.unwrap_err();
        assert!(matches!(
            error.kind(),
            SessionErrorKind::NotRefreshable | SessionErrorKind::FreshTokenRejected
        ));
    }
    assert!(stage.refreshes() <= 2, "{}", stage.refreshes());
}

#[tokio::test]
async fn s79_a_caller_with_an_older_token_gets_the_current_one() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    let newer = soon(old.session().refresh(&old)).await.expect("a token");
    for _ in 0..200 {
        let token = soon(old.session().refresh(&old)).await.expect("a token");
        assert_eq!(token.access_token(), newer.access_token());
    }
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_briefly_unknown_registration_ends_no_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = QuickClock::new();
    let client = osc_auth_layer::OAuthClient::register("App");
    let layer = osc_auth_layer::OscAuthLayer::builder(client)
        .issuer(osc.issuer())
        .public_url("http://localhost:3000")
        .clock(clock.clone())
        .build()
        .unwrap();
    let mut browser = osc_tests::Browser::new(app(&layer));
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
    clock.advance(EXPIRED);
    osc.advance(EXPIRED);
    osc.fault(Endpoint::Token, Fault::OAuth("invalid_client")).once();

    assert!(token_of(&soon(browser.fetch("/")).await).is_some());

    assert_eq!(osc.count(Endpoint::Register), 1);
}
