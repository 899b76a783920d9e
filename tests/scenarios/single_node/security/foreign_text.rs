//! Foreign text in logs, errors and pages. Decisions use the original text. Output shows it on one line,
//! without the secrets that were sent.

use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{
    ADSERVER, Browser, EXPIRED, Logs, MINIO, Stage, app, callback, error_of, layer, layer_for, parameter,
    path_of, refusal, soon,
};
use serde_json::json;

/// Characters that end lines, reorder or hide text, or control a terminal.
const FORGING: &str = "text\nFORGED\r\u{85}FORGED\u{2028}FORGED\u{2029}FORGED\u{1b}[2K\u{202a}\u{202b}\u{202c}\u{202d}\
                       \u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}\u{200b}\u{200c}\u{200d}\u{2060}\
                       \u{feff}\u{ad}\u{fff9}\u{180e}\u{e0001}\u{e0041}\u{e000}\u{10ffff} end";

fn refused_with(text: &str) -> Fault {
    let answer = json!({ "error": text, "error_description": text, "message": text });
    Fault::Answer(400, "application/json", answer.to_string())
}

fn assert_plain(text: &str) {
    let ends = FORGING.chars().filter(|c| !matches!(c, 'A'..='Z' | 'a'..='z' | ' ' | '\n' | '[' | '2'));
    for c in ends {
        assert!(!text.contains(c), "{c:?} is in {text:?}");
    }
    assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{text}");
}

#[tokio::test]
async fn s67_no_foreign_text_forges_or_reorders_a_line_of_the_log() {
    let logs = Logs::collect();
    let osc = MockOsc::builder().par(true).start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    // Error text of the provider, as delivered by the browser.
    let path = callback(&mut browser, &osc).await;
    let encoded: String = form_urlencoded::byte_serialize(FORGING.as_bytes()).collect();
    let declined = path.replace("code=", &format!("error={encoded}&error_description={encoded}&x="));
    assert_eq!(refusal(&browser.navigate(&declined).await).1, "sign_in_failed");
    // Error text of the provider at the exchange, the push and the registration.
    let path = callback(&mut browser, &osc).await;
    osc.fault(Endpoint::Token, refused_with(FORGING)).once();
    assert_eq!(refusal(&browser.navigate(&path).await).1, "sign_in_failed");
    osc.fault(Endpoint::Par, refused_with(FORGING)).once();
    assert_eq!(refusal(&browser.navigate("/auth/signin").await).1, "misconfigured");
    let registering =
        OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer()).build().unwrap();
    let mut visitor = Browser::new(app(&registering));
    osc.fault(Endpoint::Register, refused_with(FORGING)).once();
    assert_eq!(refusal(&visitor.navigate("/auth/signin").await).1, "misconfigured");
    let registered = json!({ "client_id": FORGING }).to_string();
    osc.fault(Endpoint::Register, Fault::Answer(201, "application/json", registered)).once();
    osc.fault(
        Endpoint::Par,
        Fault::Answer(201, "application/json", json!({ "request_uri": "urn:x" }).to_string()),
    )
    .once();
    assert_eq!(visitor.navigate("/auth/signin").await.status(), StatusCode::SEE_OTHER);
    // Text in the provider's metadata.
    osc.set_metadata_field("issuer", json!(FORGING));
    let mut stranger = Browser::new(app(&layer(&osc)));
    assert_eq!(refusal(&stranger.navigate("/auth/signin").await).1, "provider_unavailable");

    let text = logs.text();
    for line in [
        "declined a sign-in",
        "token endpoint returned an error",
        "refused the pushed",
        "did not register the app",
        "Registered the app",
        "a sign-in begins",
        "names the issuer",
    ] {
        assert!(
            text.lines().any(|logged| logged.contains(line) && logged.contains("text")),
            "{line}: {text}"
        );
    }
    assert_plain(&text);
}

#[tokio::test]
async fn s67_no_foreign_text_forges_a_platform_error() {
    let logs = Logs::collect();
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    for fault in [refused_with(FORGING), Fault::Answer(500, "text/plain", FORGING.to_owned())] {
        stage.osc.fault(Endpoint::Money, fault).once();
        let error = soon(osc.token_balance()).await.unwrap_err();
        assert!(error.reason().is_some_and(|reason| reason.starts_with("text FORGED")), "{error}");
        assert_plain(&format!("{error} {:?}", error.reason().unwrap_or_default()));
        assert_plain(error.reason().unwrap_or_default());
        tracing::info!(%error, ?error, "an app logs it");
    }
    let error = soon(osc.service(FORGING).instance(FORGING).get()).await.unwrap_err();
    assert_plain(&format!("{error} {error:?}"));
    assert_plain(&logs.text());
}

#[tokio::test]
async fn s42_a_refusal_ends_the_session_whatever_its_refresh_token_is() {
    for refresh_token in ["r", "g", "_", "invalid", "invalid_grant", "grant"] {
        let logs = Logs::collect();
        let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
        stage.osc.set_token_field("refresh_token", json!(refresh_token));
        let mut stage = stage.sign_in().await;
        stage.pass(EXPIRED);
        stage.osc.fault(Endpoint::Token, refused_with("invalid_grant"));
        assert_eq!(error_of(&stage.fetch("/").await), "session_ended", "{refresh_token}");
        assert!(logs.text().contains("error=invalid_grant"), "{refresh_token}: {}", logs.text());
    }
}

#[tokio::test]
async fn s17_a_dead_registration_is_recognized_with_any_secret() {
    for secret in ["i", "invalid", "client", "invalid_client"] {
        let osc = MockOsc::builder().start().await.unwrap();
        let layer = OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer()).build().unwrap();
        let mut browser = Browser::new(app(&layer));
        let registered = json!({ "client_id": "dead", "client_secret": secret }).to_string();
        osc.fault(Endpoint::Register, Fault::Answer(201, "application/json", registered)).once();
        let begun = browser.begin_sign_in("/auth/signin").await;
        let callback = format!("/auth/callback?code=c&state={}", parameter(&begun, "state"));
        osc.fault(Endpoint::Token, Fault::OAuth("invalid_client")).once();
        assert_eq!(refusal(&browser.navigate(&callback).await).1, "sign_in_failed", "{secret}");
        // The next sign-in registers again and succeeds.
        assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER, "{secret}");
    }
}

#[tokio::test]
async fn a_short_secret_does_not_hide_the_platforms_reason() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    for secret in ["a", "e", "name", "taken"] {
        stage.osc.fault(Endpoint::Deploy, refused_with("the name is taken")).once();
        let error = soon(osc.service(MINIO).secret("key").save(secret)).await.unwrap_err();
        assert_eq!(error.reason(), Some("the name is taken"), "{secret}");
    }
}

#[tokio::test]
async fn s33_secrets_repeated_by_the_provider_are_not_logged() {
    let logs = Logs::collect();
    let osc = MockOsc::builder().par(true).start().await.unwrap();
    let mut browser = Browser::new(app(&layer_for(&osc).build().unwrap()));
    osc.fault(Endpoint::Par, refused_with(&format!("secret {} is bad", osc.client_secret()))).once();
    assert_eq!(refusal(&browser.navigate("/auth/signin").await).1, "misconfigured");
    let begun = browser.begin_sign_in("/auth/signin").await;
    let approved = osc.approve(&begun).await.unwrap();
    let (state, code) = (parameter(&approved, "state"), parameter(&approved, "code"));
    let path = format!("{}&error=state%20{state}&error_description=code%20{code}", path_of(&approved));
    assert_eq!(refusal(&browser.navigate(&path).await).1, "sign_in_failed");
    let pushed =
        osc.requests(Endpoint::Par).pop().and_then(|request| request.field("state").map(str::to_owned));
    assert_eq!(pushed.as_deref(), Some(state.as_str()));

    let text = logs.text();
    for line in ["secret [withheld] is bad", "state [withheld]", "code [withheld]"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for secret in [osc.client_secret(), state, code] {
        assert!(!text.contains(&secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn s33_a_token_is_redacted_in_every_encoding() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let token = stage.token().await.access_token().to_owned();
    let percent: String = token.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for form in [token.clone(), percent, base64(&token), base64(&format!("client:{token}"))] {
        stage.osc.fault(Endpoint::Money, refused_with(&format!("got x={form};"))).once();
        let error = soon(osc.token_balance()).await.unwrap_err();
        assert_eq!(error.reason(), Some("got [withheld]"), "{form}");
    }
    assert!(soon(osc.service(ADSERVER).list_instances()).await.is_ok());
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}
