//! Early refresh in the background, so that an active user never waits for the provider.

use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::OscToken;
use osc_tests::{AHEAD, Answer, LEEWAY, Stage, soon, token_of};

/// Returns the token of a request that must not wait.
fn at_once(request: impl Future<Output = Answer>) -> OscToken {
    let answer = request.now_or_never().expect("the request waits");
    token_of(&answer).expect("a token")
}

#[tokio::test]
async fn early_refresh_runs_in_the_background_once() {
    let mut stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.pass(AHEAD);
    let hold = stage.osc.hold(Endpoint::Token);

    for _ in 0..100 {
        assert_eq!(at_once(stage.browser.fetch("/")).access_token(), old.access_token());
    }

    soon(hold.arrived(1)).await;
    assert_eq!(at_once(stage.browser.fetch("/")).access_token(), old.access_token());
    hold.release();
    let new = soon(old.session().refresh(&old)).await.expect("the refresh under way");
    assert_eq!(at_once(stage.browser.fetch("/")).access_token(), new.access_token());
    assert!(stage.osc.is_live(new.access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_user_active_every_minute_never_waits() {
    let mut stage = Stage::signed_in().await;
    let mut token = stage.token().await;
    for minute in 1..=300 {
        stage.pass(Duration::from_secs(60));
        let hold = stage.osc.hold(Endpoint::Token);
        let refreshes = stage.refreshes();
        let given = at_once(stage.browser.fetch("/"));
        assert!(stage.osc.is_live(given.access_token()), "minute {minute}");
        assert_eq!(given.access_token(), token.access_token());
        let left = given.expires_at().duration_since(osc_auth_layer::Clock::now(&stage.clock)).unwrap();
        if left <= Duration::from_secs(180) {
            // The request must have started a refresh, with any jitter.
            soon(hold.arrived(1)).await;
        }
        hold.release();
        if left <= Duration::from_secs(300) {
            // The request may have started a refresh, which must not reach into the next minute.
            token = soon(given.session().refresh(&given)).await.expect("a newer token");
            assert_eq!(stage.refreshes(), refreshes + 1);
        }
    }
    assert!((5..=6).contains(&stage.refreshes()), "{}", stage.refreshes());
}

#[tokio::test]
async fn nothing_is_refreshed_before_its_time() {
    let stage = Stage::signed_in().await;
    stage.pass(Duration::from_secs(3600 - 301));
    stage.token().await;
    // A refresh that was started runs now, and `shutdown` waits for it.
    tokio::task::yield_now().await;
    assert!(soon(stage.layer.shutdown(Duration::from_secs(1))).await.is_ok());
    assert_eq!(stage.refreshes(), 0);
}

#[tokio::test]
async fn configured_refresh_times_are_used() {
    let (ahead, leeway) = (Duration::from_secs(1200), Duration::from_secs(600));
    let configure =
        |layer: osc_auth_layer::OscAuthLayerBuilder| layer.refresh_ahead(ahead).refresh_leeway(leeway);
    let mut stage = Stage::with(MockOsc::builder(), configure).await;
    let old = stage.token().await;
    let hold = stage.osc.hold(Endpoint::Token);
    stage.pass(Duration::from_secs(3600 - 1201));
    assert_eq!(at_once(stage.browser.fetch("/")).access_token(), old.access_token());
    stage.pass(Duration::from_secs(601));
    let mut browser = stage.browser.clone();
    let mut request = Box::pin(browser.fetch("/"));
    assert!(request.as_mut().now_or_never().is_none(), "in the leeway it waits");
    soon(hold.arrived(1)).await;
    hold.release();
    assert_ne!(token_of(&soon(request).await).unwrap().access_token(), old.access_token());
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_failed_early_refresh_disturbs_nobody_and_is_retried() {
    let mut stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.pass(AHEAD);
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "5".to_owned())).once();
    assert_eq!(at_once(stage.browser.fetch("/")).access_token(), old.access_token());
    // This joins the running refresh, or gets its error.
    assert!(soon(old.session().refresh(&old)).await.is_err());

    assert_eq!(at_once(stage.browser.fetch("/")).access_token(), old.access_token());
    stage.pass(Duration::from_secs(8));
    let hold = stage.osc.hold(Endpoint::Token);
    assert_eq!(at_once(stage.browser.fetch("/")).access_token(), old.access_token());
    soon(hold.arrived(1)).await;
    hold.release();

    let new = soon(old.session().refresh(&old)).await.expect("the second refresh");
    assert_eq!(stage.token().await.access_token(), new.access_token());
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn with_a_slow_provider_requests_keep_a_valid_token() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.pass(LEEWAY);
    let (hold, request) = stage.held_up("/").await;

    stage.clock.advance(Duration::from_secs(3));

    let answer = soon(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(token_of(&answer).unwrap().access_token(), old.access_token());
    hold.release();
    assert_ne!(stage.token().await.access_token(), old.access_token());
    assert_eq!(stage.refreshes(), 1);
}
