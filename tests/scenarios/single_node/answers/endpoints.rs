//! The answers of sign-in, callback and sign-out.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::TestClock;
use osc_tests::{
    Answer, Body, Browser, Logs, QuickClock, app, assert_own, boxed, callback, is_page, layer, layer_for,
    location, path_of, refusal,
};
use tower::ServiceExt;

use super::{everything, header_of, refused_both_ways};

async fn follow(browser: &mut Browser, path: &str, is_person: bool) -> Answer {
    let answer = if is_person { browser.navigate(path).await } else { browser.fetch(path).await };
    assert!(is_page(&answer) == is_person, "{answer:?}");
    answer
}

#[tokio::test]
async fn a_refused_client_is_reported_as_misconfigured_and_logged() {
    let osc = MockOsc::builder().start().await.unwrap();
    let logs = Logs::collect();
    osc.fault(Endpoint::Token, Fault::OAuth("invalid_client"));
    for is_person in [false, true] {
        let mut browser = Browser::new(app(&layer(&osc)));
        let path = callback(&mut browser, &osc).await;

        let answer = follow(&mut browser, &path, is_person).await;

        assert_eq!(refusal(&answer), (500, "misconfigured".to_owned()));
        assert!(!everything(&answer).contains("invalid_client"), "the provider's text is for the log");
        assert!(browser.cookies().is_empty());
    }
    let text = logs.text();
    assert!(
        text.contains("ERROR") && text.contains("CLIENT_SECRET") && text.contains("invalid_client"),
        "{text}"
    );
}

#[tokio::test]
async fn an_unknown_state_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let browser = Browser::new(app(&layer(&osc)));
    for path in
        ["/auth/callback", "/auth/callback?code=a", "/auth/callback?code=a&state=b", "/auth/callback?state="]
    {
        refused_both_ways(&browser, path, 400, "invalid_state").await;
    }
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn an_expired_state_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::new(app(&layer));
    let (early, late) = (callback(&mut browser, &osc).await, callback(&mut browser, &osc).await);

    clock.advance(Duration::from_secs(599));
    assert_eq!(browser.clone().navigate(&early).await.status(), StatusCode::SEE_OTHER);
    clock.advance(Duration::from_secs(1));

    refused_both_ways(&browser, &late, 400, "invalid_state").await;
    assert_eq!(osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_used_state_is_refused_unless_the_browser_is_signed_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = QuickClock::new();
    let mut browser = Browser::new(app(&layer_for(&osc).clock(clock.clone()).build().unwrap()));
    let path = callback(&mut browser, &osc).await;
    let mut other_window = browser.clone();
    browser.navigate(&path).await;
    clock.advance(Duration::from_secs(60));

    assert_eq!(refusal(&other_window.navigate(&path).await), (400, "invalid_state".to_owned()));
    for path in [path.as_str(), "/auth/callback?code=a&state=unknown", "/auth/callback"] {
        let answer = browser.navigate(path).await;
        assert_own(&answer);
        assert_eq!(location(&answer), "/");
    }
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    assert_eq!(osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn declining_consent_is_reported_to_the_visitor() {
    let osc = MockOsc::builder().start().await.unwrap();
    for is_person in [false, true] {
        let mut browser = Browser::new(app(&layer(&osc)));
        let authorize = browser.begin_sign_in("/auth/signin").await;
        let declined = osc.deny(&authorize).await.unwrap();
        let answer = follow(&mut browser, path_of(&declined), is_person).await;
        assert_eq!(refusal(&answer), (401, "access_denied".to_owned()));
        assert!(browser.cookies().is_empty(), "the attempt is over");
    }
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn other_provider_errors_fail_the_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    for error in ["server_error", "temporarily_unavailable", "invalid_scope", "what_is_this"] {
        for is_person in [false, true] {
            let mut browser = Browser::new(app(&layer(&osc)));
            let path = callback(&mut browser, &osc).await;
            let path = path.replace("code=", &format!("error={error}&x="));
            let answer = follow(&mut browser, &path, is_person).await;
            assert_eq!(refusal(&answer), (401, "sign_in_failed".to_owned()), "{error}");
        }
    }
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn a_refused_code_fails_the_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    for is_person in [false, true] {
        let mut browser = Browser::new(app(&layer(&osc)));
        let path = callback(&mut browser, &osc).await.replace("code=", "code=x");
        let answer = follow(&mut browser, &path, is_person).await;
        assert_eq!(refusal(&answer), (401, "sign_in_failed".to_owned()));
        assert!(browser.cookies().is_empty());
    }
}

#[tokio::test]
async fn a_callback_without_code_and_error_is_invalid() {
    let osc = MockOsc::builder().start().await.unwrap();
    for is_person in [false, true] {
        let mut browser = Browser::new(app(&layer(&osc)));
        let path = callback(&mut browser, &osc).await.replace("code=", "x=");
        let answer = follow(&mut browser, &path, is_person).await;
        assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_the_one_that_is_allowed() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.sign_in(&osc).await;
    let own = [("sec-fetch-site", "same-origin")];
    let as_person = [("sec-fetch-site", "same-origin"), ("accept", "text/html")];
    for (path, allow) in [("/auth/signin", "GET"), ("/auth/callback", "GET"), ("/auth/signout", "POST")] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            if method == allow {
                continue;
            }
            for headers in [&own[..], &as_person] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = browser.send(method, path, headers).await;
                assert_eq!(refusal(&answer), (405, "method_not_allowed".to_owned()), "{answer:?} {path}");
                assert_eq!(header_of(&answer, "allow"), allow);
                assert_eq!(is_page(&answer), headers.len() == 2);
            }
        }
    }
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK, "nobody was signed out");
}

#[tokio::test]
async fn a_head_request_to_sign_in_or_callback_sets_no_cookie_and_spends_nothing() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let routes: axum::Router = layer.routes();
    for app in
        [app(&layer), boxed(routes.map_request(|request: Request<Body>| request.map(axum::body::Body::new)))]
    {
        let mut browser = Browser::new(app);
        let callback = callback(&mut browser, &osc).await;
        let (begun, exchanged) = (browser.cookies().clone(), osc.count(Endpoint::Token));
        for path in
            ["/auth/signin", "/auth/signin?return_to=/x", &callback, "/auth/callback", "/auth/signout"]
        {
            for headers in [&[][..], &[("accept", "text/html")]] {
                let answer = browser.send(Method::HEAD, path, headers).await;
                // axum removes the body itself.
                assert_own(&answer);
                assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
                let allow = if path == "/auth/signout" { "POST" } else { "GET" };
                assert_eq!(header_of(&answer, "allow"), allow, "{path}");
                assert!(!answer.headers().contains_key(header::SET_COOKIE), "{path}");
            }
        }
        assert_eq!(*browser.cookies(), begun);
        assert_eq!(osc.count(Endpoint::Token), exchanged);
        assert_eq!(browser.navigate(&callback).await.status(), StatusCode::SEE_OTHER, "the state is unused");
        assert_eq!(osc.count(Endpoint::Token), exchanged + 1);
    }
}

#[tokio::test]
async fn s36_cross_site_sign_out_is_refused_and_ends_nothing() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:4000")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://localhost:3000.evil.example")],
        &[("origin", "null")],
        // The same host under another scheme is another origin.
        &[("origin", "https://localhost:3000")],
    ] {
        for accept in ["*/*", "text/html"] {
            let headers = [headers, &[("accept", accept)]].concat();
            let answer = browser.send(Method::POST, "/auth/signout", &headers).await;
            assert_eq!(refusal(&answer), (403, "forbidden".to_owned()), "{headers:?}");
            assert_eq!(is_page(&answer), accept == "text/html");
        }
    }
    // Images and links on other sites can make a browser send these.
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        let headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
        let answer = browser.send(method, "/auth/signout", &headers).await;
        assert_eq!(refusal(&answer), (405, "method_not_allowed".to_owned()));
    }
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
    assert_eq!(osc.count(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn sign_out_works_from_the_apps_own_pages_and_without_a_session_too() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer_for(&osc).after_signout("/bye").build().unwrap()));
    for headers in [
        &[("sec-fetch-site", "same-origin")][..],
        &[("origin", "http://localhost:3000")],
        &[("sec-fetch-site", "none")],
    ] {
        browser.sign_in(&osc).await;
        for _ in 0..2 {
            let answer = browser.send(Method::POST, "/auth/signout", headers).await;
            assert_own(&answer);
            assert_eq!(location(&answer), "/bye", "{headers:?}");
            assert!(browser.cookies().is_empty());
        }
    }
}
