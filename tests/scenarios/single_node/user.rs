//! The signed-in user, admission rules, and the session endpoint.

mod admission;
mod endpoint;
mod identity;
mod on_osc;
mod sessions;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use osc_auth_layer::test_util::TestToken;
use osc_tests::Stage;
use serde_json::{Value, json};

/// Returns an access token in OSC's format with these claims.
fn jwt(claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims))
}

fn ada() -> String {
    jwt(&json!({ "iss": "token.osaas.eyevinn.se", "tenantId": "team", "userId": "ada", "patId": "1" }))
}

fn colleague() -> String {
    jwt(&json!({ "tenantId": "team", "patId": "2" }))
}

/// Sets the access token of the provider's next answers.
fn provider_gives(stage: &Stage, access_token: &str) {
    stage.osc.set_token_field("access_token", Value::from(access_token));
}

fn test_token(access_token: &str) -> TestToken {
    TestToken::new(access_token).refresh_token("refresh")
}
