//! Every kind of provider failure at every kind of request: sign-in, refresh and sign-out.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Browser, token_of};
use osc_tests::{EXPIRED, QuickClock, Stage, app, callback, error_of, layer_for, refusal, retry_after, soon};

fn failures() -> Vec<(&'static str, Fault)> {
    vec![
        ("500", Fault::Status(500)),
        ("502", Fault::Status(502)),
        ("503", Fault::Status(503)),
        ("503 with Retry-After", Fault::RetryAfter(503, "2".to_owned())),
        ("429", Fault::RetryAfter(429, "1".to_owned())),
        ("hang-up", Fault::HangUp),
        ("HTML", Fault::Html),
        ("HTML for an answer that was given", Fault::Html.after_processing()),
        ("no body", Fault::Empty),
        ("half of the JSON", Fault::MalformedJson),
        ("half an answer", Fault::HalfAnswer),
        ("a lost answer", Fault::LostAnswer),
        ("other types", Fault::WrongTypes),
        ("too much", Fault::Huge),
        ("a redirect", Fault::Redirect("http://127.0.0.1:1/elsewhere".to_owned())),
        ("temporarily_unavailable", Fault::Answer(503, "application/json", OAUTH.to_owned())),
    ]
}

const OAUTH: &str = r#"{"error":"temporarily_unavailable"}"#;

/// Returns a provider with a short grace period for used refresh tokens, as rotating providers have.
fn provider() -> mock_osc::MockOscBuilder {
    MockOsc::builder().refresh_grace(Duration::from_secs(10))
}

#[tokio::test]
async fn s42_no_refresh_failure_ends_the_session() {
    for (name, fault) in failures() {
        let osc = provider().start().await.expect("the mock starts");
        let clock = QuickClock::new();
        let layer = layer_for(&osc).clock(clock.clone()).build().expect("it builds");
        let mut browser = Browser::new(app(&layer));
        browser.sign_in(&osc).await;
        let pass = |time| {
            osc.advance(time);
            clock.advance(time);
        };
        pass(EXPIRED);
        osc.fault(Endpoint::Token, fault);
        let during = soon(browser.fetch("/")).await;
        assert_eq!(error_of(&during), "temporarily_unavailable", "{name}");
        assert!(!browser.cookies().is_empty(), "{name}: the cookie is kept");

        osc.clear_faults();
        pass(retry_after(&during));
        let after = soon(browser.fetch("/")).await;
        let token = token_of(&after).unwrap_or_else(|| panic!("{name}: the session is lost: {after:?}"));
        assert!(osc.is_live(token.access_token()), "{name}");
    }
}

#[tokio::test]
async fn after_any_exchange_failure_the_next_sign_in_works() {
    for (name, fault) in failures() {
        let mut stage = Stage::before_sign_in(provider(), |layer| layer).await;
        let callback = callback(&mut stage.browser, &stage.osc).await;
        stage.osc.fault(Endpoint::Token, fault);
        let during = soon(stage.browser.navigate(&callback)).await;
        assert_eq!(refusal(&during), (502, "provider_unavailable".to_owned()), "{name}");
        assert_eq!(stage.osc.count(Endpoint::Token), 1, "{name}: a code is sent once");

        stage.osc.clear_faults();
        let stage = stage.sign_in().await;
        assert!(stage.osc.is_live(stage.token().await.access_token()), "{name}");
    }
}

#[tokio::test]
async fn after_any_metadata_failure_the_next_sign_in_works() {
    for (name, fault) in failures() {
        let mut stage = Stage::before_sign_in(provider(), |layer| layer).await;
        stage.osc.fault(Endpoint::Metadata, fault);
        let during = soon(stage.browser.navigate("/auth/signin")).await;
        assert_eq!(refusal(&during), (502, "provider_unavailable".to_owned()), "{name}");

        stage.osc.clear_faults();
        let stage = stage.sign_in().await;
        assert!(stage.osc.is_live(stage.token().await.access_token()), "{name}");
    }
}

#[tokio::test]
async fn s31_after_any_revocation_failure_the_visitor_is_signed_out() {
    for (name, fault) in failures() {
        let mut stage = Stage::with(provider(), |layer| layer).await;
        let replay = stage.browser.clone();
        stage.osc.fault(Endpoint::Revoke, fault);
        let answer = soon(stage.browser.post_from("same-origin", "/auth/signout")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name}");
        assert!(stage.browser.cookies().is_empty(), "{name}: the cookie is removed");
        soon(stage.osc.wait_for_requests(Endpoint::Revoke, 1)).await;
        assert_eq!(error_of(&soon(replay.clone().fetch("/")).await), "unauthenticated", "{name}");
    }
}

#[tokio::test]
async fn s31_sign_out_works_while_the_provider_is_down() {
    let mut stage = Stage::signed_in().await;
    let replay = stage.browser.clone();
    stage.osc.stop_listening().await;
    let answer = soon(stage.browser.post_from("same-origin", "/auth/signout")).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(error_of(&soon(replay.clone().fetch("/")).await), "unauthenticated");
    assert!(soon(stage.layer.shutdown(Duration::from_secs(20))).await.is_ok(), "the attempt has an end");
}
