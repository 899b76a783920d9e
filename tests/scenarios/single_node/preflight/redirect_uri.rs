//! The redirect URIs, with and without pushed authorization requests.

use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::preflight::{Severity, Subject};
use osc_tests::{assert_found, assert_nothing_found, preflight};

use super::{URL, build, layer, start};

#[tokio::test]
async fn a_redirect_uri_that_is_not_registered_is_found() {
    for (par, reason) in [(false, "status 400"), (true, "redirect_uri is not registered with this client")] {
        let osc = start(MockOsc::builder().par(par)).await;
        let layer = build(layer(&osc).public_url("https://app.example.com"));
        let report = preflight(&layer, &[&osc.client_secret()]).await;
        assert_found(&report, Severity::Error, Subject::RedirectUri, reason);
        let text = report.to_string();
        assert!(text.contains("https://app.example.com/auth/callback"), "{text}");
        assert!(text.contains("Add exactly this URI to the OAuth app"), "{text}");
    }
}

#[tokio::test]
async fn of_several_redirect_uris_the_wrong_one_is_named() {
    for par in [false, true] {
        let client = ["https://app.example.com/auth/callback", "https://shop.example/auth/callback"];
        let osc =
            MockOsc::builder().par(par).client("shop", Some("a secret of 32 characters or more"), &client);
        let osc = start(osc).await;
        let client = osc_auth_layer::OAuthClient::confidential("shop", "a secret of 32 characters or more");
        let layer = super::layer_as(&osc, client).public_url("https://app.example.com");
        let report = preflight(
            &build(layer.public_url("https://www.shop.example").public_url("https://shop.example")),
            &[],
        )
        .await;
        assert_found(
            &report,
            Severity::Error,
            Subject::RedirectUri,
            "https://www.shop.example/auth/callback",
        );
    }
}

#[tokio::test]
async fn a_provider_that_accepts_any_redirect_uri_proves_nothing() {
    let osc = start(MockOsc::builder().loose_redirect_uris()).await;
    let report = preflight(&build(layer(&osc).public_url("https://app.example.com")), &[]).await;
    assert_found(&report, Severity::Unchecked, Subject::RedirectUri, "begins a sign-in for any redirect URI");
}

#[tokio::test]
async fn a_provider_that_consents_at_once_proves_the_redirect_uri() {
    let osc = start(MockOsc::builder().auto_consent("ada")).await;
    assert_nothing_found(&preflight(&build(layer(&osc).public_url(URL)), &[]).await);
    assert_eq!(osc.grant_uses().codes, 0, "the code stays unused");
}

#[tokio::test]
async fn a_refusal_that_returns_to_the_app_is_found() {
    let osc = start(MockOsc::builder()).await;
    let layer = build(layer(&osc).public_url(URL));
    let to = |error: &str| Fault::Redirect(format!("{URL}/auth/callback?error={error}"));
    osc.fault(Endpoint::Authorize, to("invalid_scope"));
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Error, Subject::RedirectUri, "returns invalid_scope");
    osc.clear_faults();
    osc.fault(Endpoint::Authorize, to("login_required"));
    assert_nothing_found(&preflight(&layer, &[]).await);
}

#[tokio::test]
async fn an_authorization_endpoint_that_does_not_tell_is_no_alarm() {
    let osc = start(MockOsc::builder()).await;
    let layer = build(layer(&osc).public_url(URL));
    for fault in [
        Fault::Status(503),
        Fault::Status(403),
        Fault::HangUp,
        // A login page for everybody, longer than any answer that the layer reads.
        Fault::Huge,
        Fault::Redirect("/login?next=%2Fauthorize".to_owned()),
    ] {
        osc.fault(Endpoint::Authorize, fault);
        let report = preflight(&layer, &[]).await;
        assert_found(&report, Severity::Unchecked, Subject::RedirectUri, "Sign in once to find out");
        osc.clear_faults();
    }
    osc.fault(Endpoint::Authorize, Fault::Status(404));
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Error, Subject::Metadata, "no authorization endpoint");
}

#[tokio::test]
async fn an_endpoint_for_pushed_requests_that_fails_is_told_apart() {
    let osc = start(MockOsc::builder().par(true)).await;
    let layer = build(layer(&osc).public_url(URL));
    for (fault, severity, subject) in [
        (Fault::Status(503), Severity::Unchecked, Subject::RedirectUri),
        (Fault::OAuth("server_error"), Severity::Unchecked, Subject::RedirectUri),
        (Fault::OAuth("invalid_scope"), Severity::Error, Subject::RedirectUri),
        (Fault::HangUp, Severity::Error, Subject::Metadata),
    ] {
        osc.fault(Endpoint::Par, fault).once();
        assert_found(&preflight(&layer, &[]).await, severity, subject, "");
    }
}

#[tokio::test]
async fn without_a_public_url_there_is_nothing_to_try() {
    let osc = start(MockOsc::builder()).await;
    let report = preflight(&build(layer(&osc)), &[]).await;
    assert_found(&report, Severity::Unchecked, Subject::RedirectUri, "PUBLIC_URL is not set");
    assert_eq!(osc.count(Endpoint::Authorize), 0);
}

#[tokio::test]
async fn many_public_urls_cost_the_provider_a_bounded_number_of_requests() {
    let osc = start(MockOsc::builder().loose_redirect_uris()).await;
    let urls = (0..30).map(|number| format!("https://app-{number}.example.com"));
    let layer = urls.fold(layer(&osc), |layer, url| layer.public_url(url));
    let report = preflight(&build(layer), &[]).await;
    assert!(
        report.is_ok() && report.to_string().contains("20 more redirect URIs were not tried"),
        "{report}"
    );
    assert_eq!(osc.count(Endpoint::Authorize), 11);
}
