use std::time::Duration;

use mock_osc::{MockOsc, Rotation};
use serde_json::{Value, json};

use crate::support::*;

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

#[tokio::test]
async fn a_grant_without_a_sign_in_can_be_refreshed_and_revoked() {
    let osc = start().await;
    for answer in [osc.grant_for("grace"), osc.grant_in("ada", "team")] {
        let answer = serde_json::from_str(&answer).unwrap();
        let (access_token, refresh_token) = (text(&answer, "access_token"), text(&answer, "refresh_token"));
        assert!(osc.is_live(&access_token));
        assert!(osc.issued_tokens().contains(&refresh_token));
        let (access_token, refresh_token) = tokens(refresh(&osc, &refresh_token).await).await;
        post_as_client(&osc, "revoke", &[("token", &refresh_token)]).await;
        assert!(!osc.is_live(&access_token));
    }
    assert_eq!(osc.grant_uses().refreshes, 2);
}

#[tokio::test]
async fn a_code_gives_tokens_that_stay_out_of_caches() {
    let osc = start().await;
    let answer = redeem(&osc, &code(&osc).await).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let json: Value = answer.json().await.unwrap();
    assert_eq!((&json["token_type"], &json["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert!(osc.is_live(&text(&json, "access_token")));
    assert_eq!(text(&json, "access_token").len(), 900);
    assert_eq!(osc.live_refresh_tokens(), 1);
    assert!(json.get("scope").is_none() && json.get("id_token").is_none());
    for issued in [text(&json, "access_token"), text(&json, "refresh_token"), osc.client_secret()] {
        assert!(osc.issued_tokens().contains(&issued));
    }
}

#[tokio::test]
async fn a_missing_or_wrong_verifier_is_refused() {
    let osc = start().await;
    let code_one = code(&osc).await;
    let missing = post_as_client(&osc, "token", &code_form(&code_one, VERIFIER)[..3]).await;
    assert_eq!(error(missing).await, (400, "invalid_request".into()));
    let wrong = post_as_client(&osc, "token", &code_form(&code_one, CHALLENGE)).await;
    assert_eq!(wrong.headers()["cache-control"], "no-store");
    assert_eq!(error(wrong).await, invalid_grant());
}

#[tokio::test]
async fn a_code_is_bound_to_its_redirect_uri() {
    let osc = start().await;
    let code = code(&osc).await;
    let mut form = code_form(&code, VERIFIER);
    form[2].1 = "http://localhost:3000/other";
    assert_eq!(error(post_as_client(&osc, "token", &form).await).await, invalid_grant());
}

#[tokio::test]
async fn a_code_is_bound_to_its_client_which_another_cannot_spoil() {
    let osc = MockOsc::builder().public_client("other", &[CALLBACK]).start().await.unwrap();
    let code = code(&osc).await;
    let mut form = code_form(&code, VERIFIER).to_vec();
    form.push(("client_id", "other"));
    assert_eq!(error(post(&osc, "token", &form).await).await, invalid_grant());
    tokens(redeem(&osc, &code).await).await;
}

#[tokio::test]
async fn a_code_used_twice_kills_its_grant() {
    let osc = start().await;
    let code = code(&osc).await;
    let (access, refresh_token) = tokens(redeem(&osc, &code).await).await;
    assert_eq!(error(redeem(&osc, &code).await).await, invalid_grant());
    assert!(!osc.is_live(&access));
    assert_eq!(error(refresh(&osc, &refresh_token).await).await, invalid_grant());
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let osc = start().await;
    let code = code(&osc).await;
    osc.advance(Duration::from_secs(60));
    assert_eq!(error(redeem(&osc, &code).await).await, invalid_grant());
}

#[tokio::test]
async fn the_answer_names_the_scopes_and_has_no_id_token() {
    let osc = start().await;
    let callback = osc.approve(with(&osc, &[("scope", "openid a")]).as_str()).await.unwrap();
    let answer = redeem(&osc, &param(&callback, "code").unwrap()).await;
    let json: Value = answer.json().await.unwrap();
    assert_eq!(json["scope"], "openid a");
    assert!(json.get("id_token").is_none());
}

#[tokio::test]
async fn an_error_has_a_description() {
    let osc = start().await;
    let unknown = [("grant_type", "refresh_token"), ("refresh_token", "unknown")];
    let answers = [
        post_as_client(&osc, "token", &unknown).await,
        post(&osc, "token", &[("client_id", "unknown"), unknown[0], unknown[1]]).await,
    ];
    for (answer, error) in answers.into_iter().zip(["invalid_grant", "invalid_client"]) {
        let json: Value = answer.json().await.unwrap();
        assert_eq!(json["error"], error);
        assert!(json["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
    }
}

#[tokio::test]
async fn a_refresh_token_lives_for_thirty_days() {
    let osc = start().await;
    let (_, first) = sign_in(&osc).await;
    let thirty_days = Duration::from_secs(30 * 86_400);
    osc.advance(thirty_days - Duration::from_secs(1));
    let (_, second) = tokens(refresh(&osc, &first).await).await;
    osc.advance(thirty_days);
    assert_eq!(error(refresh(&osc, &second).await).await, invalid_grant());
}

#[tokio::test]
async fn an_access_token_expires() {
    let osc = MockOsc::builder().token_ttl(Duration::from_secs(10)).start().await.unwrap();
    let (access, _) = sign_in(&osc).await;
    assert!(osc.is_live(&access));
    osc.advance(Duration::from_secs(10));
    assert!(!osc.is_live(&access));
}

#[tokio::test]
async fn a_refresh_rotates_and_a_reuse_kills_the_whole_grant() {
    let osc = start().await;
    let (_, first) = sign_in(&osc).await;
    let (access, second) = tokens(refresh(&osc, &first).await).await;
    assert_ne!(first, second);
    assert_eq!(osc.live_refresh_tokens(), 1);
    assert_eq!(error(refresh(&osc, &first).await).await, invalid_grant());
    assert_eq!(error(refresh(&osc, &second).await).await, invalid_grant());
    assert!(!osc.is_live(&access));
    assert_eq!((osc.live_refresh_tokens(), osc.count_grants("refresh_token")), (0, 3));
}

#[tokio::test]
async fn a_reuse_leaves_other_grants_alone() {
    let osc = start().await;
    let (_, mine) = sign_in(&osc).await;
    let (_, other) = sign_in(&osc).await;
    tokens(refresh(&osc, &mine).await).await;
    refresh(&osc, &mine).await;
    tokens(refresh(&osc, &other).await).await;
}

#[tokio::test]
async fn without_reuse_detection_the_grant_lives_on() {
    let osc = MockOsc::builder().rotation(Rotation::WithoutReuseDetection).start().await.unwrap();
    let (_, first) = sign_in(&osc).await;
    let (_, second) = tokens(refresh(&osc, &first).await).await;
    assert_eq!(error(refresh(&osc, &first).await).await, invalid_grant());
    tokens(refresh(&osc, &second).await).await;
}

#[tokio::test]
async fn without_rotation_the_refresh_token_stays() {
    let osc = MockOsc::builder().rotation(Rotation::Never).start().await.unwrap();
    let (_, kept) = sign_in(&osc).await;
    for _ in 0..2 {
        let json: Value = refresh(&osc, &kept).await.json().await.unwrap();
        assert!(json["access_token"].is_string() && json.get("refresh_token").is_none(), "{json}");
    }
    osc.set_rotation(Rotation::Repeat);
    assert_eq!(tokens(refresh(&osc, &kept).await).await.1, kept);
    tokens(refresh(&osc, &kept).await).await;
}

#[tokio::test]
async fn within_the_grace_a_reuse_gets_the_same_answer() {
    let osc = MockOsc::builder().refresh_grace(Duration::from_secs(30)).start().await.unwrap();
    let (_, first) = sign_in(&osc).await;
    let answer = tokens(refresh(&osc, &first).await).await;
    assert_eq!(tokens(refresh(&osc, &first).await).await, answer);
    osc.advance(Duration::from_secs(30));
    assert_eq!(error(refresh(&osc, &first).await).await, invalid_grant());
    assert_eq!(error(refresh(&osc, &answer.1).await).await, invalid_grant());
}

#[tokio::test]
async fn a_refresh_token_is_bound_to_its_client() {
    let osc = MockOsc::builder().public_client("other", &[CALLBACK]).start().await.unwrap();
    let (_, token) = sign_in(&osc).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("client_id", "other")];
    assert_eq!(error(post(&osc, "token", &form).await).await, invalid_grant());
    tokens(refresh(&osc, &token).await).await;
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_grant() {
    let osc = start().await;
    let (access, token) = sign_in(&osc).await;
    assert_eq!(post_as_client(&osc, "revoke", &[("token", &token)]).await.status(), 200);
    assert!(!osc.is_live(&access));
    assert_eq!(error(refresh(&osc, &token).await).await, invalid_grant());
    // An unknown token is no error (RFC 7009 §2.2).
    assert_eq!(post_as_client(&osc, "revoke", &[("token", "unknown")]).await.status(), 200);
}

#[tokio::test]
async fn revoking_an_access_token_ends_that_alone_and_only_for_its_client() {
    let osc = MockOsc::builder().public_client("other", &[CALLBACK]).start().await.unwrap();
    let (access, token) = sign_in(&osc).await;
    post(&osc, "revoke", &[("token", &access), ("client_id", "other")]).await;
    post(&osc, "revoke", &[("token", &token), ("client_id", "other")]).await;
    assert!(osc.is_live(&access));
    post_as_client(&osc, "revoke", &[("token", &access)]).await;
    assert!(!osc.is_live(&access));
    tokens(refresh(&osc, &token).await).await;
}

#[tokio::test]
async fn a_test_can_end_all_grants_or_only_the_refresh_tokens() {
    let osc = start().await;
    let (access, token) = sign_in(&osc).await;
    osc.revoke_refresh_tokens();
    assert!(osc.is_live(&access));
    assert_eq!(error(refresh(&osc, &token).await).await, invalid_grant());
    let (access, token) = sign_in(&osc).await;
    osc.revoke_grants();
    assert!(!osc.is_live(&access));
    assert_eq!(error(refresh(&osc, &token).await).await, invalid_grant());
}

#[tokio::test]
async fn fields_of_the_answer_can_be_anything() {
    let osc = start().await;
    for value in [json!(-1), json!(1e300), json!("3600"), json!(0.5)] {
        osc.set_expires_in(value.clone());
        let json: Value = redeem(&osc, &code(&osc).await).await.json().await.unwrap();
        assert_eq!(json["expires_in"], value);
    }
    osc.set_expires_in(None);
    let json: Value = redeem(&osc, &code(&osc).await).await.json().await.unwrap();
    assert!(json.get("expires_in").is_none());
}

#[tokio::test]
async fn other_grant_types_and_repeated_parameters_are_refused() {
    let osc = start().await;
    let password = post_as_client(&osc, "token", &[("grant_type", "password")]).await;
    assert_eq!(error(password).await, (400, "unsupported_grant_type".into()));
    let twice = post_as_client(&osc, "token", &[("grant_type", "refresh_token"); 2]).await;
    assert_eq!(error(twice).await, (400, "invalid_request".into()));
}

#[tokio::test]
async fn the_uses_of_grants_are_counted_each_by_its_kind() {
    let osc = MockOsc::builder().refresh_grace(Duration::from_secs(10)).start().await.unwrap();
    let uses = |osc: &MockOsc| {
        let uses = osc.grant_uses();
        (uses.codes, uses.refreshes, uses.repeated, uses.reused)
    };
    let (_, refresh_token) = sign_in(&osc).await;
    assert_eq!(uses(&osc), (1, 0, 0, 0));
    let first = tokens(refresh(&osc, &refresh_token).await).await;
    assert_eq!(uses(&osc), (1, 1, 0, 0));
    assert_eq!(tokens(refresh(&osc, &refresh_token).await).await, first);
    assert_eq!(uses(&osc), (1, 1, 1, 0));
    osc.advance(Duration::from_secs(10));
    assert_eq!(error(refresh(&osc, &refresh_token).await).await, invalid_grant());
    // Tokens of a revoked grant and unknown tokens do not count as uses.
    assert_eq!(error(refresh(&osc, &first.1).await).await, invalid_grant());
    assert_eq!(error(refresh(&osc, "nonsense").await).await, invalid_grant());
    assert_eq!(uses(&osc), (1, 1, 1, 1));
}

#[tokio::test]
async fn revoking_one_grant_keeps_the_others() {
    let osc = start().await;
    let (one, other) = (code(&osc).await, code(&osc).await);
    assert!(!osc.revoke_grant(&one), "a code that was not used has none");
    let (access, refresh_token) = tokens(redeem(&osc, &one).await).await;
    let (other_access, other_refresh_token) = tokens(redeem(&osc, &other).await).await;
    assert!(osc.revoke_grant(&one));
    assert!(!osc.is_live(&access) && osc.is_live(&other_access));
    assert_eq!(error(refresh(&osc, &refresh_token).await).await, invalid_grant());
    tokens(refresh(&osc, &other_refresh_token).await).await;
}
