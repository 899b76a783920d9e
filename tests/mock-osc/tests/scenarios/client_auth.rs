use mock_osc::MockOsc;
use reqwest::Response;

use crate::support::*;

const ODD_SECRET: &str = "a:b%c+d é";

async fn odd() -> MockOsc {
    MockOsc::builder()
        .client_id("id:1")
        .client_secret(ODD_SECRET)
        .public_client("cli", &["http://localhost/callback"])
        .start()
        .await
        .unwrap()
}

/// Redeems a fresh code with Basic credentials, encoded as in RFC 6749 §2.3.1.
async fn basic(osc: &MockOsc, secret: &str) -> Response {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let code = code(osc).await;
    let request = http().post(format!("{}/api/connect/token", osc.issuer()));
    let request = request.basic_auth(encode(&osc.client_id()), Some(encode(secret)));
    request.form(&code_form(&code, VERIFIER)).send().await.unwrap()
}

#[tokio::test]
async fn post_and_basic_prove_the_client() {
    let osc = odd().await;
    sign_in(&osc).await;
    tokens(basic(&osc, ODD_SECRET).await).await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_leaves_the_code_alone() {
    let osc = odd().await;
    let refusal = basic(&osc, "wrong").await;
    assert!(refusal.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(error(refusal).await, (401, "invalid_client".into()));

    let (id, code) = (osc.client_id(), code(&osc).await);
    let mut form = code_form(&code, VERIFIER).to_vec();
    form.extend([("client_id", id.as_str()), ("client_secret", "wrong")]);
    let refusal = post(&osc, "token", &form).await;
    assert!(!refusal.headers().contains_key("www-authenticate"));
    assert_eq!(error(refusal).await, (401, "invalid_client".into()));
    // A confidential client must not pass as a public one.
    form.pop();
    assert_eq!(error(post(&osc, "token", &form).await).await, (401, "invalid_client".into()));
    tokens(redeem(&osc, &code).await).await;
}

#[tokio::test]
async fn a_public_client_needs_no_secret_and_may_use_any_loopback_port() {
    let osc = odd().await;
    let redirect_uri = "http://localhost:49152/callback";
    let url = with(&osc, &[("client_id", "cli"), ("redirect_uri", redirect_uri), ("state", "")]);
    let callback = osc.approve(url.as_str()).await.unwrap();
    assert_eq!(param(&callback, "state"), None);
    let code = param(&callback, "code").unwrap();
    let mut form = code_form(&code, VERIFIER).to_vec();
    form[2].1 = redirect_uri;
    form.push(("client_id", "cli"));
    tokens(post(&osc, "token", &form).await).await;
}

#[tokio::test]
async fn a_method_that_is_not_announced_is_refused() {
    let setup = MockOsc::builder().public_client("cli", &["http://localhost/callback"]);
    let osc = setup.clone().token_endpoint_auth_methods(&["client_secret_basic"]).start().await.unwrap();
    assert_eq!(error(redeem(&osc, &code(&osc).await).await).await, (401, "invalid_client".into()));
    let public = post(&osc, "token", &[("grant_type", "refresh_token"), ("client_id", "cli")]).await;
    assert_eq!(error(public).await, (401, "invalid_client".into()));
    tokens(basic(&osc, &osc.client_secret()).await).await;

    let osc = setup.token_endpoint_auth_methods(&["client_secret_post"]).start().await.unwrap();
    assert_eq!(error(basic(&osc, &osc.client_secret()).await).await, (401, "invalid_client".into()));
    sign_in(&osc).await;
}

#[tokio::test]
async fn a_removed_client_is_unknown() {
    let osc = odd().await;
    let (_, token) = sign_in(&osc).await;
    assert!(osc.remove_client(&osc.client_id()));
    assert_eq!(error(refresh(&osc, &token).await).await, (401, "invalid_client".into()));
}

#[tokio::test]
async fn credentials_in_the_url_do_not_count() {
    let osc = odd().await;
    let url = format!("{}/api/connect/token?client_id=cli", osc.issuer());
    let answer = http().post(url).form(&[("grant_type", "refresh_token")]).send().await.unwrap();
    assert_eq!(error(answer).await, (401, "invalid_client".into()));
}
