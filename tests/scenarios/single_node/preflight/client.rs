//! The app's client: refused, unknown, not registered yet.

use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::preflight::{Severity, Subject};
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{ClientAuthMethod, OAuthClient};
use osc_tests::{Browser, app, assert_found, assert_nothing_found, preflight, soon};

use super::{URL, build, layer, layer_as, start};

const WRONG: &str = "osc_secret_of_another_app_with_enough_letters";

#[tokio::test]
async fn a_wrong_secret_is_found_and_not_shown() {
    let osc = start(MockOsc::builder()).await;
    for method in [None, Some(ClientAuthMethod::ClientSecretBasic), Some(ClientAuthMethod::ClientSecretPost)]
    {
        let mut layer = layer_as(&osc, OAuthClient::confidential(osc.client_id(), WRONG)).public_url(URL);
        if let Some(method) = method {
            layer = layer.auth_method(method);
        }
        let report = preflight(&build(layer), &[WRONG, &osc.client_secret()]).await;
        assert_found(&report, Severity::Error, Subject::Client, "refuses the client");
        let text = report.to_string();
        assert!(text.contains("invalid_client") && text.contains(&osc.client_id()), "{text}");
        assert!(text.contains("Compare CLIENT_ID and CLIENT_SECRET"), "{text}");
    }
}

#[tokio::test]
async fn an_unknown_client_is_one_finding_with_and_without_par() {
    for par in [false, true] {
        let osc = start(MockOsc::builder().par(par)).await;
        for client in [OAuthClient::confidential("osc_nobody", WRONG), OAuthClient::public("osc_nobody")] {
            let report = preflight(&build(layer_as(&osc, client).public_url(URL)), &[WRONG]).await;
            assert_found(&report, Severity::Error, Subject::Client, "refuses the client osc_nobody");
        }
    }
}

#[tokio::test]
async fn a_public_client_is_checked_without_a_secret() {
    let osc = start(MockOsc::builder().public_client("cli", &["http://localhost:3000/auth/callback"])).await;
    assert_nothing_found(
        &preflight(&build(layer_as(&osc, OAuthClient::public("cli")).public_url(URL)), &[]).await,
    );
    // This one has a secret, which the app does not send.
    let report =
        preflight(&build(layer_as(&osc, OAuthClient::public(osc.client_id())).public_url(URL)), &[]).await;
    assert_found(&report, Severity::Error, Subject::Client, "If that has a secret, set CLIENT_SECRET");
}

#[tokio::test]
async fn answers_that_do_not_tell_are_no_alarm() {
    let osc = start(MockOsc::builder()).await;
    let layer = build(layer(&osc).public_url(URL));
    for (fault, severity, subject, text) in [
        (Fault::OAuth("unauthorized_client"), Severity::Error, Subject::Client, "refuses the client"),
        (Fault::OAuth("unsupported_grant_type"), Severity::Error, Subject::Client, "authorization_code"),
        (Fault::OAuth("invalid_request"), Severity::Unchecked, Subject::Client, "does not tell whether"),
        (Fault::Status(503), Severity::Unchecked, Subject::Client, "status 503"),
        (Fault::Status(403), Severity::Unchecked, Subject::Client, "status 403"),
        (Fault::RetryAfter(429, "60".to_owned()), Severity::Unchecked, Subject::Client, "status 429"),
        (
            Fault::Redirect("https://login.example".to_owned()),
            Severity::Unchecked,
            Subject::Client,
            "status 302",
        ),
        (Fault::Status(404), Severity::Error, Subject::Metadata, "no token endpoint"),
        (Fault::HangUp, Severity::Error, Subject::Metadata, "cannot be reached"),
        (Fault::Html, Severity::Unchecked, Subject::Client, "status 200"),
    ] {
        osc.fault(Endpoint::Token, fault).once();
        let report = preflight(&layer, &[&osc.client_secret()]).await;
        assert_found(&report, severity, subject, text);
    }
}

#[tokio::test]
async fn tokens_for_a_made_up_code_are_revoked() {
    let osc = start(MockOsc::builder()).await;
    let answer = osc.grant_for("ada");
    osc.fault(Endpoint::Token, Fault::Answer(200, "application/json", answer)).once();
    let report = preflight(&build(layer(&osc).public_url(URL)), &[]).await;
    assert_found(&report, Severity::Error, Subject::Client, "Anybody can sign in there");
    soon(osc.wait_for_requests(Endpoint::Revoke, 1)).await;
    assert_eq!(osc.live_refresh_tokens(), 0);
}

#[tokio::test]
async fn an_app_that_registers_itself_is_checked_after_that() {
    let osc = start(MockOsc::builder()).await;
    let store = MemoryStore::new();
    let node = || {
        let layer = layer_as(&osc, OAuthClient::register("My app")).public_url(URL);
        build(layer.cookie_key([7; 32]).store(store.clone()))
    };
    let report = preflight(&node(), &[]).await;
    assert_found(&report, Severity::Unchecked, Subject::Client, "registers itself at the first sign-in");
    assert_eq!((osc.count(Endpoint::Register), osc.count(Endpoint::Token)), (0, 0));

    let signed_in = node();
    soon(Browser::new(app(&signed_in)).sign_in(&osc)).await;
    for layer in [&signed_in, &node()] {
        assert_nothing_found(
            &preflight(layer, &osc.issued_tokens().iter().map(String::as_str).collect::<Vec<_>>()).await,
        );
    }
    let request = osc.requests(Endpoint::Token).pop().expect("a token request");
    osc.remove_client(request.field("client_id").expect("in the body"));
    assert_found(
        &preflight(&node(), &[]).await,
        Severity::Warning,
        Subject::Client,
        "no longer knows the client",
    );
    assert_eq!(osc.count(Endpoint::Register), 1);
}

#[tokio::test]
async fn an_app_that_cannot_register_is_found() {
    let osc = start(MockOsc::builder()).await;
    osc.set_metadata_field("registration_endpoint", None);
    let report =
        preflight(&build(layer_as(&osc, OAuthClient::register("My app")).public_url(URL)), &[]).await;
    assert_found(&report, Severity::Error, Subject::Client, "announces no registration endpoint");
}

#[tokio::test]
async fn a_provider_without_a_common_authentication_method_is_found() {
    let osc = start(MockOsc::builder()).await;
    osc.set_metadata_field("token_endpoint_auth_methods_supported", serde_json::json!(["private_key_jwt"]));
    let report = preflight(&build(layer(&osc).public_url(URL)), &[]).await;
    assert_found(&report, Severity::Error, Subject::Client, "set CLIENT_AUTH_METHOD");
}
