//! Metadata (RFC 8414): fetched once, cached, and accepted only from the right issuer over TLS.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::OscAuthLayerBuilder;
use osc_auth_layer::test_util::TestClock;
use osc_tests::{Browser, app, callback, layer, layer_for, parameter, refusal, soon};
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn with_clock(
    configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
) -> (MockOsc, TestClock, Browser) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let clock = TestClock::new();
    let layer = configure(layer_for(&osc).clock(clock.clone())).build().expect("it builds");
    (osc, clock, Browser::new(app(&layer)))
}

/// Waits until a sign-in leads to this URL. A test cannot see the refetch itself, only its use.
async fn until_it_leads_to(browser: &mut Browser, url: &str) {
    while !browser.begin_sign_in("/auth/signin").await.starts_with(url) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn fifty_sign_ins_at_once_share_one_fetch() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let hold = osc.hold(Endpoint::Metadata);
    let sign_ins: Vec<_> = (0..50)
        .map(|_| {
            let mut browser = Browser::new(app.clone());
            tokio::spawn(async move { browser.navigate("/auth/signin").await.status() })
        })
        .collect();
    soon(hold.arrived(1)).await;
    hold.release();
    for status in join_all(sign_ins).await {
        assert_eq!(status.unwrap(), StatusCode::SEE_OTHER);
    }
    assert_eq!(osc.count(Endpoint::Metadata), 1);
}

#[tokio::test]
async fn building_a_layer_asks_for_nothing() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.fetch("/").await;
    browser.navigate("/public").await;
    assert_eq!(osc.count(Endpoint::Metadata), 0);
}

#[tokio::test]
async fn a_failed_fetch_fails_all_waiters_and_the_next_retries() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    osc.fault(Endpoint::Metadata, Fault::Status(500)).once();
    let hold = osc.hold(Endpoint::Metadata);
    let sign_ins: Vec<_> = (0..10)
        .map(|_| {
            let mut browser = Browser::new(app.clone());
            tokio::spawn(async move { refusal(&browser.navigate("/auth/signin").await) })
        })
        .collect();
    soon(hold.arrived(1)).await;
    hold.release();
    for refused in join_all(sign_ins).await {
        assert_eq!(refused.unwrap(), (502, "provider_unavailable".to_owned()));
    }
    assert_eq!(osc.count(Endpoint::Metadata), 1);
    Browser::new(app).begin_sign_in("/auth/signin").await;
    assert_eq!(osc.count(Endpoint::Metadata), 2);
}

#[tokio::test]
async fn metadata_is_refetched_after_a_day_and_the_stale_one_serves_meanwhile() {
    let (osc, clock, mut browser) = with_clock(|layer| layer).await;
    browser.begin_sign_in("/auth/signin").await;
    clock.advance(DAY - MINUTE);
    browser.begin_sign_in("/auth/signin").await;
    assert_eq!(osc.count(Endpoint::Metadata), 1);

    clock.advance(MINUTE);
    osc.set_metadata_field("authorization_endpoint", json!("https://new.example/authorize"));
    let hold = osc.hold(Endpoint::Metadata);
    for _ in 0..3 {
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert!(authorize.starts_with(&osc.issuer()), "{authorize}");
    }
    soon(hold.arrived(1)).await;
    hold.release();
    soon(until_it_leads_to(&mut browser, "https://new.example/authorize?")).await;
    assert_eq!(osc.count(Endpoint::Metadata), 2, "one refetch");
}

#[tokio::test]
async fn a_refetch_that_fails_leaves_the_old_metadata_in_use() {
    for fault in [Fault::Status(500), Fault::Html, Fault::HangUp, Fault::WrongTypes] {
        let (osc, clock, mut browser) = with_clock(|layer| layer).await;
        browser.begin_sign_in("/auth/signin").await;
        osc.fault(Endpoint::Metadata, fault.clone());
        clock.advance(DAY);
        browser.begin_sign_in("/auth/signin").await;
        soon(osc.wait_for_requests(Endpoint::Metadata, 2)).await;
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert!(authorize.starts_with(&osc.issuer()), "{fault:?} {authorize}");
    }
}

#[tokio::test]
async fn without_metadata_only_a_provider_known_to_be_osc_is_used() {
    let osc = MockOsc::builder().without_metadata().start().await.unwrap();
    let answer = Browser::new(app(&layer(&osc))).navigate("/auth/signin").await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));

    let known = layer_for(&osc).known_endpoints().build().unwrap();
    let mut browser = Browser::new(app(&known));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    assert!(authorize.starts_with(&format!("{}/api/connect/authorize?", osc.issuer())), "{authorize}");
    browser.sign_in(&osc).await;
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    let request = osc.requests(Endpoint::Token).pop().unwrap();
    assert_eq!(request.field("client_secret"), Some(osc.client_secret().as_str()), "as OSC wants it");
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn known_endpoints_are_used_whatever_the_metadata_request_gets() {
    for fault in [Fault::Status(403), Fault::Status(500), Fault::Redirect("/elsewhere".to_owned())] {
        let (osc, _clock, mut browser) = with_clock(OscAuthLayerBuilder::known_endpoints).await;
        osc.fault(Endpoint::Metadata, fault);
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert!(authorize.starts_with(&format!("{}/api/connect/authorize?", osc.issuer())), "{authorize}");
    }
}

#[tokio::test]
async fn the_fallback_serves_for_a_minute_then_metadata_is_retried() {
    let (osc, clock, mut browser) = with_clock(OscAuthLayerBuilder::known_endpoints).await;
    osc.set_metadata_field("authorization_endpoint", json!("https://new.example/authorize"));
    osc.fault(Endpoint::Metadata, Fault::HangUp);
    for _ in 0..3 {
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert!(authorize.starts_with(&osc.issuer()), "{authorize}");
    }
    clock.advance(MINUTE - Duration::from_secs(1));
    browser.begin_sign_in("/auth/signin").await;
    assert_eq!(osc.count(Endpoint::Metadata), 1);

    osc.clear_faults();
    clock.advance(Duration::from_secs(1));
    soon(until_it_leads_to(&mut browser, "https://new.example/authorize?")).await;
    assert_eq!(osc.count(Endpoint::Metadata), 2);
}

#[tokio::test]
async fn fetched_metadata_is_not_replaced_by_the_fallback() {
    let (osc, clock, mut browser) = with_clock(OscAuthLayerBuilder::known_endpoints).await;
    osc.set_metadata_field("authorization_endpoint", json!("https://had.example/authorize"));
    browser.begin_sign_in("/auth/signin").await;
    osc.fault(Endpoint::Metadata, Fault::Status(404));
    // After each failure, the layer waits for a minute. That minute begins when the answer arrives.
    clock.advance(DAY);
    let four_refetches = async {
        while osc.count(Endpoint::Metadata) < 5 {
            clock.advance(MINUTE);
            let authorize = browser.begin_sign_in("/auth/signin").await;
            assert!(authorize.starts_with("https://had.example/authorize?"), "{authorize}");
            tokio::task::yield_now().await;
        }
    };
    soon(four_refetches).await;
}

#[tokio::test]
async fn s15_a_wrong_issuer_is_refused_and_never_falls_back() {
    let misconfigured = (500, "misconfigured".to_owned());
    let unreadable = (502, "provider_unavailable".to_owned());
    for (issuer, expected) in [
        ("https://evil.example", misconfigured.clone()),
        ("", unreadable),
        ("{issuer}/", misconfigured.clone()),
        ("{issuer}/other", misconfigured),
    ] {
        let (osc, _clock, mut browser) = with_clock(OscAuthLayerBuilder::known_endpoints).await;
        osc.set_metadata_field("issuer", json!(issuer.replace("{issuer}", &osc.issuer())));
        for _ in 0..2 {
            let answer = browser.navigate("/auth/signin").await;
            assert_eq!(refusal(&answer), expected, "{issuer}");
        }
        assert!(browser.cookies().is_empty());
    }
}

#[tokio::test]
async fn s15_a_wrong_issuer_ends_a_fallback_in_use() {
    let (osc, clock, mut browser) = with_clock(OscAuthLayerBuilder::known_endpoints).await;
    osc.fault(Endpoint::Metadata, Fault::Status(404)).once();
    browser.begin_sign_in("/auth/signin").await;
    osc.set_metadata_field("issuer", json!("https://evil.example"));
    clock.advance(MINUTE);
    // The first sign-in finds the metadata stale and starts the fetch in the background.
    let refused = async {
        while browser.navigate("/auth/signin").await.status() == StatusCode::SEE_OTHER {
            tokio::task::yield_now().await;
        }
    };
    soon(refused).await;
    let answer = browser.navigate("/auth/signin").await;
    assert_eq!(refusal(&answer), (500, "misconfigured".to_owned()));
}

#[tokio::test]
async fn s16_plain_http_endpoints_off_loopback_are_refused() {
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        for url in [
            "http://idp.example/x",
            "http://localhost.evil.example/x",
            "http://127.0.0.1.nip.example/x",
            "http://10.0.0.1/x",
        ] {
            let (osc, _clock, mut browser) = with_clock(OscAuthLayerBuilder::known_endpoints).await;
            osc.set_metadata_field(name, json!(url));
            let answer = browser.navigate("/auth/signin").await;
            assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{name} {url}");
        }
    }
}

#[tokio::test]
async fn s19_no_redirect_is_followed() {
    let osc = MockOsc::builder().start().await.unwrap();
    let elsewhere = || Fault::Redirect(format!("{}/catalog/mysubscriptions", osc.issuer()));
    let mut browser = Browser::new(app(&layer(&osc)));
    osc.fault(Endpoint::Metadata, elsewhere()).once();
    assert_eq!(refusal(&browser.navigate("/auth/signin").await).0, 502);
    let path = callback(&mut browser, &osc).await;
    osc.fault(Endpoint::Token, elsewhere()).once();
    assert_eq!(refusal(&browser.navigate(&path).await).0, 502);
    let registering = osc_auth_layer::OscAuthLayer::builder(osc_auth_layer::OAuthClient::register("App"));
    let registering = registering.issuer(osc.issuer()).build().unwrap();
    osc.fault(Endpoint::Register, elsewhere()).once();
    assert_eq!(refusal(&Browser::new(app(&registering)).navigate("/auth/signin").await).0, 502);

    assert_eq!(osc.count(Endpoint::Catalog), 0, "a redirect was followed");
}

#[tokio::test]
async fn s19_configure_http_cannot_turn_redirects_on() {
    let osc = MockOsc::builder().start().await.unwrap();
    let follow = |http: reqwest::ClientBuilder| http.redirect(reqwest::redirect::Policy::limited(5));
    let layer = layer_for(&osc).configure_http(follow).build().unwrap();
    osc.fault(Endpoint::Metadata, Fault::Redirect(format!("{}/catalog/mysubscriptions", osc.issuer())));
    assert_eq!(refusal(&Browser::new(app(&layer)).navigate("/auth/signin").await).0, 502);
    assert_eq!(osc.count(Endpoint::Catalog), 0);
}

#[tokio::test]
async fn a_query_in_an_announced_endpoint_is_kept() {
    let osc = MockOsc::builder().start().await.unwrap();
    osc.set_metadata_field("authorization_endpoint", json!("https://idp.example/authorize?tenant=a%20b"));
    let authorize = Browser::new(app(&layer(&osc))).begin_sign_in("/auth/signin").await;
    assert_eq!(parameter(&authorize, "tenant"), "a b");
    assert_eq!(parameter(&authorize, "client_id"), osc.client_id());
}
