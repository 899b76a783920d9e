//! The session endpoint, which tells a script whether the visitor is signed in.

use std::time::{Duration, UNIX_EPOCH};

use http::{Method, StatusCode, header};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::Clock;
use osc_auth_layer::test_util::MemoryStore;
use osc_tests::{Answer, EXPIRED, Stage, assert_own, error_of, refusal, soon};
use serde_json::{Value, json};

use super::{ada, provider_gives};

const HOUR: Duration = Duration::from_secs(3600);

fn json_of(answer: &Answer) -> Value {
    assert_own(answer);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    serde_json::from_slice(answer.body()).expect("JSON")
}

async fn asked(stage: &mut Stage) -> Value {
    let answer = soon(stage.browser.fetch("/auth/session")).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    json_of(&answer)
}

#[tokio::test]
async fn s84_the_session_endpoint_returns_user_expiry_and_sign_out() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    provider_gives(&stage, &ada());
    let mut stage = stage.sign_in().await;
    let now = stage.clock.now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();

    let answer = asked(&mut stage).await;

    let expires_at = answer["expires_at"].as_u64().expect("a number of seconds");
    assert!((now + 23 * 3600..=now + 25 * 3600).contains(&expires_at), "{expires_at}");
    let expected = json!({
        "signed_in": true, "workspace": "team", "user": "ada", "expires_at": expires_at, "signout": "/auth/signout",
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn s84_a_signed_out_visitor_gets_200_and_the_sign_in_url() {
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.redirect_to_signin()).await;
    let out = json!({ "signed_in": false, "signin": "/auth/signin" });
    assert_eq!(asked(&mut stage).await, out);
    // A navigation is not redirected either.
    let answer = stage.browser.navigate("/auth/session").await;
    assert_eq!((answer.status(), json_of(&answer)), (StatusCode::OK, out.clone()));
    let mut stage = stage.sign_in().await;
    stage.browser.post_from("same-origin", "/auth/signout").await;
    assert_eq!(asked(&mut stage).await, out);
    let mut stage = stage.sign_in().await;
    stage.pass(25 * HOUR);
    assert_eq!(asked(&mut stage).await, out);
}

#[tokio::test]
async fn s84_the_session_endpoint_never_refreshes_or_counts_as_use() {
    let mut stage = Stage::signed_in().await;
    let first = asked(&mut stage).await;
    for _ in 0..23 {
        stage.pass(HOUR);
        assert_eq!(asked(&mut stage).await, first);
    }
    assert_eq!(stage.refreshes(), 0);
    stage.pass(HOUR);
    assert_eq!(asked(&mut stage).await["signed_in"], json!(false));
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated", "it kept the session alive");
}

#[tokio::test]
async fn s84_the_session_endpoint_works_in_a_provider_outage() {
    let mut stage = Stage::signed_in().await;
    stage.osc.stop_listening().await;
    stage.pass(EXPIRED);
    assert_eq!(asked(&mut stage).await["signed_in"], json!(true));
}

#[tokio::test]
async fn s84_the_session_endpoint_reports_a_store_outage() {
    let store = MemoryStore::new();
    let mut stage = Stage::with(MockOsc::builder(), |layer| layer.store(store.clone())).await;
    store.go_down();
    let answer = soon(stage.browser.fetch("/auth/session")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let json = json_of(&answer);
    assert_eq!(json["signed_in"], Value::Null);
    assert!(json["retry_after"].as_u64().is_some_and(|seconds| seconds > 0), "{json}");
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert!(!answer.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn s84_pages_of_other_origins_are_refused() {
    let mut stage = Stage::signed_in().await;
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://localhost:4000")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ] {
        let answer = soon(stage.browser.send(Method::GET, "/auth/session", headers)).await;
        assert_eq!(refusal(&answer), (403, "forbidden".to_owned()), "{headers:?}");
    }
    for headers in [
        &[("origin", "http://localhost:3000")][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[],
    ] {
        let answer = soon(stage.browser.send(Method::GET, "/auth/session", headers)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{headers:?}");
    }
}

#[tokio::test]
async fn the_path_can_be_chosen_and_answers_to_get_alone() {
    let mut stage = Stage::with(MockOsc::builder(), |layer| layer.session_path("/me")).await;
    assert_eq!(json_of(&stage.browser.fetch("/me").await)["signed_in"], json!(true));
    assert_eq!(stage.browser.fetch("/auth/session").await.status(), StatusCode::OK, "the app's own path");
    for method in [Method::POST, Method::HEAD, Method::OPTIONS] {
        let answer = stage.browser.send(method.clone(), "/me", &[]).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}
