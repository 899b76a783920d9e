//! Malformed answers from the provider.

use std::time::Duration;

use http::{StatusCode, header};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::{Clock, OAuthClient, OscAuthLayer};
use osc_tests::{Browser, QuickClock, app, callback, layer, layer_for, refusal, token_of};
use serde_json::{Value, json};

fn nonsense() -> Vec<Fault> {
    let json = |status, body: &str| Fault::Answer(status, "application/json", body.to_owned());
    vec![
        Fault::Html,
        Fault::Empty,
        Fault::MalformedJson,
        Fault::WrongTypes,
        Fault::Huge,
        Fault::HalfAnswer,
        Fault::HangUp,
        Fault::Status(204),
        Fault::Status(404),
        Fault::Status(418),
        Fault::Status(500),
        Fault::Status(503),
        Fault::RetryAfter(429, "soon".to_owned()),
        Fault::RetryAfter(503, "99999999999999999999".to_owned()),
        Fault::Redirect("https://evil.example/".to_owned()),
        Fault::Redirect(String::new()),
        json(200, "null"),
        json(200, "[]"),
        json(200, "7"),
        json(200, "\"access_token\""),
        json(200, "{}"),
        json(200, &"[".repeat(60_000)),
        json(200, "{\"access_token\":\"a\",\"access_token\":null}"),
        json(400, "{}"),
        json(400, "{\"error\":7}"),
        json(400, "<html>"),
        json(401, ""),
    ]
}

fn leaves_no_secret(osc: &MockOsc, browser: &Browser) {
    for secret in osc.issued_tokens() {
        // Answers may repeat the code, because the provider sent it to the browser itself.
        assert!(!browser.seen().contains(&secret), "a secret reached the browser: {}", browser.seen());
    }
}

#[tokio::test]
async fn malformed_metadata_counts_as_an_unreachable_provider() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    for fault in nonsense() {
        osc.fault(Endpoint::Metadata, fault.clone()).once();
        let mut browser = Browser::new(app.clone());
        let answer = browser.navigate("/auth/signin").await;
        assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{fault:?}");
        assert!(browser.cookies().is_empty(), "{fault:?}");
    }
    let mut browser = Browser::new(app);
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER, "it is asked again");
}

#[tokio::test]
async fn metadata_with_one_malformed_field_is_not_used() {
    let osc = MockOsc::builder().start().await.unwrap();
    for name in ["issuer", "authorization_endpoint", "token_endpoint"] {
        for value in [
            None,
            Some(json!(7)),
            Some(json!(["x"])),
            Some(json!("")),
            Some(json!("/relative")),
            Some(Value::Null),
        ] {
            is_refused_with(&osc, name, value).await;
        }
    }
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        for value in
            ["ftp://127.0.0.1/", "javascript:alert(1)", "data:,x", "https://", "https://a/#fragment", "//a/b"]
        {
            is_refused_with(&osc, name, Some(json!(value))).await;
        }
        is_refused_with(&osc, name, Some(json!({"url": 1}))).await;
    }
}

async fn is_refused_with(osc: &MockOsc, name: &str, value: Option<Value>) {
    osc.set_metadata_field(name, value.clone());
    let mut browser = Browser::new(app(&layer(osc)));
    let answer = browser.navigate("/auth/signin").await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{name} {value:?}");
    assert!(browser.cookies().is_empty());
    osc.clear_metadata_fields();
}

#[tokio::test]
async fn a_malformed_token_answer_makes_no_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let lost = [Fault::LostAnswer, Fault::Html.after_processing(), Fault::Huge.after_processing()];
    for fault in nonsense().into_iter().chain(lost) {
        let mut browser = Browser::new(app.clone());
        let path = callback(&mut browser, &osc).await;
        osc.forget_requests();
        osc.fault(Endpoint::Token, fault.clone()).once();

        let answer = browser.navigate(&path).await;

        assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{fault:?}");
        assert!(browser.cookies().is_empty(), "{fault:?} {:?}", browser.cookies());
        assert_eq!(osc.count(Endpoint::Token), 1, "a code is for one use: {fault:?}");
        leaves_no_secret(&osc, &browser);
    }
}

#[tokio::test]
async fn s71_malformed_tokens_make_no_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    for (name, value) in [
        ("access_token", None),
        ("access_token", Some(json!(""))),
        ("access_token", Some(json!(7))),
        ("access_token", Some(json!("a b"))),
        ("access_token", Some(json!("a\r\nset-cookie: b=c"))),
        ("access_token", Some(json!("caf\u{e9}"))),
        ("access_token", Some(json!("a\u{0}"))),
        ("access_token", Some(json!({"a": "b"}))),
        ("refresh_token", Some(json!(7))),
        ("refresh_token", Some(json!(["a"]))),
        ("token_type", Some(json!("mac"))),
        ("token_type", Some(json!("DPoP"))),
        ("token_type", Some(json!(7))),
    ] {
        osc.clear_token_fields();
        let mut browser = Browser::new(app.clone());
        let path = callback(&mut browser, &osc).await;
        osc.set_token_field(name, value.clone());
        let answer = browser.navigate(&path).await;
        assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{name} {value:?}");
        assert!(browser.cookies().is_empty());
    }
}

#[tokio::test]
async fn s19_answers_over_64_kib_are_not_read() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (fits, too_long) = (json!("x".repeat(60_000)), json!("x".repeat(66_000)));
    osc.set_metadata_field("padding", too_long.clone());
    let mut browser = Browser::new(app(&layer(&osc)));
    let answer = browser.navigate("/auth/signin").await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
    osc.set_metadata_field("padding", fits.clone());

    let path = callback(&mut browser, &osc).await;
    osc.set_token_field("padding", too_long);
    assert_eq!(refusal(&browser.navigate(&path).await), (502, "provider_unavailable".to_owned()));
    osc.set_token_field("padding", fits);
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);

    for (length, status) in [(66_000, 502), (60_000, 303)] {
        let client = json!({"client_id": osc.client_id(), "padding": "x".repeat(length)}).to_string();
        osc.fault(Endpoint::Register, Fault::Answer(201, "application/json", client)).once();
        let layer = OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer()).build().unwrap();
        assert_eq!(Browser::new(app(&layer)).navigate("/auth/signin").await.status(), status, "{length}");
    }
}

#[tokio::test]
async fn a_malformed_refresh_answer_keeps_the_session() {
    for fault in nonsense() {
        // Half an answer loses a rotated token. Without a grace period, that session could not be saved.
        let osc = MockOsc::builder().refresh_grace(Duration::from_secs(600)).start().await.unwrap();
        let clock = QuickClock::new();
        let mut browser = Browser::new(app(&layer_for(&osc).clock(clock.clone()).build().unwrap()));
        browser.sign_in(&osc).await;
        clock.advance(Duration::from_secs(3600));
        osc.fault(Endpoint::Token, fault.clone());

        let answer = browser.fetch("/").await;

        assert_eq!(refusal(&answer), (503, "temporarily_unavailable".to_owned()), "{fault:?}");
        let seconds: u64 = answer.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=450).contains(&seconds), "{fault:?} {seconds}");
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
        // The layer repeats the request after nonsense, which may be a lost answer. After 429 it does not.
        let expected = if matches!(fault, Fault::RetryAfter(429, _)) { 1 } else { 2 };
        assert_eq!(osc.count_grants("refresh_token"), expected, "{fault:?}");
        assert_eq!(refusal(&browser.fetch("/").await).1, "temporarily_unavailable");
        assert_eq!(
            osc.count_grants("refresh_token"),
            expected,
            "the provider is not asked during the backoff"
        );

        osc.clear_faults();
        clock.advance(Duration::from_secs(seconds));
        let token =
            token_of(&browser.fetch("/").await).unwrap_or_else(|| panic!("the session is lost: {fault:?}"));
        assert!(osc.is_live(token.access_token()));
        leaves_no_secret(&osc, &browser);
    }
}

#[tokio::test]
async fn s45_an_absurd_lifetime_neither_fails_a_sign_in_nor_a_refresh() {
    const HOUR: f64 = 3600.0;
    // A lifetime is capped at 497 days. A new token counts as valid for at least a second.
    const LONGEST: f64 = 42_949_672.0;
    const SHORTEST: f64 = 1.0;
    let osc = MockOsc::builder().start().await.unwrap();
    for (expires_in, lifetime) in [
        (None, HOUR),
        (Some(json!(0)), SHORTEST),
        (Some(json!(-1)), SHORTEST),
        (Some(json!(-1e300)), SHORTEST),
        (Some(json!(1e300)), LONGEST),
        (Some(json!(u64::MAX)), LONGEST),
        (Some(json!(i64::MIN)), SHORTEST),
        (Some(json!(0.001)), SHORTEST),
        (Some(json!(3599.5)), 3599.5),
        (Some(json!("3599")), 3599.0),
        (Some(json!("3599.5")), 3599.5),
        (Some(json!(" 7 ")), 7.0),
        (Some(json!("")), HOUR),
        (Some(json!("NaN")), HOUR),
        (Some(json!("inf")), LONGEST),
        (Some(json!("-inf")), SHORTEST),
        (Some(json!("soon")), HOUR),
        (Some(json!("9".repeat(400))), LONGEST),
        (Some(json!(true)), HOUR),
        (Some(json!([3600])), HOUR),
        (Some(json!({"in": 3600})), HOUR),
        (Some(Value::Null), HOUR),
    ] {
        let clock = QuickClock::new();
        let layer = layer_for(&osc).clock(clock.clone()).absolute_timeout(Duration::from_secs(1 << 40));
        let layer = layer.idle_timeout(Duration::from_secs(1 << 40)).build().unwrap();
        let mut browser = Browser::new(app(&layer));
        osc.set_expires_in(expires_in.clone());
        let began = clock.now();
        browser.sign_in(&osc).await;

        let first = token_of(&browser.fetch("/").await).unwrap_or_else(|| panic!("{expires_in:?}"));
        let told = first.expires_at().duration_since(began).unwrap().as_secs_f64();
        assert!((told - lifetime).abs() < 0.1, "{expires_in:?}: {told}");

        clock.advance(Duration::from_secs(11 * 366 * 24 * 3600));
        let second = token_of(&browser.fetch("/").await).unwrap_or_else(|| panic!("{expires_in:?}"));
        assert_ne!(first.access_token(), second.access_token(), "{expires_in:?}");
    }
}

#[tokio::test]
async fn a_malformed_registration_begins_no_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer()).build().unwrap();
    let app = app(&layer);
    for fault in nonsense() {
        osc.fault(Endpoint::Register, fault.clone()).once();
        let mut browser = Browser::new(app.clone());
        let (status, error) = refusal(&browser.navigate("/auth/signin").await);
        assert!(matches!(status, 500 | 502), "{fault:?} {status} {error}");
        assert!(browser.cookies().is_empty());
    }
    assert_eq!(Browser::new(app).sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_malformed_par_answer_begins_no_sign_in() {
    let osc = MockOsc::builder().par(true).start().await.unwrap();
    let app = app(&layer(&osc));
    for fault in nonsense() {
        osc.fault(Endpoint::Par, fault.clone()).once();
        let mut browser = Browser::new(app.clone());
        let (status, error) = refusal(&browser.navigate("/auth/signin").await);
        assert_eq!((status, error.as_str()), (502, "provider_unavailable"), "{fault:?}");
        assert!(browser.cookies().is_empty());
    }
    assert_eq!(Browser::new(app).sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
}
