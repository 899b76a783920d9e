//! Admission through `authorize` and `allowed_workspaces`.

use http::{Method, StatusCode};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::OscAuthLayerBuilder;
use osc_auth_layer::test_util::MemoryStore;
use osc_tests::{
    Answer, Browser, EXPIRED, Stage, WatchedClock, app, callback, error_of, layer_for, refusal, soon,
};
use serde_json::json;

use super::{ada, colleague, jwt, provider_gives, test_token};

async fn stage(configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder) -> Stage {
    Stage::before_sign_in(MockOsc::builder(), configure).await
}

/// Signs in with this token and returns the answer to the callback.
async fn enters(stage: &Stage, access_token: &str) -> (Browser, Answer) {
    provider_gives(stage, access_token);
    let mut browser = Browser::new(app(&stage.layer));
    let path = callback(&mut browser, &stage.osc).await;
    let answer = soon(browser.navigate(&path)).await;
    (browser, answer)
}

async fn is_turned_away(stage: &Stage, access_token: &str) {
    let revoked = stage.osc.count(Endpoint::Revoke);
    let (browser, answer) = enters(stage, access_token).await;
    assert_eq!(refusal(&answer), (403, "not_allowed".to_owned()));
    let page = String::from_utf8_lossy(answer.body()).into_owned();
    assert!(page.contains("another account") && page.contains("/auth/signin"), "{page}");
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    soon(stage.osc.wait_for_requests(Endpoint::Revoke, revoked + 1)).await;
    assert_eq!(stage.osc.live_refresh_tokens(), 0);
}

#[tokio::test]
async fn s83_only_users_of_the_allowed_workspaces_get_in() {
    let stage = stage(|layer| layer.allowed_workspaces(["team", "friends"])).await;
    is_turned_away(&stage, &jwt(&json!({ "tenantId": "strangers", "userId": "eve" }))).await;
    is_turned_away(&stage, &jwt(&json!({ "tenantId": "Team", "userId": "ada" }))).await;
    for token in [ada(), colleague()] {
        let (mut browser, answer) = enters(&stage, &token).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn s83_an_unknown_user_does_not_get_in() {
    let stage = stage(|layer| layer.authorize(|_| true)).await;
    is_turned_away(&stage, "opaque").await;
    is_turned_away(&stage, &jwt(&json!({ "userId": "ada" }))).await;
}

#[tokio::test]
async fn s83_all_rules_must_agree_and_a_panic_refuses() {
    let stage = stage(|layer| {
        layer.allowed_workspaces(["team"]).authorize(|user| match user.user_id() {
            Some(name) => name != "eve",
            None => panic!("the rule did not expect that"),
        })
    })
    .await;
    is_turned_away(&stage, &jwt(&json!({ "tenantId": "team", "userId": "eve" }))).await;
    is_turned_away(&stage, &colleague()).await;
    assert_eq!(enters(&stage, &ada()).await.1.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s83_a_user_no_longer_allowed_is_out_at_the_next_refresh() {
    let allowed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let rule = allowed.clone();
    let stage = stage(|layer| layer.authorize(move |_| rule.load(std::sync::atomic::Ordering::SeqCst))).await;
    let (mut browser, _) = enters(&stage, &ada()).await;
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    allowed.store(false, std::sync::atomic::Ordering::SeqCst);
    stage.pass(EXPIRED);
    match error_of(&soon(browser.fetch("/")).await).as_str() {
        "session_ended" => soon(stage.osc.wait_for_requests(Endpoint::Revoke, 1)).await,
        // With a store that is read at every request, the session ends before a refresh begins.
        error => assert_eq!(error, "unauthenticated"),
    }
}

#[tokio::test]
async fn s83_a_refreshed_token_without_a_name_keeps_its_user_in() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.allowed_workspaces(["team"])).await;
    let (mut browser, _) = enters(&stage, &ada()).await;
    provider_gives(&stage, "opaque");
    stage.pass(EXPIRED);
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s83_a_session_in_the_store_opens_only_for_users_who_may_enter() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let store = MemoryStore::new();
    let node = |configure: fn(OscAuthLayerBuilder) -> OscAuthLayerBuilder| {
        let layer = layer_for(&stage.osc).clock(WatchedClock::default()).store(store.clone());
        configure(layer).build().expect("it builds")
    };
    let cookie = node(|layer| layer).sign_in_for_test(test_token(&ada())).await;
    let cookie = cookie.to_str().expect("ASCII").to_owned();
    for (layer, status) in [
        (node(|layer| layer.allowed_workspaces(["friends"])), StatusCode::UNAUTHORIZED),
        (node(|layer| layer.allowed_workspaces(["team"])), StatusCode::OK),
    ] {
        let mut browser = Browser::new(app(&layer));
        let (name, value) = cookie.split_once('=').expect("a pair");
        browser.set_cookie(name, value);
        assert_eq!(soon(browser.send(Method::GET, "/", &[])).await.status(), status);
    }
}
