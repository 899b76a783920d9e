//! The kinds of requests, and the form of the answer to each: when nobody is signed in, when the session has ended,
//! and during an outage.

use std::time::Duration;

use http::{Method, StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayerBuilder;
use osc_tests::{
    Answer, Browser, Logs, QuickClock, app, assert_own, is_page, layer, layer_for, location, refusal,
};

use super::{everything, header_of};

type Headers = &'static [(&'static str, &'static str)];

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const INSECURE: (&str, &str) = ("upgrade-insecure-requests", "1");
const CORS: (&str, &str) = ("sec-fetch-mode", "cors");
const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
const EMPTY: (&str, &str) = ("sec-fetch-dest", "empty");
const HX: (&str, &str) = ("hx-request", "true");
const TURBO: (&str, &str) = ("accept", "text/vnd.turbo-stream.html, text/html, application/xhtml+xml");
const STREAM: (&str, &str) = ("accept", "text/event-stream");

/// Name, method and headers of a request, and the form of the answer: when nobody is signed in, when the session has
/// ended, and during an outage.
const KINDS: &[(&str, Method, Headers, [&str; 3])] = &[
    ("navigation", Method::GET, &[HTML, NAVIGATE, ("sec-fetch-dest", "document")], PAGE),
    ("form", Method::POST, &[HTML, NAVIGATE, ("sec-fetch-dest", "document")], PAGE),
    ("old browser", Method::GET, &[HTML], PAGE),
    ("service worker", Method::GET, &[HTML, INSECURE, NAVIGATE, EMPTY], PAGE),
    (
        "service worker that adds a header",
        Method::GET,
        &[HTML, INSECURE, ("sec-fetch-mode", "same-origin"), EMPTY],
        PAGE,
    ),
    ("form through a service worker", Method::POST, &[HTML, INSECURE, NAVIGATE, EMPTY], PAGE),
    ("script that accepts HTML", Method::GET, &[HTML, ("sec-fetch-mode", "same-origin"), EMPTY], JSON),
    ("script that claims to navigate", Method::GET, &[HTML, INSECURE, CORS, EMPTY], JSON),
    ("script in a service worker", Method::GET, &[INSECURE, ("accept", "*/*"), NAVIGATE, EMPTY], JSON),
    ("frame", Method::GET, &[HTML, INSECURE, NAVIGATE, ("sec-fetch-dest", "iframe")], JSON),
    ("embedded object", Method::GET, &[HTML, INSECURE, NAVIGATE, ("sec-fetch-dest", "object")], JSON),
    ("plug-in", Method::GET, &[HTML, INSECURE, NAVIGATE, ("sec-fetch-dest", "embed")], JSON),
    // Turbo reloads the window if it gets no HTML.
    ("link by Turbo", Method::GET, &[("accept", "text/html, application/xhtml+xml"), CORS, EMPTY], JSON),
    ("form by Turbo", Method::POST, &[TURBO, CORS, EMPTY], PAGE),
    ("form by Turbo in an old browser", Method::POST, &[TURBO], PAGE),
    ("stream by Turbo", Method::GET, &[TURBO, CORS, EMPTY], JSON),
    ("frame of Turbo", Method::GET, &[HTML, CORS, EMPTY, ("turbo-frame", "list")], FRAME),
    ("form in a frame of Turbo", Method::POST, &[TURBO, CORS, EMPTY, ("turbo-frame", "list")], FRAME),
    ("htmx 2", Method::GET, &[("accept", "*/*"), CORS, EMPTY, HX], HTMX),
    ("htmx 4", Method::POST, &[("accept", "text/html"), CORS, EMPTY, HX], HTMX),
    ("htmx 4 in an old browser", Method::GET, &[("accept", "text/html"), HX], HTMX),
    ("boosted link", Method::GET, &[HTML, CORS, EMPTY, HX, ("hx-boosted", "true")], HTMX),
    ("back by htmx", Method::GET, &[CORS, EMPTY, HX, ("hx-history-restore-request", "true")], RESTORED),
    (
        "back by htmx without its mark",
        Method::GET,
        &[CORS, EMPTY, ("hx-history-restore-request", "true")],
        RESTORED,
    ),
    ("EventSource", Method::GET, &[STREAM, CORS, EMPTY], EVENTS),
    ("script that posts and reads events", Method::POST, &[STREAM, CORS, EMPTY], JSON),
    (
        "script that reads JSON or events",
        Method::GET,
        &[("accept", "application/json, text/event-stream")],
        JSON,
    ),
    ("gRPC", Method::POST, &[("content-type", "application/grpc")], GRPC),
    ("gRPC with a format", Method::POST, &[("content-type", "application/grpc+proto")], GRPC),
    ("gRPC-Web", Method::POST, &[("content-type", "application/grpc-web+proto"), CORS, EMPTY], GRPC),
    ("gRPC-Web in base64", Method::POST, &[("content-type", "application/grpc-web-text"), CORS, EMPTY], GRPC),
    ("a type that is not gRPC", Method::POST, &[("content-type", "application/grpcish")], JSON),
    ("script", Method::GET, &[("accept", "*/*"), CORS, EMPTY], JSON),
    (
        "image",
        Method::GET,
        &[("accept", "image/*"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        JSON,
    ),
    ("program", Method::GET, &[], JSON),
];

const PAGE: [&str; 3] = ["page 401", "page 401", "page 503"];
const FRAME: [&str; 3] = ["frame 401", "frame 401", "frame 503"];
const JSON: [&str; 3] = ["json 401", "json 401", "json 503"];
const HTMX: [&str; 3] = ["hx-redirect 401", "hx-redirect 401", "hx-keep 503"];
const RESTORED: [&str; 3] = ["hx-redirect 200", "hx-redirect 200", "page 200"];
const EVENTS: [&str; 3] = ["json 401", "json 401", "events"];
const GRPC: [&str; 3] = ["grpc 16", "grpc 16", "grpc 14"];

/// Returns the form of an answer, in the words of [`KINDS`].
fn form(answer: &Answer) -> String {
    assert_own(answer);
    let (headers, status) = (answer.headers(), answer.status().as_u16());
    let body = String::from_utf8_lossy(answer.body());
    if let Some(code) = headers.get("grpc-status") {
        assert_eq!((status, answer.body().len()), (200, 0));
        assert!(!headers["grpc-message"].is_empty());
        return format!("grpc {}", code.to_str().expect("ASCII"));
    }
    if headers[header::CONTENT_TYPE] == "text/event-stream" {
        assert!(body.starts_with("retry: ") && body.ends_with("000\n\n"), "{body}");
        assert_eq!(status, 200);
        return "events".to_owned();
    }
    if headers.contains_key("hx-redirect") {
        return format!("hx-redirect {status}");
    }
    if headers.contains_key("hx-reswap") {
        assert_eq!(headers["hx-reswap"], "none");
        return format!("hx-keep {status}");
    }
    refusal(answer);
    match (is_page(answer), body.contains("<turbo-frame id=\"list\">")) {
        (true, true) => format!("frame {status}"),
        (true, false) => format!("page {status}"),
        _ => format!("json {status}"),
    }
}

/// Returns a browser that is signed in with an expired token, and its provider.
async fn expired(
    configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
) -> (MockOsc, QuickClock, Browser) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let clock = QuickClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).outage_status(StatusCode::SERVICE_UNAVAILABLE);
    let mut browser = Browser::new(app(&configure(layer).build().expect("it builds")));
    browser.sign_in(&osc).await;
    clock.advance(Duration::from_secs(3600));
    (osc, clock, browser)
}

#[tokio::test]
async fn each_kind_of_request_gets_the_form_of_answer_that_leads_on() {
    let osc = MockOsc::builder().start().await.unwrap();
    let stranger = Browser::new(app(&layer(&osc)));
    let (ended_osc, _clock, ended) = expired(|layer| layer).await;
    ended_osc.revoke_grants();
    let (away_osc, _clock, away) = expired(|layer| layer).await;
    away_osc.stop_listening().await;
    for (name, method, headers, forms) in KINDS {
        for (browser, expected) in [&stranger, &ended, &away].into_iter().zip(forms) {
            let answer = browser.clone().send(method.clone(), "/a", headers).await;
            assert_eq!(form(&answer), *expected, "{name}: {answer:?}");
            let vary = header_of(&answer, "vary").to_ascii_lowercase();
            assert!(headers.iter().all(|(name, _)| vary.contains(name)), "{name}: {vary}");
        }
    }
}

#[tokio::test]
async fn a_redirect_reaches_only_those_who_follow_it_in_the_window() {
    let osc = MockOsc::builder().start().await.unwrap();
    let browser = Browser::new(app(&layer_for(&osc).redirect_to_signin().build().unwrap()));
    let mut redirected = Vec::new();
    for (name, method, headers, _) in KINDS {
        let answer = browser.clone().send(method.clone(), "/a", headers).await;
        if answer.status() == StatusCode::SEE_OTHER {
            assert_eq!(location(&answer), "/auth/signin?return_to=/a");
            redirected.push(*name);
        }
    }
    let expected = ["navigation", "old browser", "service worker", "service worker that adds a header"];
    assert_eq!(redirected, expected);
}

#[tokio::test]
async fn a_grpc_answer_repeats_the_content_type_of_its_call() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for (sent, expected) in [
        ("application/grpc", "application/grpc"),
        ("application/grpc+json", "application/grpc+json"),
        ("application/grpc-web-text+proto", "application/grpc-web-text+proto"),
        ("application/grpc-web; charset=utf-8", "application/grpc-web"),
    ] {
        let answer = browser.send(Method::POST, "/pkg.Service/Call", &[("content-type", sent)]).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], expected);
        assert_eq!(answer.headers()["grpc-message"], "Sign in to continue.");
    }
}

#[tokio::test]
async fn a_frame_of_turbo_gets_its_own_id_and_no_markup_of_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for (id, shown) in
        [("a\"><b", "<turbo-frame id=\"a&quot;&gt;&lt;b\">"), ("x{{style}}", "id=\"x{{style}}\"")]
    {
        let answer = browser.send(Method::GET, "/a", &[CORS, EMPTY, ("turbo-frame", id)]).await;
        assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()));
        assert!(everything(&answer).contains(shown), "{answer:?}");
    }
    let long = "x".repeat(257);
    let answer = browser.send(Method::GET, "/a", &[CORS, EMPTY, ("turbo-frame", &long)]).await;
    assert!(!is_page(&answer));
}

#[tokio::test]
async fn s58_only_windows_start_a_sign_in_whatever_fetches_them() {
    let logs = Logs::collect();
    let osc = MockOsc::builder().start().await.unwrap();
    let browser = Browser::new(app(&layer(&osc)));
    let mut started = Vec::new();
    for (name, method, headers, _) in KINDS.iter().filter(|(_, method, ..)| *method == Method::GET) {
        let answer = browser.clone().send(method.clone(), "/auth/signin?return_to=/a", headers).await;
        match answer.status() {
            StatusCode::SEE_OTHER => started.push(*name),
            _ => assert!(!answer.headers().contains_key(header::SET_COOKIE), "{name}"),
        }
        let mut prefetch = headers.to_vec();
        prefetch.push(("sec-purpose", "prefetch"));
        let answer = browser.clone().send(method.clone(), "/auth/signin?return_to=/a", &prefetch).await;
        assert_ne!(answer.status(), StatusCode::SEE_OTHER, "{name}");
    }
    let windows =
        ["navigation", "old browser", "service worker", "service worker that adds a header"].into_iter();
    // Programs have no Fetch Metadata.
    assert_eq!(started, windows.chain(["script that reads JSON or events", "program"]).collect::<Vec<_>>());
    assert_eq!(logs.text().matches("a sign-in begins").count(), started.len());
}

#[tokio::test]
async fn a_link_to_sign_in_that_htmx_or_turbo_fetches_leads_there() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let signin = "/auth/signin?return_to=/a%3Fb%3Dc";

    let answer = browser.send(Method::GET, signin, &[CORS, EMPTY, HX, ("hx-boosted", "true")]).await;
    assert_eq!(header_of(&answer, "hx-redirect"), "/auth/signin?return_to=/a?b=c");

    let answer = browser.send(Method::GET, signin, &[CORS, EMPTY, ("turbo-frame", "list")]).await;
    assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
    let text = everything(&answer);
    // Turbo would fetch the link again.
    assert!(
        text.contains("data-turbo=\"false\" hx-boost=\"false\" href=\"/auth/signin?return_to=/a?b=c\""),
        "{text}"
    );
}
