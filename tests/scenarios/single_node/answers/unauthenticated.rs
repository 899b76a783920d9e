//! Requests without a session, and requests after the provider ended the session.

use std::time::Duration;

use http::{Method, header};
use mock_osc::MockOsc;
use osc_auth_layer::test_util::TestClock;
use osc_tests::{Browser, app, is_page, layer, layer_for, location, refusal};
use serde_json::Value;

use super::{everything, header_of, keeps_all_cookies, refused_both_ways};

#[tokio::test]
async fn without_a_session_a_script_gets_json_and_a_person_a_page() {
    let osc = MockOsc::builder().start().await.unwrap();
    let browser = Browser::new(app(&layer(&osc)));

    let [script, person] = refused_both_ways(&browser, "/deep/er?x=1", 401, "unauthenticated").await;

    let json: Value = serde_json::from_slice(script.body()).unwrap();
    assert_eq!(json["signin"], "/auth/signin");
    let page = String::from_utf8_lossy(person.body()).into_owned();
    assert!(page.contains("href=\"/auth/signin?return_to=/deep/er?x=1\""), "{page}");
    for answer in [script, person] {
        assert!(header_of(&answer, "www-authenticate").starts_with("Cookie "), "{answer:?}");
        assert!(header_of(&answer, "vary").contains("Cookie"));
        assert!(keeps_all_cookies(&answer));
    }
}

#[tokio::test]
async fn an_unknown_session_is_no_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for value in
        ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "not base64 at all, and 43 characters long"]
    {
        browser.set_cookie("osc_session_3000", value);
        refused_both_ways(&browser, "/", 401, "unauthenticated").await;
    }
}

#[tokio::test]
async fn an_expired_session_is_no_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;

    clock.advance(Duration::from_secs(25 * 3600));

    refused_both_ways(&browser, "/", 401, "unauthenticated").await;
}

#[tokio::test]
async fn preflights_are_refused_like_any_request() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let headers = [
        ("origin", "https://elsewhere.example"),
        ("access-control-request-method", "POST"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-dest", "empty"),
    ];

    let answer = browser.send(Method::OPTIONS, "/api", &headers).await;

    assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()));
    assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn fetch_metadata_and_accept_decide_between_page_and_json() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let html = ("accept", "text/html");
    for (headers, page) in [
        (vec![], false),
        (vec![("accept", "*/*")], false),
        (vec![("accept", "application/json")], false),
        (vec![html], true),
        (vec![html, ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")], false),
        (vec![html, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")], false),
        (vec![("accept", "*/*"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], true),
        (vec![html, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], false),
        // Some browsers send only one of the two.
        (vec![html, ("sec-fetch-mode", "cors")], false),
        (vec![("sec-fetch-mode", "navigate")], true),
        (vec![html, ("sec-fetch-dest", "image")], false),
    ] {
        let answer = browser.send(Method::GET, "/", &headers).await;
        assert_eq!(refusal(&answer).0, 401);
        assert_eq!(is_page(&answer), page, "{headers:?}");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_is() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let answer = browser.send(Method::HEAD, "/", &[("accept", "text/html")]).await;
    assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()));
}

#[tokio::test]
async fn with_redirect_to_signin_only_navigations_are_redirected() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer_for(&osc).redirect_to_signin().build().unwrap();
    let mut browser = Browser::new(app(&layer));

    let answer = browser.navigate("/a?b=c").await;
    assert_eq!(answer.status(), 303);
    assert_eq!(location(&answer), "/auth/signin?return_to=/a?b=c");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    osc_tests::assert_own(&answer);

    assert_eq!(refusal(&browser.fetch("/a").await), (401, "unauthenticated".to_owned()));
    // After the sign-in, the browser cannot repeat the form. A redirect would make it look as if it had been
    // accepted.
    let answer = browser.post_from("same-origin", "/a").await;
    assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()));
}

#[tokio::test]
async fn a_refused_refresh_ends_the_session_and_removes_the_cookie() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    osc.revoke_grants();
    clock.advance(Duration::from_secs(3600));

    let answers = refused_both_ways(&browser, "/a", 401, "session_ended").await;

    for answer in answers {
        let cookie = header_of(&answer, "set-cookie");
        assert!(cookie.starts_with("osc_session_3000=;"), "{cookie}");
        for attribute in ["Max-Age=0", "Path=/", "HttpOnly", "SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie} lacks {attribute}");
        }
        assert!(everything(&answer).contains("/auth/signin"), "the answer offers a sign-in");
    }
    assert_eq!(osc.count_grants("refresh_token"), 1, "a refused grant is not tried again");
    browser.fetch("/a").await;
    assert!(browser.cookies().is_empty());
}

#[tokio::test]
async fn a_refused_refresh_is_redirected_too_and_passes_bare_on_public_paths() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).redirect_to_signin().build().unwrap();
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    osc.revoke_grants();
    clock.advance(Duration::from_secs(3600));

    assert_eq!(browser.fetch("/public").await.body(), "anonymous");

    let answer = browser.navigate("/a").await;
    assert_eq!(location(&answer), "/auth/signin?return_to=/a");
    assert!(browser.cookies().is_empty());
}
