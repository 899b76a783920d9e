use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use mock_osc::{AccessTokenForm, MockOsc, MockOscBuilder};
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

/// Decodes header and claims of a JWT.
fn decode(token: &str) -> [Value; 2] {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!((parts.len(), parts[2].len()), (3, 43), "{token}");
    [parts[0], parts[1]].map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
}

fn claims(token: &str) -> Value {
    let [_, claims] = decode(token);
    claims
}

async fn is_accepted(osc: &MockOsc, token: &str) -> bool {
    let request = http().get(format!("{}/money/mytokencount", osc.platform()));
    request.header("x-pat-jwt", format!("Bearer {token}")).send().await.unwrap().status() == 200
}

async fn start_with(builder: MockOscBuilder) -> MockOsc {
    builder.start().await.unwrap()
}

#[tokio::test]
async fn an_access_token_claims_workspace_user_and_expiry() {
    let osc = start_with(MockOsc::builder().token_ttl(Duration::from_secs(600))).await;
    let (token, _) = sign_in(&osc).await;
    let [header, claims] = decode(&token);
    assert_eq!(header, json!({ "alg": "HS256", "typ": "JWT" }));
    assert_eq!(claims["iss"], "token.osaas.eyevinn.se");
    assert_eq!((&claims["tenantId"], &claims["userId"]), (&json!("adalovelace"), &json!("ada")));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let issued = claims["iat"].as_u64().unwrap();
    assert!((now - 60..=now).contains(&issued), "{issued}");
    assert_eq!(claims["exp"], issued + 600);
    assert!(!text(&claims, "patId").is_empty());
    assert_eq!(token.len(), 900);
}

#[tokio::test]
async fn a_refreshed_token_keeps_user_and_workspace_under_another_id() {
    let osc = start().await;
    let callback = osc.approve_in("grace", "team", authorize_url(&osc).as_str()).await.unwrap();
    let (first, refresh_token) = tokens(redeem(&osc, &param(&callback, "code").unwrap()).await).await;
    osc.advance(Duration::from_secs(3000));
    let (second, _) = tokens(refresh(&osc, &refresh_token).await).await;
    let [first, second] = [first, second].map(|token| claims(&token));
    for claim in ["tenantId", "userId"] {
        assert_eq!(first[claim], second[claim], "{claim}");
    }
    assert_eq!((&second["tenantId"], &second["userId"]), (&json!("team"), &json!("grace")));
    assert_ne!(first["patId"], second["patId"]);
    assert!(second["exp"].as_u64() >= first["exp"].as_u64().map(|end| end + 3000));
}

#[tokio::test]
async fn a_console_token_never_expires() {
    let osc = start().await;
    let claims = claims(&osc.personal_access_token_in("grace", "team"));
    assert_eq!((&claims["tenantId"], &claims["userId"]), (&json!("team"), &json!("grace")));
    assert!(claims["iat"].is_u64());
    assert_eq!(claims.get("exp"), None);
}

#[tokio::test]
async fn the_user_id_can_be_left_out() {
    let osc = start_with(MockOsc::builder().without_user_id()).await;
    let without = claims(&osc.personal_access_token("ada"));
    assert_eq!((&without["tenantId"], without.get("userId")), (&json!("adalovelace"), None));
    osc.clear_claims();
    assert_eq!(claims(&osc.personal_access_token("ada"))["userId"], "ada");
    osc.set_claim("userId", None);
    let (token, _) = sign_in(&osc).await;
    assert_eq!(claims(&token).get("userId"), None);
}

#[tokio::test]
async fn claims_do_not_change_the_workspace_of_a_token() {
    let user = User::new(start().await).await;
    let control = "\u{0}\u{7f}\u{202e}".repeat(100);
    for value in [json!(7), json!(""), json!(control), json!(["team"]), json!({}), json!(true), Value::Null] {
        user.osc.set_claim("tenantId", value.clone());
        user.osc.set_claim("exp", value.clone());
        let (token, _) = sign_in(&user.osc).await;
        assert_eq!((&claims(&token)["tenantId"], &claims(&token)["exp"]), (&value, &value));
        let user = User { osc: user.osc.clone(), pat: token };
        assert_eq!(user.workspace().await, "adalovelace", "{value}");
    }
    user.osc.clear_claims();
    assert_eq!(claims(&sign_in(&user.osc).await.0)["tenantId"], "adalovelace");
}

#[tokio::test]
async fn a_token_can_be_as_long_as_60_kilobytes() {
    let osc = start_with(MockOsc::builder().claim("more", json!("x".repeat(60 * 1024)))).await;
    let (token, _) = sign_in(&osc).await;
    assert!(token.len() > 80 * 1024, "{}", token.len());
    assert_eq!(claims(&token)["tenantId"], "adalovelace");
    assert!(is_accepted(&osc, &token).await);
}

#[tokio::test]
async fn a_token_can_be_padded_or_no_jwt_at_all() {
    let osc = start_with(MockOsc::builder().access_token_form(AccessTokenForm::PaddedJwt)).await;
    let (padded, refresh_token) = sign_in(&osc).await;
    let parts: Vec<&str> = padded.split('.').collect();
    assert!(parts[1].ends_with('=') && parts[2].ends_with('='), "{padded}");
    let claims: Value = serde_json::from_slice(&URL_SAFE.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(claims["tenantId"], "adalovelace");
    osc.set_access_token_form(AccessTokenForm::Opaque);
    let (opaque, _) = tokens(refresh(&osc, &refresh_token).await).await;
    assert_eq!((opaque.len(), opaque.contains('.')), (900, false));
    assert!(is_accepted(&osc, &padded).await && is_accepted(&osc, &opaque).await);
}

#[tokio::test]
async fn another_mocks_token_opens_nothing() {
    let (osc, other) = (start().await, start().await);
    let token = other.personal_access_token("ada");
    assert!(is_accepted(&other, &token).await);
    assert!(!is_accepted(&osc, &token).await);
}
