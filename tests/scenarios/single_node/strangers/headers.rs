//! The layer's own answers have at most 3.5 KB of headers, whatever the request.

use std::sync::LazyLock;

use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use mock_osc::MockOsc;
use osc_auth_layer::test_util::TestClock;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{
    Answer, App, Body, Browser, EXPIRED, app, header_bytes, layer_for, location, parameter, path_of, refusal,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

const MOST: usize = 3584;
const LONGEST_ADDRESS: usize = 8 * 1024;
const LONGEST_HEADER: usize = 64 * 1024;

/// Apps with every kind of public URL. Their provider is never reached.
static APPS: LazyLock<Vec<App>> = LazyLock::new(|| {
    let configurations: [fn(OscAuthLayerBuilder) -> OscAuthLayerBuilder; 4] = [
        |layer| layer.public_url("https://app.example").redirect_to_signin(),
        |layer| layer.public_url("https://app.example/some/base").public_url("https://www.app.example"),
        |layer| layer.public_url("http://localhost:3000").allow_anonymous().cookie_name("n".repeat(64)),
        |layer| layer.redirect_to_signin(),
    ];
    let built = configurations.map(|configure| {
        let layer =
            OscAuthLayer::builder(OAuthClient::public("cli")).issuer("http://127.0.0.1:1").known_endpoints();
        app(&configure(layer.clock(TestClock::new())).build().expect("it builds"))
    });
    built.into()
});

const PATHS: &[&str] =
    &["/", "/a", "/auth/signin", "/auth/callback", "/auth/signout", "/%2e", "//", "/\u{e9}"];
const FRAGMENTS: &[&str] = &[
    "%22",
    "&",
    "?",
    "/",
    "a",
    "return_to=",
    "/x%3D",
    "state=AAAAAAAA",
    "&code=c",
    "&error=e",
    "'",
    "..",
    ";",
    "\"",
    "=",
];
const HEADERS: &[&str] = &[
    "cookie",
    "cookie",
    "cookie",
    "host",
    "host",
    "x-forwarded-host",
    "forwarded",
    "origin",
    "accept",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-site",
    "upgrade",
    "authorization",
    "referer",
];
const VALUES: &[&str] = &[
    "__Host-osc_session=x; ",
    "__Host-osc_session_signin_AAAAAAAA=y; ",
    "__Host-osc_session_signin_#=y; ",
    "__Host-osc_session_signin_#=y; ",
    "__Host-osc_session#=y; ",
    "osc_session_3000=y; ",
    "osc_session_3000_signin_#=y; ",
    "osc_session_80_signin_#=y; ",
    "a",
    ".",
    "localhost",
    "localhost:3000",
    ".localhost",
    "app.example",
    ",",
    "https://",
    "navigate",
    "document",
    "text/html",
    "same-origin",
    " ",
    "%C3%A9",
    "\u{e9}",
];

/// Returns a strategy for a long text: one word repeated, with a number for each `#`, between other words.
fn long(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let length = prop_oneof![3 => 0..100usize, 1 => 0..most];
    (select(words), select(words), select(words), length).prop_map(|(first, word, last, length)| {
        let times = length / word.len();
        let many = (0..times).map(|n| word.replace('#', &n.to_string()));
        [first.to_owned()].into_iter().chain(many).chain([last.to_owned()]).collect()
    })
}

fn requests() -> impl Strategy<Value = Request<Body>> {
    let method =
        select(&[Method::GET, Method::GET, Method::GET, Method::HEAD, Method::POST, Method::PUT][..]);
    let target = (select(PATHS), select(&["", "?", "/"][..]), long(FRAGMENTS, LONGEST_ADDRESS));
    let header = (select(HEADERS), long(VALUES, LONGEST_HEADER));
    (method, target, vec(header, 0..6)).prop_map(|(method, (path, separator, rest), headers)| {
        let mut request = Request::new(Body::default());
        *request.method_mut() = method;
        let target = format!("{path}{separator}{rest}");
        *request.uri_mut() = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
        for (name, value) in headers {
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        request
    })
}

fn answer(app: &App, request: Request<Body>) -> Answer {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(Browser::new(app.clone()).send_raw(request)))
}

proptest! {
    #![proptest_config(Config { cases: 3000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn s74_no_answer_has_more_than_3_5_kilobytes_of_headers(
        request in requests(),
        configuration in 0..4usize,
    ) {
        let answer = answer(&APPS[configuration], request);
        prop_assert!(header_bytes(&answer) <= MOST, "{} bytes: {answer:?}", header_bytes(&answer));
        prop_assert!(!answer.status().is_server_error() || answer.status() == 500);
    }
}

fn navigation(target: &str, host: &str) -> Request<Body> {
    let request = Request::get(target).header(header::HOST, host).header(header::ACCEPT, "text/html");
    request.body(Body::default()).expect("a request")
}

/// The longest possible value of everything that answers repeat.
#[test]
fn s74_the_longest_addresses_and_hosts_get_short_headers() {
    let escapes = "%22".repeat(2700);
    for app in APPS.iter() {
        for host in ["app.example", "www.app.example", "elsewhere.example", "localhost:3000"] {
            for target in [
                format!("/{escapes}"),
                format!("/x?{escapes}"),
                format!("/auth/signin?return_to=/{escapes}"),
                format!("/auth/signin?return_to=/{}", "a".repeat(8000)),
                format!("/auth/signin?{}", "'".repeat(8000)),
                format!("/auth/callback?state={escapes}&error={escapes}"),
            ] {
                let answer = answer(app, navigation(&target, host));
                assert!(header_bytes(&answer) <= MOST, "{} bytes: {answer:?}", header_bytes(&answer));
            }
        }
        for length in [250, 255, 3000, 60_000] {
            let host = format!("{}.localhost:65535", "a".repeat(length));
            for target in ["/", "/auth/signin"] {
                let answer = answer(app, navigation(target, &host));
                assert!(header_bytes(&answer) <= MOST, "{} bytes: {answer:?}", header_bytes(&answer));
            }
        }
    }
}

#[test]
fn s74_a_too_long_return_path_loses_its_query() {
    let app = &APPS[0];
    let link = |target: &str| location(&answer(app, navigation(target, "app.example")));
    for unit in ["q", "%22"] {
        let longest = format!("/{}", unit.repeat(2047 / unit.len()));
        assert_eq!(parameter(&link(&longest), "return_to"), longest);
    }
    assert_eq!(parameter(&link(&format!("/list?{}", "q".repeat(2048))), "return_to"), "/list");
    assert_eq!(link(&format!("/{}?q", "p".repeat(2048))), "/auth/signin");
}

#[tokio::test]
async fn s74_a_sign_in_with_the_longest_of_everything_works() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let layer = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .cookie_name("n".repeat(64))
        .build()
        .unwrap();
    let labels = vec!["h".repeat(60); 4].join(".");
    let host = format!("{}.localhost:65535", &labels[..243]);
    let mut browser = Browser::new(app(&layer)).at(&host);
    for n in 0..20 {
        browser.set_cookie(&format!("{}_65535_signin_{n:08}", "n".repeat(64)), &"x".repeat(1000));
    }
    let target = format!("/{}", "\"".repeat(106));
    let begun = browser.navigate(&format!("/auth/signin?return_to={}", target.replace('"', "%22"))).await;
    assert_eq!(begun.status(), StatusCode::SEE_OTHER);
    assert!(header_bytes(&begun) <= MOST, "{} bytes: {begun:?}", header_bytes(&begun));
    assert!(parameter(&location(&begun), "state").len() < 512);
    let approved = osc.approve(&location(&begun)).await.unwrap();
    let answer = browser.navigate(path_of(&approved)).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
    assert!(header_bytes(&answer) <= MOST, "{} bytes: {answer:?}", header_bytes(&answer));
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s74_an_ended_session_gets_short_headers() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).redirect_to_signin().build().unwrap();
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    osc.advance(EXPIRED);
    clock.advance(EXPIRED);
    osc.revoke_grants();
    let answer = browser.navigate(&format!("/{}", "%22".repeat(2700))).await;
    assert_eq!(location(&answer), "/auth/signin");
    assert!(header_bytes(&answer) <= MOST);
    assert_eq!(refusal(&browser.fetch("/").await).0, 401);
}
