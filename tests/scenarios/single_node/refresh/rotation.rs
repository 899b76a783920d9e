//! Rotation of the refresh token (RFC 6749 §6).

use std::collections::BTreeSet;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc, Rotation};
use osc_tests::{AHEAD, EXPIRED, LEEWAY, Stage, error_of, soon};
use serde_json::Value;

/// Returns the refresh tokens that were used, in order.
fn spent(stage: &Stage) -> Vec<String> {
    let requests = stage.osc.requests(Endpoint::Token);
    requests.iter().filter_map(|request| request.field("refresh_token").map(str::to_owned)).collect()
}

#[tokio::test]
async fn s41_each_refresh_uses_the_previous_refreshs_token() {
    let stage = Stage::signed_in().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.extend(stage.osc.issued_tokens().last().cloned());
        stage.pass(EXPIRED);
        assert!(stage.osc.is_live(stage.token().await.access_token()));
    }
    assert_eq!(spent(&stage), expected);
    assert_eq!(expected.iter().collect::<BTreeSet<_>>().len(), 5);
}

#[tokio::test]
async fn s41_an_omitted_or_repeated_refresh_token_keeps_the_old() {
    for rotation in [Rotation::Never, Rotation::Repeat] {
        let stage = Stage::with(MockOsc::builder().rotation(rotation), |layer| layer).await;
        let first = stage.osc.issued_tokens().last().cloned().unwrap();
        for _ in 0..3 {
            stage.pass(EXPIRED);
            assert!(stage.osc.is_live(stage.token().await.access_token()));
        }
        assert_eq!(spent(&stage), vec![first; 3], "{rotation:?}");
    }
}

#[tokio::test]
async fn s41_null_and_empty_refresh_tokens_keep_the_old() {
    for nothing in [Value::Null, Value::from("")] {
        let stage = Stage::with(MockOsc::builder().rotation(Rotation::Never), |layer| layer).await;
        stage.osc.set_token_field("refresh_token", nothing.clone());
        for _ in 0..2 {
            stage.pass(EXPIRED);
            assert!(stage.osc.is_live(stage.token().await.access_token()), "{nothing}");
        }
        let spent = spent(&stage);
        assert_eq!(spent[0], spent[1]);
    }
}

#[tokio::test]
async fn s41_the_rotated_token_is_kept_before_the_new_access_token_is_used() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let token = stage.token().await;
    let rotated = stage.osc.issued_tokens().last().cloned().unwrap();

    token.session().sign_out().await;

    soon(stage.osc.wait_for_requests(Endpoint::Revoke, 1)).await;
    let revoked = stage.osc.requests(Endpoint::Revoke);
    assert_eq!(revoked[0].field("token"), Some(rotated.as_str()));
    assert_eq!(revoked[0].field("token_type_hint"), Some("refresh_token"));
}

#[tokio::test]
async fn without_refresh_tokens_a_session_ends_with_its_token() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    stage.osc.set_token_field("refresh_token", None);
    let mut stage = stage.sign_in().await;
    let token = stage.token().await;
    for time in [AHEAD, LEEWAY - AHEAD] {
        stage.pass(time);
        assert_eq!(stage.token().await.access_token(), token.access_token());
    }
    stage.pass(EXPIRED - LEEWAY);

    let answer = stage.fetch("/").await;

    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(error_of(&answer), "session_ended");
    assert!(stage.browser.cookies().is_empty());
    assert_eq!(stage.refreshes(), 0);
}
