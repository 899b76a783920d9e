//! Interrupted requests do not interrupt refreshes.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::OscToken;
use osc_tests::{AHEAD, Body, EXPIRED, LEEWAY, Stage, boxed, error_of, retry_after, soon, token_of};
use tower::{Layer, service_fn};

const LONG: Duration = Duration::from_secs(5);

#[tokio::test]
async fn s43_refresh_survives_client_disconnect() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    for round in 1..=3 {
        stage.pass(EXPIRED);
        let hold = stage.osc.hold(Endpoint::Token);
        let mut browsers = vec![stage.browser.clone(); 10];
        {
            let mut requests = Box::pin(join_all(browsers.iter_mut().map(|browser| browser.fetch("/"))));
            assert!(requests.as_mut().now_or_never().is_none());
            soon(hold.arrived(1)).await;
        }
        hold.release();

        let new = stage.token().await;

        assert_ne!(new.access_token(), old.access_token());
        assert!(stage.osc.is_live(new.access_token()));
        assert_eq!(stage.refreshes(), round);
    }
}

#[tokio::test]
async fn s43_a_request_dropped_before_its_refresh_loses_nothing() {
    let mut stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    assert!(stage.browser.fetch("/").now_or_never().is_none());

    assert!(stage.osc.is_live(stage.token().await.access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn s43_refresh_survives_a_panicking_handler() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    let panicking = service_fn(|request: Request<Body>| async move {
        assert!(request.extensions().get::<OscToken>().is_none(), "the handler panics, as it should");
        Ok::<_, Infallible>(Response::new(Body::from("unreached")))
    });
    let mut panicking = {
        let mut browser = stage.browser.clone();
        browser.switch_app(boxed(stage.layer.layer(panicking)));
        browser
    };
    let hold = stage.osc.hold(Endpoint::Token);

    // One handler panics while the refresh it started is running, …
    stage.pass(AHEAD);
    let mut browser = panicking.clone();
    assert!(tokio::spawn(async move { browser.fetch("/").await }).await.unwrap_err().is_panic());
    soon(hold.arrived(1)).await;
    hold.release();
    let new = soon(old.session().refresh(&old)).await.expect("the refresh went on");
    assert_eq!(stage.token().await.access_token(), new.access_token());
    assert_eq!(stage.refreshes(), 1);

    // … and another after it waited for the token.
    stage.pass(EXPIRED);
    assert!(tokio::spawn(async move { panicking.fetch("/").await }).await.unwrap_err().is_panic());
    assert!(stage.osc.is_live(stage.token().await.access_token()));
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn s43_shutdown_waits_for_a_running_refresh_and_keeps_its_tokens() {
    let mut stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.pass(AHEAD);
    let hold = stage.osc.hold(Endpoint::Token);
    stage.token().await;
    soon(hold.arrived(1)).await;
    let layer = stage.layer.clone();
    let mut shutdown = Box::pin(layer.shutdown(LONG));
    assert!(shutdown.as_mut().now_or_never().is_none(), "it does not wait");
    hold.release();

    assert!(soon(shutdown).await.is_ok());

    let answer = stage.browser.fetch("/").now_or_never().expect("at once");
    let new = token_of(&answer).expect("a token");
    assert_ne!(new.access_token(), old.access_token());
    assert!(stage.osc.is_live(new.access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn shutdown_waits_no_longer_than_its_deadline() {
    let stage = Stage::signed_in().await;
    stage.pass(AHEAD);
    let hold = stage.osc.hold(Endpoint::Token);
    stage.token().await;
    soon(hold.arrived(1)).await;
    let layer = stage.layer.clone();
    let mut shutdown = Box::pin(layer.shutdown(LONG));
    assert!(shutdown.as_mut().now_or_never().is_none());

    stage.clock.advance(LONG);

    assert!(soon(shutdown).await.is_err());
    hold.release();
}

#[tokio::test]
async fn after_shutdown_no_refresh_starts_and_tokens_are_used_until_expiry() {
    let mut stage = Stage::signed_in().await;
    let old = stage.token().await;
    assert!(soon(stage.layer.shutdown(LONG)).await.is_ok());

    stage.pass(AHEAD);
    assert_eq!(stage.token().await.access_token(), old.access_token());
    stage.pass(LEEWAY - AHEAD);
    assert_eq!(stage.token().await.access_token(), old.access_token());
    stage.pass(EXPIRED - LEEWAY);
    let answer = stage.fetch("/").await;

    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error_of(&answer), "temporarily_unavailable");
    assert!(retry_after(&answer) >= Duration::from_secs(1));
    assert!(!stage.browser.cookies().is_empty(), "the session is kept");
    assert!(soon(stage.layer.shutdown(LONG)).await.is_ok());
    assert_eq!(stage.refreshes(), 0);
}

#[tokio::test]
async fn a_refresh_lost_with_its_runtime_is_restarted_by_a_waiter() {
    // The provider sees a second use of the refresh token, which the grace period allows.
    let provider = MockOsc::builder().refresh_grace(Duration::from_secs(30));
    let stage = Stage::with(provider, |layer| layer).await;
    stage.pass(EXPIRED);
    let hold = stage.osc.hold(Endpoint::Token);
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut first = stage.browser.clone();
    doomed.spawn(async move { first.fetch("/").await });
    soon(hold.arrived(1)).await;
    let mut second = stage.browser.clone();
    let mut waiter = Box::pin(second.fetch("/"));
    assert!(waiter.as_mut().now_or_never().is_none());

    doomed.shutdown_background();
    let (answer, ()) = tokio::join!(waiter, async {
        soon(hold.arrived(2)).await;
        hold.release();
    });

    let token = token_of(&answer).expect("a token");
    assert!(stage.osc.is_live(token.access_token()));
    assert_eq!(stage.refreshes(), 2);
}
