//! Foreign cookies, and the number of the layer's own cookies.

use http::{Method, Request, StatusCode, header};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{Answer, Body, Browser, app, callback, layer, layer_for, location, path_of, refusal};

async fn with_cookies(browser: &Browser, path: &str, cookies: &[&str]) -> Answer {
    let mut request = Request::get(path).header(header::HOST, "localhost:3000");
    for cookie in cookies {
        request = request.header(header::COOKIE, *cookie);
    }
    browser.clone().send_raw(request.body(Body::default()).expect("a request")).await
}

/// Returns a browser of an app on this machine and one of an app behind TLS, each with the name of its
/// session cookie.
fn on_loopback_and_by_https(osc: &MockOsc) -> [(Browser, &'static str); 2] {
    let by_https = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .public_url("https://app.example")
        .public_path("/public")
        .build()
        .expect("it builds");
    [
        (Browser::new(app(&layer(osc))), "osc_session_3000"),
        (Browser::new(app(&by_https)).at("app.example"), "__Host-osc_session"),
    ]
}

#[tokio::test]
async fn s23_attempts_never_pile_up_and_no_cookie_is_too_large() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let public_url = format!("https://{}.example.com/{}", "a".repeat(60), "b".repeat(100));
    let layer = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .public_url(&public_url)
        .build()
        .unwrap();
    let host = format!("{}.example.com", "a".repeat(60));
    let mut browser = Browser::new(app(&layer)).at(&host);
    let return_to = format!("/{}", "r".repeat(310));
    for _ in 0..12 {
        let answer = browser.navigate(&format!("/auth/signin?return_to={return_to}")).await;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            assert!(cookie.len() <= 4096, "{cookie:?}");
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (_, value) = pair.split_once('=').unwrap();
            assert!(value.len() <= 1024, "{} bytes", value.len());
        }
        assert!(browser.cookies().len() <= 4, "{:?}", browser.cookies().keys());
    }
    assert_eq!(browser.cookies().len(), 4);
}

#[tokio::test]
async fn s23_the_newest_attempts_are_the_ones_that_are_kept() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = osc_auth_layer::test_util::TestClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::new(app(&layer));
    let mut paths = Vec::new();
    for _ in 0..6 {
        paths.push(callback(&mut browser, &osc).await);
        clock.advance(std::time::Duration::from_secs(1));
    }
    for (index, path) in paths.iter().enumerate() {
        let requests = osc.count(mock_osc::Endpoint::Token);
        let answer = browser.clone().navigate(path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "attempt {index}");
        // An evicted attempt begins anew, and its code is not exchanged.
        assert_eq!(location(&answer).starts_with(&osc.issuer()), index < 2, "attempt {index}");
        assert_eq!(osc.count(mock_osc::Endpoint::Token) == requests, index < 2, "attempt {index}");
    }
}

#[tokio::test]
async fn s35_two_session_cookies_are_refused_in_any_position() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    for (mut browser, name) in on_loopback_and_by_https(&osc) {
        browser.sign_in(&osc).await;
        let ours = format!("{name}={}", browser.cookies()[name]);
        let tossed = format!("{name}={}", "A".repeat(43));
        for cookies in [
            vec![format!("{ours}; {tossed}")],
            vec![format!("{tossed}; a=b;{ours}")],
            vec![ours.clone(), tossed.clone()],
            vec![tossed.clone(), ours.clone()],
            vec![format!("{ours}; {name}=")],
            vec![format!("{ours}; {ours}")],
        ] {
            let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
            for path in ["/", "/auth/signin", "/auth/callback?state=a"] {
                let answer = with_cookies(&browser, path, &cookies).await;
                assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{path} {cookies:?}");
            }
            let mut signout = Request::post("/auth/signout").header("sec-fetch-site", "same-origin");
            for cookie in &cookies {
                signout = signout.header(header::COOKIE, *cookie);
            }
            let answer = browser.clone().send_raw(signout.body(Body::default()).unwrap()).await;
            assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{cookies:?}");
            let answer = with_cookies(&browser, "/public", &cookies).await;
            assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{cookies:?}");
        }
        assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn s35_a_pending_cookie_sent_twice_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let path = callback(&mut browser, &osc).await;
    let (name, value) = browser.cookies().first_key_value().expect("a pending sign-in");
    let twice = format!("{name}={value}; {name}=x");
    let answer = with_cookies(&browser, &path, &[&twice]).await;
    assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s46_similar_cookie_names_are_ignored() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    for (mut browser, ours) in on_loopback_and_by_https(&osc) {
        browser.sign_in(&osc).await;
        let id = browser.cookies()[ours].clone();
        let (head, tail) = (&ours[1..], &ours[..ours.len() - 1]);
        let (first, last) = (ours.as_bytes()[0], ours.as_bytes()[ours.len() - 1]);
        for name in [
            format!("%{first:02X}{head}"),
            format!("%{first:02x}{head}"),
            ours.replace('_', "%5F"),
            ours.replace('-', "%2D"),
            format!("{tail}%{last:02X}"),
            ours.to_uppercase(),
            ours.replace("osc", "Osc"),
            ours.replace("Host", "host"),
            format!("\u{a0}{ours}"),
            format!("\u{2000}{ours}"),
            format!("{ours}\u{a0}"),
            format!("{ours} "),
            format!("\u{feff}{ours}"),
            format!("x{ours}"),
            format!("{ours}0"),
            format!("{ours}x"),
            tail.to_owned(),
            format!("\"{ours}"),
            "osc_session".to_owned(),
            "osc_session_".to_owned(),
            "__Host-osc_session_3000".to_owned(),
            "__Secure-osc_session".to_owned(),
        ] {
            if name == ours {
                continue;
            }
            let alone = format!("{name}={id}");
            let answer = with_cookies(&browser, "/", &[&alone]).await;
            assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()), "{name} passes");
            let answer = with_cookies(&browser, "/auth/callback", &[&alone]).await;
            assert_eq!(refusal(&answer), (400, "invalid_state".to_owned()), "{name} passes for signed in");
            for both in [format!("{name}=tossed; {ours}={id}"), format!("{ours}={id}; {name}=tossed")] {
                let answer = with_cookies(&browser, "/", &[&both]).await;
                assert_eq!(answer.status(), StatusCode::OK, "{name} disturbs");
                let answer = with_cookies(&browser, "/auth/callback", &[&both]).await;
                assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name} disturbs");
            }
        }
    }
}

#[tokio::test]
async fn s46_the_apps_own_cookies_are_left_alone() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.set_cookie("theme", "dark%20blue");
    browser.set_cookie("weird", "a=b\"c");
    browser.sign_in(&osc).await;
    browser.post_from("same-origin", "/auth/signout").await;
    assert_eq!(browser.cookies().len(), 2);
    assert_eq!(browser.cookies()["theme"], "dark%20blue");
    assert_eq!(browser.cookies()["weird"], "a=b\"c");
}

#[tokio::test]
async fn another_apps_session_on_the_same_host_is_not_ours() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()));
    let app = app(&layer.issuer(osc.issuer()).build().unwrap());
    let mut browser = Browser::new(app).at("localhost:3000");
    browser.sign_in(&osc).await;

    let mut elsewhere = browser.clone().at("localhost:30001");
    assert_eq!(refusal(&elsewhere.fetch("/").await), (401, "unauthenticated".to_owned()));
    elsewhere.sign_in(&osc).await;
    assert_eq!(elsewhere.cookies().len(), 2, "{:?}", elsewhere.cookies());
    let mut back = elsewhere.clone().at("localhost:3000");
    assert_eq!(back.fetch("/").await.status(), StatusCode::OK);
    back.send(Method::POST, "/auth/signout", &[("sec-fetch-site", "same-origin")]).await;
    let mut elsewhere = back.at("localhost:30001");
    assert_eq!(elsewhere.fetch("/").await.status(), StatusCode::OK);
    let authorize = location(&elsewhere.navigate("/auth/signin").await);
    assert_eq!(path_of(&osc_tests::parameter(&authorize, "redirect_uri")), "/auth/callback");
}
