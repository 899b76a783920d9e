//! `OscUser`: read from the token, the same everywhere, and constant within a session.

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::OscUser;
use osc_tests::{EXPIRED, Stage, app, error_of, layer_for, soon, token_of};
use serde_json::{Value, json};

use super::{ada, colleague, jwt, provider_gives, test_token};

async fn user_of(stage: &Stage) -> Option<OscUser> {
    stage.token().await.user()
}

async fn signed_in_with(access_token: &str) -> Stage {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    provider_gives(&stage, access_token);
    stage.sign_in().await
}

#[tokio::test]
async fn s81_a_token_identifies_user_and_workspace() {
    let stage = signed_in_with(&ada()).await;
    let user = user_of(&stage).await.expect("a user");
    assert_eq!((user.workspace(), user.user_id()), ("team", Some("ada")));
    let key = user.key().expect("a key");
    assert!(key.ends_with("/team/ada") && key.starts_with(&user.workspace_key()), "{key}");
    assert!(!format!("{user:?}").contains("signature"));
}

#[tokio::test]
async fn s81_without_a_user_id_there_is_no_user_key() {
    let stage = signed_in_with(&colleague()).await;
    let user = user_of(&stage).await.expect("a user");
    assert_eq!((user.workspace(), user.user_id(), user.key()), ("team", None, None));
    let other = signed_in_with(&ada()).await;
    // Another provider, because the mocks have different ports.
    assert_ne!(user_of(&other).await.expect("a user").workspace_key(), user.workspace_key());
}

#[tokio::test]
async fn s81_user_keys_survive_sign_out_restart_and_browser_change() {
    let mut stage = signed_in_with(&ada()).await;
    let first = user_of(&stage).await;
    stage.browser.post_from("same-origin", "/auth/signout").await;
    let mut stage = stage.sign_in().await;
    assert_eq!(user_of(&stage).await, first);
    // A node with an empty cache.
    let restarted = layer_for(&stage.osc).build().expect("it builds");
    stage.browser.switch_app(app(&restarted));
    stage.browser.forget_cookies("");
    stage.browser.sign_in(&stage.osc).await;
    let token = token_of(&stage.browser.fetch("/").await).expect("a token");
    assert_eq!(token.user().map(|user| user.key()), first.map(|user| user.key()));
}

#[tokio::test]
async fn s81_the_publisher_of_a_service_is_not_the_user() {
    let stage = Stage::signed_in().await;
    // The `tenantId` of a service is its publisher.
    assert!(!soon(stage.context().await.subscriptions()).await.expect("subscriptions").is_empty());
    let user = user_of(&stage).await.expect("a user");
    assert_eq!((user.workspace(), user.user_id()), ("adalovelace", Some("ada")));
}

#[tokio::test]
async fn s81_odd_claims_give_an_unknown_user() {
    let with = |name: &str, value: Value| {
        let mut claims = json!({ "tenantId": "team", "userId": "ada" });
        claims[name] = value;
        jwt(&claims)
    };
    let padded = format!("{}=", jwt(&json!({ "tenantId": "team", "x": 1 })).replace(".c2l", "=.c2l"));
    let cases = [
        ("opaque".to_owned(), false),
        ("a.b.c".to_owned(), false),
        (format!("{}.more", ada()), false),
        (with("tenantId", json!(7)), false),
        (with("tenantId", json!("")), false),
        (with("tenantId", json!("x\u{0}y")), false),
        (with("tenantId", json!("x".repeat(300))), false),
        (with("tenantId", json!(["team"])), false),
        (with("userId", json!({ "id": 1 })), true),
        (with("userId", json!("x".repeat(300))), true),
        (with("padding", json!("x".repeat(45_000))), true),
        (padded, true),
    ];
    for (token, is_known) in cases {
        let mut stage = signed_in_with(&token).await;
        assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
        let user = user_of(&stage).await;
        assert_eq!(user.is_some(), is_known, "{}", &token[..40.min(token.len())]);
    }
}

#[tokio::test]
async fn s82_a_refresh_to_another_user_ends_the_session() {
    for other in [
        jwt(&json!({ "tenantId": "team", "userId": "grace" })),
        jwt(&json!({ "tenantId": "other", "userId": "ada" })),
        jwt(&json!({ "tenantId": "other" })),
    ] {
        let mut stage = signed_in_with(&ada()).await;
        stage.pass(EXPIRED);
        provider_gives(&stage, &other);
        let old = stage.browser.clone();
        assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
        assert!(stage.browser.cookies().is_empty());
        assert_eq!(error_of(&soon(old.clone().fetch("/")).await), "unauthenticated");
        soon(stage.osc.wait_for_requests(Endpoint::Revoke, 1)).await;
        assert_eq!(stage.osc.live_refresh_tokens(), 0);
    }
}

#[tokio::test]
async fn s82_an_appearing_or_missing_name_does_not_end_the_session() {
    let stage = signed_in_with(&ada()).await;
    for token in [colleague(), "opaque".to_owned(), colleague(), ada()] {
        stage.pass(EXPIRED);
        provider_gives(&stage, &token);
        assert_eq!(stage.token().await.access_token(), token);
    }
}

#[tokio::test]
async fn s82_a_missing_name_keeps_its_last_value() {
    let mut stage = signed_in_with(&ada()).await;
    for token in ["opaque".to_owned(), colleague()] {
        stage.pass(EXPIRED);
        provider_gives(&stage, &token);
        assert_eq!(stage.token().await.access_token(), token);
        let user = user_of(&stage).await.expect("the session's user");
        assert_eq!((user.workspace(), user.user_id()), ("team", Some("ada")));
    }
    stage.pass(EXPIRED);
    provider_gives(&stage, &jwt(&json!({ "tenantId": "team", "userId": "grace" })));
    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
}

#[tokio::test]
async fn a_token_of_a_dropped_layer_has_no_user() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut browser = stage.browser_with(test_token(&ada())).await;
    let token = token_of(&browser.fetch("/").await).expect("a token");
    assert!(token.user().is_some());
    let Stage { layer, browser: unused, .. } = stage;
    drop((layer, unused, browser));
    assert!(token.user().is_none());
}
