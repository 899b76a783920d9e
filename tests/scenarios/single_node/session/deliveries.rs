//! A callback that is delivered more than once: a second click on the provider's *Allow*, a reload, a copy.

use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Answer, Browser, Stage, callback, error_of, location, refusal, soon};

const SESSION: &str = "osc_session_3000";
/// A session whose cookie reached no browser is revoked after this time.
const UNCLAIMED_FOR: Duration = Duration::from_secs(12);

async fn stage() -> Stage {
    Stage::before_sign_in(MockOsc::builder(), |layer| layer).await
}

/// Returns the path of a callback that leads to `/there`.
async fn to_there(stage: &mut Stage) -> String {
    let authorize = stage.browser.begin_sign_in("/auth/signin?return_to=/there").await;
    let callback = stage.osc.approve(&authorize).await.expect("the user allows it");
    osc_tests::path_of(&callback).to_owned()
}

fn session_of(browser: &Browser) -> String {
    browser.cookies().get(SESSION).cloned().expect("a session")
}

/// Starts a request for the callback. The provider holds the exchange.
async fn clicked(
    stage: &Stage,
    path: &str,
) -> (mock_osc::Hold, std::pin::Pin<Box<dyn Future<Output = Answer>>>) {
    let hold = stage.osc.hold(Endpoint::Token);
    let (mut browser, path) = (stage.browser.clone(), path.to_owned());
    let mut request: std::pin::Pin<Box<dyn Future<Output = Answer>>> =
        Box::pin(async move { browser.navigate(&path).await });
    assert!(request.as_mut().now_or_never().is_none(), "it is answered at once");
    soon(hold.arrived(1)).await;
    (hold, request)
}

#[tokio::test]
async fn s77_a_second_click_joins_the_exchange_that_the_first_began() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let (hold, first) = clicked(&stage, &path).await;
    // The browser drops the first request and sends the second.
    drop(first);
    let mut second = Box::pin(stage.browser.navigate(&path));
    assert!(second.as_mut().now_or_never().is_none());
    hold.release();

    assert_eq!(location(&soon(second).await), "/there");

    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    assert_eq!(stage.browser.cookies().len(), 1, "no pending sign-in is left over");
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
    stage.clock.advance(UNCLAIMED_FOR);
    assert!(soon(stage.layer.shutdown(Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.count(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn s77_a_second_click_after_the_exchange_gets_its_result() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let (hold, first) = clicked(&stage, &path).await;
    drop(first);
    hold.release();
    stage.clock.slept(UNCLAIMED_FOR..=UNCLAIMED_FOR, 1).await;

    assert_eq!(location(&soon(stage.browser.navigate(&path)).await), "/there");

    stage.clock.advance(UNCLAIMED_FOR);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    assert_eq!((stage.osc.count(Endpoint::Token), stage.osc.count(Endpoint::Revoke)), (1, 0));
}

#[tokio::test]
async fn s77_a_lost_callback_answer_is_repeated_for_a_minute() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let mut lost = stage.browser.clone();
    assert_eq!(location(&lost.navigate(&path).await), "/there");
    stage.clock.advance(Duration::from_secs(59));

    assert_eq!(location(&stage.browser.clone().navigate(&path).await), "/there");
    let again = stage.browser.navigate(&path).await;

    assert_eq!(location(&again), "/there");
    assert_eq!(session_of(&stage.browser), session_of(&lost));
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn s77_a_request_dropped_between_the_result_and_its_answer_leaves_no_grant() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let (hold, request) = clicked(&stage, &path).await;
    hold.release();
    // The exchange has ended, but the request has not been polled since.
    while stage.layer.tasks_under_way() > 0 {
        tokio::task::yield_now().await;
    }
    drop(request);
    stage.clock.slept(UNCLAIMED_FOR..=UNCLAIMED_FOR, 1).await;
    stage.clock.advance(UNCLAIMED_FOR);

    soon(stage.osc.wait_for_requests(Endpoint::Revoke, 1)).await;

    assert!(soon(stage.layer.shutdown(Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.live_refresh_tokens(), 0);
    assert_eq!(error_of(&stage.browser.fetch(&path).await), "invalid_state");
}

#[tokio::test]
async fn s77_shutdown_revokes_an_unclaimed_session() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let (hold, request) = clicked(&stage, &path).await;
    drop(request);
    hold.release();
    assert!(soon(stage.layer.shutdown(Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.live_refresh_tokens(), 0);
}

#[tokio::test]
async fn s77_another_browser_does_not_get_the_result() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let mut stranger = Browser::new(osc_tests::app(&stage.layer));
    // This holds even for a browser with a sign-in of its own.
    callback(&mut stranger, &stage.osc).await;
    let (hold, first) = clicked(&stage, &path).await;
    assert_eq!(refusal(&soon(stranger.navigate(&path)).await), (400, "invalid_state".to_owned()));
    hold.release();
    assert_eq!(location(&soon(first).await), "/there");
    assert_eq!(refusal(&soon(stranger.navigate(&path)).await), (400, "invalid_state".to_owned()));
    assert!(!stranger.cookies().contains_key(SESSION));
}

#[tokio::test]
async fn s77_another_code_for_the_same_sign_in_is_refused_unused() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let (hold, first) = clicked(&stage, &path).await;
    let mut copy = stage.browser.clone();
    for other in [path.replace("code=", "code=x"), format!("{path}&error=access_denied")] {
        assert_eq!(error_of(&soon(copy.fetch(&other)).await), "invalid_state", "{other}");
    }
    hold.release();
    assert_eq!(location(&soon(first).await), "/there");
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn s77_the_result_is_gone_at_sign_out() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let mut copy = stage.browser.clone();
    assert_eq!(location(&stage.browser.navigate(&path).await), "/there");
    stage.browser.post_from("same-origin", "/auth/signout").await;

    let answer = copy.fetch(&path).await;

    assert_eq!(error_of(&answer), "invalid_state");
    assert!(!copy.cookies().contains_key(SESSION));
}

#[tokio::test]
async fn s77_a_sign_in_that_failed_fails_in_the_same_way_at_a_second_click() {
    let mut stage = stage().await;
    let authorize = stage.browser.begin_sign_in("/auth/signin").await;
    let declined = stage.osc.deny(&authorize).await.expect("the user declines");
    let mut copy = stage.browser.clone();
    for browser in [&mut stage.browser, &mut copy] {
        assert_eq!(error_of(&browser.fetch(osc_tests::path_of(&declined)).await), "access_denied");
    }
    let path = to_there(&mut stage).await;
    stage.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant")).once();
    let mut copy = stage.browser.clone();
    for browser in [&mut stage.browser, &mut copy] {
        assert_eq!(error_of(&soon(browser.fetch(&path)).await), "sign_in_failed");
    }
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn s77_after_a_timeout_a_reload_gets_the_result() {
    let mut stage = stage().await;
    let path = to_there(&mut stage).await;
    let hold = stage.osc.hold(Endpoint::Token);
    let clock = stage.clock.clone();
    let patience = Duration::from_secs(10);
    let ends = async {
        clock.slept(patience..=patience, 1).await;
        clock.advance(patience);
    };
    let (answer, ()) = tokio::join!(stage.browser.navigate(&path), ends);
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
    hold.release();

    assert_eq!(location(&soon(stage.browser.navigate(&path)).await), "/there");

    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}
