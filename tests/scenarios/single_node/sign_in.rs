//! Signing in, being signed in, signing out.

use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Browser, app, layer, location, path_of, soon, token_of};

#[tokio::test]
async fn after_sign_in_every_request_has_a_valid_token() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    assert_eq!(browser.fetch("/").await.status(), StatusCode::UNAUTHORIZED);

    let answer = browser.sign_in(&osc).await;

    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/");
    for path in ["/", "/deep/er?x=1", "/public", "/assets/app.css"] {
        let answer = browser.fetch(path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let token = token_of(&answer).expect("a token");
        assert!(osc.is_live(token.access_token()));
    }
    assert_eq!(osc.count(Endpoint::Token), 1);
    for secret in osc.issued_tokens() {
        assert!(!browser.seen().contains(&secret), "a secret reached the browser");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_the_grant() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.sign_in(&osc).await;
    let mut thief = browser.clone();

    let answer = browser.post_from("same-origin", "/auth/signout").await;

    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/");
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    assert_eq!(browser.fetch("/").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(thief.fetch("/").await.status(), StatusCode::UNAUTHORIZED);
    osc.wait_for_requests(Endpoint::Revoke, 1).await;
}

#[tokio::test]
async fn s04_two_tabs_sign_in_at_once_and_both_succeed() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let one = browser.begin_sign_in("/auth/signin?return_to=/one").await;
    let two = browser.begin_sign_in("/auth/signin?return_to=/two").await;
    let two = osc.approve(&two).await.unwrap();
    let one = osc.approve(&one).await.unwrap();

    assert_eq!(location(&browser.navigate(path_of(&one)).await), "/one");
    assert_eq!(location(&browser.navigate(path_of(&two)).await), "/two");

    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    assert_eq!(browser.cookies().len(), 1, "no pending sign-in is left over");
}

#[tokio::test]
async fn s05_the_back_button_makes_no_token_request_and_lands_safely() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let callback = osc.approve(&authorize).await.unwrap();
    browser.navigate(path_of(&callback)).await;

    let again = browser.navigate(path_of(&callback)).await;

    assert_eq!(again.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&again), "/");
    assert_eq!(osc.count(Endpoint::Token), 1);
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s66_a_client_disconnect_during_the_exchange_leaves_no_grant() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let callback = osc.approve(&authorize).await.unwrap();
    let hold = osc.hold(Endpoint::Token);
    {
        let mut request = std::pin::pin!(browser.navigate(path_of(&callback)));
        assert!(request.as_mut().now_or_never().is_none());
        hold.arrived(1).await;
    }

    hold.release();

    soon(osc.wait_for_requests(Endpoint::Revoke, 1)).await;
    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
    assert_eq!(osc.live_refresh_tokens(), 0);
}
