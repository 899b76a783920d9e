//! Checks that apply to all of the layer's own answers, and whole sign-ins.

use std::time::Duration;

use http::{StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayerBuilder;

use crate::{Answer, Browser, QuickClock, app, path_of, token_of};

/// The only script that a page of the layer may contain. Its policy allows this text by its hash.
const OWN_SCRIPT: &str =
    concat!("<script>", include_str!("../../osc-auth-layer/src/pages/page.js"), "</script>");

/// Checks an answer with [`assert_own`]. Returns its status and `error`, from JSON or from a page.
///
/// # Panics
/// If the answer is not the layer's, or lacks a required header.
pub fn refusal(answer: &Answer) -> (u16, String) {
    assert_own(answer);
    let headers = answer.headers();
    let text = std::str::from_utf8(answer.body()).expect("UTF-8");
    let error = if is_page(answer) {
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        let text = text.replace(OWN_SCRIPT, "");
        assert!(!text.contains("<script"), "the page holds a script that is not its own: {text}");
        for outside in ["http:", "https:", "src=", "url(", "@import"] {
            assert!(!text.contains(outside), "the page holds {outside}: {text}");
        }
        let (_, error) = text.split_once("<small>").expect("the error's name");
        error.split_once("</small>").expect("the end of the error's name").0.to_owned()
    } else {
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        assert!(json["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        json["error"].as_str().expect("an error").to_owned()
    };
    (answer.status().as_u16(), error)
}

/// Checks an answer of the layer's own:
///
/// - It forbids caching and content sniffing.
/// - It has a challenge if its status is 401.
/// - It uses no redirect other than 303.
/// - Its headers fit into the buffers of proxies.
///
/// # Panics
/// If one of these does not hold.
pub fn assert_own(answer: &Answer) {
    let (status, headers) = (answer.status(), answer.headers());
    assert_eq!(headers.get(header::CACHE_CONTROL).expect("Cache-Control"), "no-store");
    assert_eq!(headers.get(header::X_CONTENT_TYPE_OPTIONS).expect("nosniff"), "nosniff");
    assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), status == StatusCode::UNAUTHORIZED);
    assert_eq!(headers.contains_key(header::LOCATION), status == StatusCode::SEE_OTHER);
    assert!(!status.is_redirection() || status == StatusCode::SEE_OTHER, "{status}");
    assert!(header_bytes(answer) <= 3584, "{} bytes: {answer:?}", header_bytes(answer));
}

/// Returns the bytes of the headers in HTTP/1.1: names and values, with colon, space and line end.
pub fn header_bytes(answer: &Answer) -> usize {
    answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Returns true if the answer is a page and not JSON.
pub fn is_page(answer: &Answer) -> bool {
    answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/html; charset=utf-8")
}

/// Returns the address of the first link in a page.
///
/// # Panics
/// If there is none.
pub fn first_link(page: &str) -> String {
    let link = page.split_once("href=\"").and_then(|(_, link)| link.split_once('"')).expect("a link").0;
    link.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

/// Begins a sign-in and allows it. Returns path and query of the callback, which the browser has not
/// requested yet.
///
/// # Panics
/// If the provider does not ask for consent.
pub async fn callback(browser: &mut Browser, osc: &MockOsc) -> String {
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let callback = osc.approve(&authorize).await.expect("the provider asks for consent");
    path_of(&callback).to_owned()
}

/// Returns the decoded value of a query parameter of a URL or path.
///
/// # Panics
/// If the parameter is missing.
pub fn parameter(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').expect("a query");
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{url} has no {name}")).1.into_owned()
}

/// Signs in, refreshes an hour later and signs out, with the layer from `builder`.
///
/// # Panics
/// If one of these steps fails.
pub async fn tour(osc: &MockOsc, builder: OscAuthLayerBuilder) {
    let clock = QuickClock::new();
    let layer = builder.clock(clock.clone()).build().expect("it builds");
    let mut browser = Browser::new(app(&layer));
    assert_eq!(browser.sign_in(osc).await.status(), StatusCode::SEE_OTHER);
    clock.advance(Duration::from_secs(3600));
    assert!(token_of(&browser.fetch("/").await).is_some());
    browser.post_from("same-origin", "/auth/signout").await;
    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
}
