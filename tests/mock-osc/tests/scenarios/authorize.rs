use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_osc::MockOsc;

use crate::support::*;

#[tokio::test]
async fn approval_leads_back_with_code_and_state() {
    let osc = start().await;
    let callback = osc.approve(authorize_url(&osc).as_str()).await.unwrap();
    assert!(callback.starts_with(CALLBACK));
    assert!(param(&callback, "code").is_some());
    assert_eq!(param(&callback, "state").as_deref(), Some("some state"));
    assert_eq!(param(&callback, "iss"), None);
}

#[tokio::test]
async fn refusal_leads_back_with_access_denied_and_state() {
    let osc = start().await;
    let callback = osc.deny(authorize_url(&osc).as_str()).await.unwrap();
    assert_eq!(param(&callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(param(&callback, "state").as_deref(), Some("some state"));
    assert_eq!(param(&callback, "code"), None);
}

#[tokio::test]
async fn auto_consent_leads_the_chosen_user_back_at_once() {
    let osc = MockOsc::builder().auto_consent_in("grace", "team").start().await.unwrap();
    let answer = http().get(authorize_url(&osc)).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let callback = answer.headers()["location"].to_str().unwrap();
    assert!(callback.contains("state="), "{callback}");
    assert_eq!(account_of(&osc, callback).await, ("grace".to_owned(), "team".to_owned()));
    // A user that a test names counts more.
    let callback = osc.approve_as("ada", authorize_url(&osc).as_str()).await.unwrap();
    assert_eq!(account_of(&osc, &callback).await, ("ada".to_owned(), "adalovelace".to_owned()));
}

#[tokio::test]
async fn auto_consent_needs_a_user_of_the_mock() {
    let grace = MockOsc::builder().user("alan", &["turing"]).auto_consent("grace");
    let error = grace.start().await.unwrap_err().to_string();
    assert_eq!(error, "the mock has no user \"grace\"; it has alan/turing");
}

/// Redeems the code of a callback, and returns the user and the workspace of the access token.
async fn account_of(osc: &MockOsc, callback: &str) -> (String, String) {
    let (access_token, _) = tokens(redeem(osc, &param(callback, "code").unwrap()).await).await;
    let claims = URL_SAFE_NO_PAD.decode(access_token.split('.').nth(1).unwrap()).unwrap();
    let claims = serde_json::from_slice(&claims).unwrap();
    (text(&claims, "userId"), text(&claims, "tenantId"))
}

#[tokio::test]
async fn missing_and_plain_pkce_are_refused() {
    let osc = start().await;
    for change in [("code_challenge", ""), ("code_challenge_method", ""), ("code_challenge_method", "plain")]
    {
        let callback = osc.approve(with(&osc, &[change]).as_str()).await.unwrap();
        assert_eq!(param(&callback, "error").as_deref(), Some("invalid_request"), "{change:?}");
        assert_eq!(param(&callback, "state").as_deref(), Some("some state"), "{change:?}");
    }
}

#[tokio::test]
async fn an_untrusted_redirect_uri_gets_a_page_and_no_redirect() {
    let osc = start().await;
    let foreign = [
        ("redirect_uri", "https://evil.example/auth/callback"),
        ("redirect_uri", "http://localhost.evil.example/auth/callback"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", ""),
        ("client_id", "unknown"),
        ("client_id", ""),
    ];
    for change in foreign {
        let refusal = osc.approve(with(&osc, &[change]).as_str()).await.unwrap_err();
        assert_eq!(refusal.status(), Some(400), "{change:?}");
    }
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let osc = start().await;
    let mut url = authorize_url(&osc);
    url.query_pairs_mut().append_pair("redirect_uri", CALLBACK);
    assert_eq!(osc.approve(url.as_str()).await.unwrap_err().status(), Some(400));
}

#[tokio::test]
async fn loose_redirect_uris_accept_foreign_ones_but_no_script() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let callback =
        osc.approve(with(&osc, &[("redirect_uri", "https://a.example/cb?x=1")]).as_str()).await.unwrap();
    assert!(callback.starts_with("https://a.example/cb?x=1&code="), "{callback}");
    let refusal = osc.approve(with(&osc, &[("redirect_uri", "javascript:alert(1)")]).as_str()).await;
    assert_eq!(refusal.unwrap_err().status(), Some(400));
}

#[tokio::test]
async fn the_page_escapes_what_is_foreign_and_has_a_strict_policy() {
    let osc = MockOsc::builder().client("x", None, &[CALLBACK]).start().await.unwrap();
    let url = with(&osc, &[("client_id", "x"), ("scope", "<script>alert(1)</script>")]);
    let answer = http().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self' http://localhost:3000;"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains(r#"<button id="allow""#) && page.contains(r#"<button id="deny""#));
}

#[tokio::test]
async fn a_browser_posts_its_decision_and_is_sent_on_with_303() {
    let osc = start().await;
    let answer = http().post(authorize_url(&osc)).form(&[("decision", "allow")]).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert!(answer.headers()["location"].to_str().unwrap().starts_with(CALLBACK));
}

#[tokio::test]
async fn iss_names_the_issuer_in_success_and_in_error() {
    let osc = MockOsc::builder().iss(true).start().await.unwrap();
    let url = authorize_url(&osc);
    for callback in [osc.approve(url.as_str()).await.unwrap(), osc.deny(url.as_str()).await.unwrap()] {
        assert_eq!(param(&callback, "iss"), Some(osc.issuer()));
    }
    let metadata = metadata(&osc).await;
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
}

#[tokio::test]
async fn the_metadata_announces_enabled_features() {
    let osc = start().await;
    let announced = metadata(&osc).await;
    assert_eq!(announced["issuer"], osc.issuer());
    assert_eq!(announced["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(announced["revocation_endpoint"], format!("{}/api/connect/revoke", osc.issuer()));
    assert!(announced.get("pushed_authorization_request_endpoint").is_none());

    let other = MockOsc::builder().par(true).revocation(false).start().await.unwrap();
    other.set_metadata_field("issuer", serde_json::json!("https://evil.example"));
    let announced = metadata(&other).await;
    assert!(announced.get("revocation_endpoint").is_none());
    assert!(announced["pushed_authorization_request_endpoint"].is_string());
    assert_eq!(announced["issuer"], "https://evil.example");
    assert_eq!(post_as_client(&other, "revoke", &[("token", "x")]).await.status(), 404);
    assert_eq!(post_as_client(&osc, "par", &[]).await.status(), 404);
}

#[tokio::test]
async fn the_metadata_can_be_absent() {
    let osc = MockOsc::builder().without_metadata().start().await.unwrap();
    let url = format!("{}/.well-known/oauth-authorization-server", osc.issuer());
    assert_eq!(http().get(url).send().await.unwrap().status(), 404);
    sign_in(&osc).await;
}

#[tokio::test]
async fn a_pushed_request_is_good_for_one_decision_of_its_client() {
    let osc = MockOsc::builder().require_par().public_client("other", &[CALLBACK]).start().await.unwrap();
    assert_eq!(osc.approve(authorize_url(&osc).as_str()).await.unwrap_err().status(), Some(400));

    let url = authorize_url(&osc);
    let params: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "client_id")
        .map(|(k, v)| (k.into(), v.into()))
        .collect();
    let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let answer = post_as_client(&osc, "par", &params).await;
    assert_eq!(answer.status(), 201);
    let request_uri = text(&answer.json().await.unwrap(), "request_uri");

    let short = |client: &str| {
        let mut url = authorize_url(&osc);
        url.query_pairs_mut()
            .clear()
            .append_pair("client_id", client)
            .append_pair("request_uri", &request_uri);
        url
    };
    assert_eq!(osc.approve(short("other").as_str()).await.unwrap_err().status(), Some(400));
    let mine = short(&osc.client_id());
    let callback = osc.approve(mine.as_str()).await.unwrap();
    tokens(redeem(&osc, &param(&callback, "code").unwrap()).await).await;
    assert_eq!(osc.approve(mine.as_str()).await.unwrap_err().status(), Some(400));
}

#[tokio::test]
async fn a_push_is_checked_like_the_request_itself() {
    let osc = MockOsc::builder().par(true).start().await.unwrap();
    let form = [("response_type", "code"), ("redirect_uri", CALLBACK)];
    assert_eq!(error(post_as_client(&osc, "par", &form).await).await, (400, "invalid_request".into()));
    assert_eq!(error(post(&osc, "par", &[("client_id", "x")]).await).await, (401, "invalid_client".into()));
}

async fn metadata(osc: &MockOsc) -> serde_json::Value {
    let url = format!("{}/.well-known/oauth-authorization-server", osc.issuer());
    http().get(url).send().await.unwrap().json().await.unwrap()
}
