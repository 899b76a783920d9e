//! A callback that cannot complete its sign-in leads to the page of the sign-in with one click, and says what happened.

use std::time::Duration;

use http::Method;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Answer, Browser, Stage, app, layer_for, location, path_of, refusal};

use super::{button_leads_to, signin_for};

const PAGE: &str = "/report?tab=2&x=%2F#row-7";

async fn stage() -> Stage {
    Stage::before_sign_in(MockOsc::builder(), |layer| layer).await
}

/// Returns the path of a callback that leads to [`PAGE`].
async fn to_page(stage: &mut Stage) -> String {
    let authorize = stage.browser.begin_sign_in(&signin_for(PAGE)).await;
    path_of(&stage.osc.approve(&authorize).await.expect("the user allows it")).to_owned()
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body()).expect("UTF-8")
}

/// Checks the answers to a browser and to a script.
async fn is_explained(browser: &Browser, path: &str, error: (u16, &str), sentence: &str, page: &str) {
    for answer in [browser.clone().navigate(path).await, browser.clone().fetch(path).await] {
        assert_eq!(refusal(&answer), (error.0, error.1.to_owned()));
        assert!(text(&answer).contains(sentence), "{}", text(&answer));
        assert_eq!(button_leads_to(&answer), page);
    }
}

const INVALID: (u16, &str) = (400, "invalid_state");

#[tokio::test]
async fn an_expired_sign_in_says_so_and_leads_to_its_page() {
    let mut stage = stage().await;
    let path = to_page(&mut stage).await;
    let mut without_cookies = stage.browser.clone();
    without_cookies.forget_cookies("");
    stage.clock.advance(Duration::from_secs(600));
    is_explained(&stage.browser, &path, INVALID, "took longer than ten minutes", PAGE).await;
    is_explained(&without_cookies, &path, INVALID, "took longer than ten minutes", PAGE).await;
    assert_eq!(stage.osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn a_used_sign_in_says_so_and_leads_to_its_page() {
    let mut stage = stage().await;
    let path = to_page(&mut stage).await;
    let before = stage.browser.clone();
    stage.browser.navigate(&path).await;
    stage.clock.advance(Duration::from_secs(61));
    stage.browser.forget_cookies("");
    // With the cookie of the sign-in, and without any.
    is_explained(&before, &path, INVALID, "was used already", PAGE).await;
    is_explained(&stage.browser, &path, INVALID, "was used already", PAGE).await;
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_browser_without_cookies_is_asked_about_them() {
    let mut stage = stage().await;
    let path = to_page(&mut stage).await;
    stage.browser.forget_cookies("");
    is_explained(&stage.browser, &path, INVALID, "Does it block cookies", PAGE).await;
}

#[tokio::test]
async fn a_sign_in_of_another_browser_says_so_and_leads_to_its_page() {
    let mut stage = stage().await;
    let path = to_page(&mut stage).await;
    let mut other = Browser::new(app(&stage.layer));
    other.begin_sign_in("/auth/signin?return_to=/other").await;
    is_explained(&other, &path, INVALID, "did not begin in this browser", PAGE).await;
}

#[tokio::test]
async fn s02_a_state_without_its_cookie_leads_to_its_page_and_gives_no_session() {
    let mut stage = stage().await;
    let path = to_page(&mut stage).await;
    let requests = stage.osc.count(Endpoint::Token);
    let mut other = Browser::new(app(&stage.layer));
    assert_eq!(button_leads_to(&other.navigate(&path).await), PAGE);
    assert!(other.cookies().is_empty());
    other.sign_in(&stage.osc).await;
    let before = other.cookies().clone();
    assert_eq!(location(&other.navigate(&path).await), PAGE);
    assert_eq!(other.cookies(), &before);
    assert_eq!(stage.osc.count(Endpoint::Token), requests + 1, "only the other browser's own sign-in");
}

#[tokio::test]
async fn a_state_that_this_app_did_not_seal_leads_nowhere() {
    let mut stage = stage().await;
    let path = to_page(&mut stage).await;
    let (start, state) = path.split_once("state=").unwrap();
    for at in [8, 20, 100] {
        let mut altered = state.to_owned().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let path = format!("{start}state={}", String::from_utf8(altered).unwrap());
        let answer = stage.browser.navigate(&path).await;
        assert_eq!(refusal(&answer), (400, "invalid_state".to_owned()));
        assert!(text(&answer).contains("href=\"/auth/signin\""), "{}", text(&answer));
    }
}

#[tokio::test]
async fn a_declined_or_failed_sign_in_leads_to_its_page() {
    let mut stage = stage().await;
    let authorize = stage.browser.begin_sign_in(&signin_for(PAGE)).await;
    let declined = stage.osc.deny(&authorize).await.unwrap();
    let sentence = "was declined";
    is_explained(&stage.browser, path_of(&declined), (401, "access_denied"), sentence, PAGE).await;

    let failing = to_page(&mut stage).await;
    stage.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));
    is_explained(&stage.browser, &failing, (401, "sign_in_failed"), "did not complete", PAGE).await;
}

#[tokio::test]
async fn a_provider_that_is_away_at_sign_in_loses_no_page() {
    let mut stage = stage().await;
    stage.osc.fault(Endpoint::Metadata, Fault::Status(503));
    let answer = stage.browser.navigate(&signin_for(PAGE)).await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
    assert_eq!(button_leads_to(&answer), PAGE);
}

#[tokio::test]
async fn a_signed_in_browser_goes_to_the_page_at_once() {
    let mut stage = stage().await;
    let mut expired = to_page(&mut stage).await;
    stage.clock.advance(Duration::from_secs(599));
    let used = to_page(&mut stage).await;
    let other = {
        let mut other = Browser::new(app(&stage.layer));
        let authorize = other.begin_sign_in(&signin_for(PAGE)).await;
        path_of(&stage.osc.approve(&authorize).await.unwrap()).to_owned()
    };
    stage.clock.advance(Duration::from_secs(2));
    assert_eq!(location(&stage.browser.navigate(&used).await), PAGE);
    let session = stage.browser.cookies()["osc_session_3000"].clone();
    for path in [&mut expired, &mut used.clone(), &mut other.clone()] {
        assert_eq!(location(&stage.browser.navigate(path).await), PAGE);
    }
    assert_eq!(stage.browser.cookies()["osc_session_3000"], session);
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_page_in_the_cookie_outlives_the_ten_minutes_too() {
    let mut stage = stage().await;
    let page = format!("/{}?x", "p".repeat(1000));
    let authorize = stage.browser.begin_sign_in(&signin_for(&page)).await;
    let callback = stage.osc.approve(&authorize).await.unwrap();
    stage.clock.advance(Duration::from_secs(3599));
    is_explained(&stage.browser, path_of(&callback), INVALID, "took longer than ten minutes", &page).await;
}

/// The layer logs the cause once a minute, because its operator can mend it.
#[tokio::test]
async fn a_node_with_another_key_is_logged() {
    let osc = MockOsc::builder().start().await.unwrap();
    let build = |key: u8| app(&layer_for(&osc).cookie_key([key; 32]).build().unwrap());
    let (one, other) = (build(1), build(2));
    let log = osc_tests::Logs::collect();
    let mut browser = Browser::new(one);
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let callback = osc.approve(&authorize).await.unwrap();
    browser.switch_app(other);
    for _ in 0..3 {
        let answer = browser.send(Method::GET, path_of(&callback), &[]).await;
        assert_eq!(refusal(&answer), (400, "invalid_state".to_owned()));
    }
    assert_eq!(log.text().matches("COOKIE_KEY").count(), 1, "{}", log.text());
}
