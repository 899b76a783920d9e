//! An app that signs in at the mock, step by step.

use mock_osc::MockOsc;
use reqwest::{Client, Response};
use serde_json::Value;
use url::Url;

/// The verifier and challenge of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const CALLBACK: &str = "http://localhost:3000/auth/callback";

pub(crate) fn http() -> Client {
    // No pool: a connection that the mock closed on purpose must not fail the next request.
    let redirects = reqwest::redirect::Policy::none();
    Client::builder().redirect(redirects).pool_max_idle_per_host(0).build().unwrap()
}

pub(crate) async fn start() -> MockOsc {
    MockOsc::builder().start().await.unwrap()
}

/// Returns the authorization URL of a correct client.
pub(crate) fn authorize_url(osc: &MockOsc) -> Url {
    with(osc, &[])
}

/// Returns the authorization URL with some parameters changed. An empty value removes one.
pub(crate) fn with(osc: &MockOsc, changes: &[(&str, &str)]) -> Url {
    let (id, mut url) =
        (osc.client_id(), Url::parse(&osc.issuer()).unwrap().join("/api/connect/authorize").unwrap());
    let mut params = vec![
        ("response_type", "code"),
        ("client_id", &id),
        ("redirect_uri", CALLBACK),
        ("state", "some state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    params.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    params.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    url.query_pairs_mut().extend_pairs(params);
    url
}

pub(crate) fn param(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(crate) async fn code(osc: &MockOsc) -> String {
    param(&osc.approve(authorize_url(osc).as_str()).await.unwrap(), "code").unwrap()
}

pub(crate) async fn post(osc: &MockOsc, endpoint: &str, form: &[(&str, &str)]) -> Response {
    let url = format!("{}/api/connect/{endpoint}", osc.issuer());
    http().post(url).form(form).send().await.unwrap()
}

/// Posts with the default client's credentials in the body.
pub(crate) async fn post_as_client(osc: &MockOsc, endpoint: &str, form: &[(&str, &str)]) -> Response {
    let (id, secret) = (osc.client_id(), osc.client_secret());
    let mut form = form.to_vec();
    form.extend([("client_id", id.as_str()), ("client_secret", secret.as_str())]);
    post(osc, endpoint, &form).await
}

pub(crate) fn code_form<'a>(code: &'a str, verifier: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", verifier),
    ]
}

pub(crate) async fn redeem(osc: &MockOsc, code: &str) -> Response {
    post_as_client(osc, "token", &code_form(code, VERIFIER)).await
}

pub(crate) async fn refresh(osc: &MockOsc, token: &str) -> Response {
    post_as_client(osc, "token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// Signs in and returns the access and refresh token.
pub(crate) async fn sign_in(osc: &MockOsc) -> (String, String) {
    tokens(redeem(osc, &code(osc).await).await).await
}

pub(crate) async fn tokens(answer: Response) -> (String, String) {
    assert_eq!(answer.status(), 200);
    let json: Value = answer.json().await.unwrap();
    (text(&json, "access_token"), text(&json, "refresh_token"))
}

/// Returns status and error code.
pub(crate) async fn error(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    (status, text(&answer.json().await.unwrap(), "error"))
}

pub(crate) fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_else(|| panic!("no {field} in {json}")).to_owned()
}
