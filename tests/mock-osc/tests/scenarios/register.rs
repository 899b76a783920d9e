use std::time::Duration;

use mock_osc::MockOsc;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::*;

async fn register(osc: &MockOsc, metadata: &Value) -> Response {
    http().post(format!("{}/api/connect/register", osc.issuer())).json(metadata).send().await.unwrap()
}

async fn sign_in_as(osc: &MockOsc, client: &Value) -> Response {
    let id = text(client, "client_id");
    let callback = osc.approve(with(osc, &[("client_id", &id)]).as_str()).await.unwrap();
    let code = param(&callback, "code").unwrap();
    let mut form = code_form(&code, VERIFIER).to_vec();
    form.push(("client_id", &id));
    let secret = client["client_secret"].as_str();
    form.extend(secret.map(|secret| ("client_secret", secret)));
    post(osc, "token", &form).await
}

#[tokio::test]
async fn a_registered_client_signs_in_with_its_redirect_uris_only() {
    let osc = start().await;
    let metadata = json!({
        "client_name": "My <App>", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post",
    });
    let answer = register(&osc, &metadata).await;
    assert_eq!(answer.status(), 201);
    let client: Value = answer.json().await.unwrap();
    assert!(text(&client, "client_secret").starts_with("osc_secret_"));
    assert_eq!(client["client_secret_expires_at"], 0);
    assert_eq!(client["redirect_uris"], json!([CALLBACK]));
    tokens(sign_in_as(&osc, &client).await).await;

    let id = text(&client, "client_id");
    let page = http().get(with(&osc, &[("client_id", &id)])).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("My &lt;App&gt;"), "{page}");
    let foreign = with(&osc, &[("client_id", &id), ("redirect_uri", "http://localhost:3000/other")]);
    assert_eq!(osc.approve(foreign.as_str()).await.unwrap_err().status(), Some(400));
}

#[tokio::test]
async fn a_public_client_gets_no_secret() {
    let osc = start().await;
    let metadata = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
    let client: Value = register(&osc, &metadata).await.json().await.unwrap();
    assert!(client.get("client_secret").is_none());
    tokens(sign_in_as(&osc, &client).await).await;
}

#[tokio::test]
async fn a_registered_secret_can_expire() {
    let osc = MockOsc::builder().registered_secret_ttl(Duration::from_secs(100)).start().await.unwrap();
    let metadata = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post" });
    let client: Value = register(&osc, &metadata).await.json().await.unwrap();
    assert!(client["client_secret_expires_at"].as_u64().unwrap() > 0);
    tokens(sign_in_as(&osc, &client).await).await;
    osc.advance(Duration::from_secs(100));
    assert_eq!(error(sign_in_as(&osc, &client).await).await, (401, "invalid_client".into()));
}

#[tokio::test]
async fn the_registered_method_is_enforced() {
    let osc = start().await;
    // Basic is the default (RFC 7591 §2), but this client posts its secret.
    let client: Value = register(&osc, &json!({ "redirect_uris": [CALLBACK] })).await.json().await.unwrap();
    assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(error(sign_in_as(&osc, &client).await).await, (401, "invalid_client".into()));
}

#[tokio::test]
async fn unusable_metadata_is_refused() {
    let osc = start().await;
    let cases = [
        (json!({}), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
        (json!({ "redirect_uris": [] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [1] }), "invalid_redirect_uri"),
        (
            json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "tls" }),
            "invalid_client_metadata",
        ),
    ];
    for (metadata, code) in cases {
        assert_eq!(error(register(&osc, &metadata).await).await, (400, code.to_owned()), "{metadata}");
    }
}
