//! The page that a sign-in returns to, if an answer of the layer offers that sign-in.

use std::time::Duration;

use http::{Method, StatusCode, header};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::TestClock;
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{
    Answer, Browser, EXPIRED, Stage, app, assert_own, first_link, is_page, layer, layer_for, location,
    parameter, refusal,
};
use serde_json::Value;

use super::everything;

const CORS: [(&str, &str); 2] = [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).expect("JSON")
}

/// Returns the address of the page's button.
fn button(answer: &Answer) -> String {
    first_link(&String::from_utf8_lossy(answer.body()))
}

#[tokio::test]
async fn a_script_learns_how_to_return_to_its_page() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let long = format!("http://localhost:3000/long?{}", "x".repeat(2048));
    for (name, page, signin) in [
        ("referer", "http://localhost:3000/list?a=1&b=%26", "/auth/signin?return_to=/list?a=1%26b=%2526"),
        ("referer", "http://localhost:3000/", "/auth/signin?return_to=/"),
        // The address of the page is too long, so only its path counts.
        ("referer", &long, "/auth/signin?return_to=/long"),
        ("hx-current-url", "http://localhost:3000/list?a#part", "/auth/signin?return_to=/list?a%23part"),
        ("hx-current-url", &format!("{}#too-much", &long[..long.len() - 7]), "/auth/signin?return_to=/long?"),
        ("referer", "http://localhost:3001/list", "/auth/signin"),
        ("referer", "https://localhost:3000/list", "/auth/signin"),
        ("referer", "https://evil.example/list", "/auth/signin"),
        ("referer", "http://localhost:3000@evil.example/list", "/auth/signin"),
        ("hx-current-url", "https://evil.example/list", "/auth/signin"),
        ("hx-current-url", "about:blank", "/auth/signin"),
        ("hx-current-url", "data:text/html,x", "/auth/signin"),
        ("referer", "/list", "/auth/signin"),
        ("referer", "http://localhost:3000/\\evil.example", "/auth/signin"),
        ("referer", "http://localhost:3000/auth/callback?code=x&state=y", "/auth/signin"),
        ("referer", "http://localhost:3000/auth/signin?return_to=/x", "/auth/signin"),
    ] {
        let mut headers = CORS.to_vec();
        headers.push((name, page));
        for path in ["/api/list", "/auth/session"] {
            let answer = browser.send(Method::GET, path, &headers).await;
            let link = json(&answer)["signin"].as_str().expect("a link").to_owned();
            match signin.ends_with("long?") {
                true => assert!(link.starts_with(signin) && !link.contains("%23"), "{link}"),
                false => assert_eq!(link, signin, "{name}: {page}"),
            }
        }
    }
}

#[tokio::test]
async fn a_script_behind_a_proxy_returns_to_the_page_as_the_browser_sees_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    let urls = ["https://one.example/app", "https://two.example"];
    let layer = OscAuthLayer::builder(OAuthClient::public("cli")).issuer(osc.issuer());
    let layer = urls.iter().fold(layer, |layer, url| layer.public_url(*url));
    let mut browser = Browser::new(app(&layer.build().unwrap())).at("internal:8080");
    for (host, page, signin) in [
        ("one.example", "https://one.example/app/list", "/app/auth/signin?return_to=/app/list"),
        ("two.example", "https://two.example/list", "/auth/signin?return_to=/list"),
        ("two.example", "http://two.example/list", "/auth/signin"),
        ("two.example", "https://internal:8080/list", "/auth/signin"),
    ] {
        let mut headers = CORS.to_vec();
        headers.extend([("x-forwarded-host", host), ("referer", page)]);
        let answer = browser.send(Method::GET, "/api", &headers).await;
        assert_eq!(json(&answer)["signin"], signin, "{page}");
    }
}

#[tokio::test]
async fn htmx_returns_to_the_page_that_the_address_bar_shows() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let here = ("hx-current-url", "http://localhost:3000/list#part");
    for (method, more, signin) in [
        (Method::GET, &[][..], "/auth/signin?return_to=/list%23part"),
        (Method::POST, &[], "/auth/signin?return_to=/list%23part"),
        (Method::GET, &[("hx-boosted", "true")], "/auth/signin?return_to=/next?page=2"),
        (Method::POST, &[("hx-boosted", "true")], "/auth/signin?return_to=/list%23part"),
        (Method::GET, &[("hx-history-restore-request", "true")], "/auth/signin?return_to=/next?page=2"),
    ] {
        let mut headers = CORS.to_vec();
        headers.extend([("hx-request", "true"), here]);
        headers.extend(more);
        let answer = browser.send(method.clone(), "/next?page=2", &headers).await;
        assert_own(&answer);
        assert_eq!(answer.headers()["hx-redirect"], signin, "{method} {more:?}");
    }
}

#[tokio::test]
async fn a_long_address_comes_back_whole_up_to_2048_bytes_and_headers_stay_small() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer_for(&osc).redirect_to_signin().build().unwrap();
    let mut browser = Browser::new(app(&layer));
    let escapes = |bytes: usize| "%41".repeat(bytes / 3);
    let plain = |bytes: usize| "a".repeat(bytes);
    for (address, returns_to) in [
        (format!("/{}?{}", plain(9), plain(2037)), None),
        // The worst that a browser sends: each escape takes five bytes in the link.
        (format!("/x?{}", escapes(2045)), None),
        (format!("/{}", escapes(2046)), None),
        (format!("/{}?{}", plain(9), plain(2038)), Some(format!("/{}", plain(9)))),
        // Each of these takes three bytes in the link.
        (format!("/x?{}", "&".repeat(1500)), Some("/x".to_owned())),
        (format!("/{}", plain(2048)), Some(String::new())),
    ] {
        let answer = browser.navigate(&address).await;
        // This checks the size of the headers.
        assert_own(&answer);
        let expected = returns_to.unwrap_or_else(|| address.clone());
        let link = location(&answer);
        if expected.is_empty() {
            assert_eq!(link, "/auth/signin");
        } else {
            assert_eq!(parameter(&link, "return_to"), expected);
        }
    }
    // A page has room for the whole address.
    let address = format!("/x?{}", "&".repeat(1500));
    let post = browser.send(Method::GET, &address, &[("accept", "text/html"), ("turbo-frame", "x")]).await;
    assert_own(&post);
    let htmx = [("hx-request", "true"), ("hx-boosted", "true")];
    for address in [address, format!("/x?{}", escapes(2045))] {
        let answer = browser.send(Method::GET, &address, &htmx).await;
        assert_own(&answer);
        assert_eq!(parameter(json(&answer)["signin"].as_str().unwrap(), "return_to"), address);
    }
}

#[tokio::test]
async fn an_ended_session_with_a_long_address_still_redirects_within_the_limit() {
    let mut stage = Stage::with(MockOsc::builder(), |layer| layer.redirect_to_signin()).await;
    stage.osc.revoke_grants();
    stage.clock.advance(EXPIRED);
    let address = format!("/x?{}", "%41".repeat(681));

    let answer = stage.browser.navigate(&address).await;

    assert_own(&answer);
    assert_eq!(parameter(&location(&answer), "return_to"), address);
}

#[tokio::test]
async fn a_form_after_the_session_says_that_nothing_was_saved_and_returns_to_its_page() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer_for(&osc).redirect_to_signin().build().unwrap()));
    let form = [
        ("accept", "text/html"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("referer", "http://localhost:3000/edit?id=7"),
    ];
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = browser.send(method, "/save", &form).await;
        assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()));
        assert!(is_page(&answer));
        assert!(everything(&answer).contains("<p>Nothing was saved. Sign in to continue.</p>"), "{answer:?}");
        assert_eq!(button(&answer), "/auth/signin?return_to=/edit?id=7");
        assert!(!everything(&answer).contains("<script"), "the fragment is the form's target's");
    }
    // From another site's page, and without any.
    let foreign = [("accept", "text/html"), ("referer", "https://evil.example/edit")];
    for headers in [&foreign[..], &foreign[..1]] {
        assert_eq!(button(&browser.send(Method::POST, "/save", headers).await), "/auth/signin");
    }
    let mut script = CORS.to_vec();
    script.push(("referer", "http://localhost:3000/edit?id=7"));
    let answer = browser.send(Method::POST, "/save", &script).await;
    assert_eq!(json(&answer)["error_description"], "Nothing was saved. Sign in to continue.");
    assert_eq!(json(&answer)["signin"], "/auth/signin?return_to=/edit?id=7");
}

#[tokio::test]
async fn only_requests_that_write_to_the_app_say_that_nothing_was_saved() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    clock.advance(Duration::from_secs(3600));
    osc.stop_listening().await;
    let says = |answer: Answer| everything(&answer).contains("Nothing was saved.");
    // In an outage too.
    assert!(says(browser.send(Method::POST, "/save", &[("accept", "text/html")]).await));
    assert!(says(browser.send(Method::POST, "/save", &CORS).await));
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::CONNECT] {
        assert!(!says(browser.send(method.clone(), "/save", &CORS).await), "{method}");
    }
    let call = [("content-type", "application/grpc")];
    assert!(!says(browser.send(Method::POST, "/save", &call).await));
    assert!(!says(browser.send(Method::POST, "/auth/callback", &CORS).await));
    assert!(!says(browser.post_from("cross-site", "/auth/signout").await));
}

#[tokio::test]
async fn a_failed_sign_in_offers_another_to_the_same_page() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let _fault = osc.fault(Endpoint::Metadata, Fault::Answer(503, "text/plain", String::new()));

    let answer = browser.navigate("/auth/signin?return_to=%2Fa%3Fb%3Dc").await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
    assert_eq!(button(&answer), "/auth/signin?return_to=/a?b=c");

    // A page that names no target wants the default, whatever page it is.
    let headers = [("accept", "text/html"), ("referer", "http://localhost:3000/list")];
    assert_eq!(button(&browser.send(Method::GET, "/auth/signin", &headers).await), "/auth/signin");
    let headers = [("hx-request", "true"), ("hx-current-url", "http://localhost:3000/list")];
    let answer = browser.send(Method::GET, "/auth/signin", &headers).await;
    assert_eq!(answer.headers()["hx-redirect"], "/auth/signin");

    for elsewhere in ["https://evil.example", "//evil.example", "/auth/signin"] {
        let answer = browser.navigate(&format!("/auth/signin?return_to={elsewhere}")).await;
        assert_eq!(button(&answer), "/auth/signin");
    }
}

#[tokio::test]
async fn s39_only_the_page_of_an_address_of_the_app_has_the_script_for_its_fragment() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for (path, has_script) in [
        ("/deep?x=1", true),
        ("/auth/signin?return_to=%", false),
        ("/auth/callback?state=x", false),
        ("/auth/signout", false),
    ] {
        let answer = browser.navigate(path).await;
        assert_ne!(answer.status(), StatusCode::OK);
        // This checks that the script is the page's own.
        refusal(&answer);
        assert_eq!(everything(&answer).contains("<script"), has_script, "{path}");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    }
}
