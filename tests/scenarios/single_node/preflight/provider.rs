//! The provider itself: unreachable, another one, without PKCE, with another time.

use std::time::Duration;

use mock_osc::{Endpoint, Fault, GrantUses, MockOsc};
use osc_auth_layer::preflight::{Severity, Subject};
use osc_tests::{StillClock, assert_found, assert_nothing_found, preflight};
use serde_json::json;

use super::{URL, build, layer, start};

#[tokio::test]
async fn a_right_setup_has_no_findings_and_nothing_is_left_behind() {
    for osc in [MockOsc::builder(), MockOsc::builder().par(true), MockOsc::builder().require_par()] {
        let osc = start(osc).await;
        let issued = osc.issued_tokens();
        let report = preflight(&build(layer(&osc).public_url(URL)), &[&osc.client_secret()]).await;
        assert_nothing_found(&report);
        assert_eq!(report.to_string(), "The preflight found nothing to correct.");
        assert_eq!(osc.issued_tokens(), issued, "no code and no token");
        assert_eq!(osc.grant_uses(), GrantUses::default());
        assert_eq!((osc.count(Endpoint::Token), osc.count(Endpoint::Register)), (1, 0));
    }
}

#[tokio::test]
async fn another_issuer_is_found() {
    let osc = start(MockOsc::builder()).await;
    osc.set_metadata_field("issuer", json!("https://app.osaas.io"));
    let report = preflight(&build(layer(&osc).public_url(URL)), &[&osc.client_secret()]).await;
    assert_found(
        &report,
        Severity::Error,
        Subject::Metadata,
        "names the issuer \"https://app.osaas.io\" instead of",
    );
    assert!(report.to_string().contains("Set OSC_ISSUER"), "{report}");
    assert_eq!(osc.count(Endpoint::Token), 0, "the secret goes to no other provider");
}

#[tokio::test]
async fn an_unreachable_provider_is_found() {
    let osc = start(MockOsc::builder()).await;
    osc.stop_listening().await;
    let report = preflight(&build(layer(&osc).public_url(URL)), &[&osc.client_secret()]).await;
    assert_found(&report, Severity::Error, Subject::Metadata, "could not be fetched");
    assert!(report.to_string().contains("DNS, proxy, firewall"), "{report}");

    osc.resume_listening().await.expect("the port is free");
    assert_nothing_found(&preflight(&build(layer(&osc).public_url(URL)), &[]).await);
}

#[tokio::test]
async fn a_provider_without_metadata_is_an_error_unless_its_endpoints_are_known() {
    let osc = start(MockOsc::builder().without_metadata()).await;
    let report = preflight(&build(layer(&osc).public_url(URL)), &[&osc.client_secret()]).await;
    assert_found(&report, Severity::Error, Subject::Metadata, "sends no metadata (status 404)");

    let known = build(layer(&osc).known_endpoints().public_url(URL));
    let report = preflight(&known, &[&osc.client_secret()]).await;
    assert_found(&report, Severity::Unchecked, Subject::Metadata, "the endpoints that it knows of OSC");
    assert_eq!(osc.count(Endpoint::Token), 1, "the client is checked all the same");
}

#[tokio::test]
async fn a_provider_without_pkce_is_found() {
    let osc = start(MockOsc::builder()).await;
    let layer = build(layer(&osc).public_url(URL));
    osc.set_metadata_field("code_challenge_methods_supported", json!(["plain"]));
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Error, Subject::Metadata, "announces no PKCE with S256");
    osc.set_metadata_field("code_challenge_methods_supported", None);
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Unchecked, Subject::Metadata, "does not say whether");
}

#[tokio::test]
async fn unusable_metadata_is_found() {
    let osc = start(MockOsc::builder()).await;
    let layer = build(layer(&osc).public_url(URL));
    for (fault, text) in [
        (Fault::Html, "is not JSON"),
        (Fault::Huge, "longer than"),
        (Fault::HangUp, "could not be fetched"),
        (Fault::Status(503), "sends no metadata (status 503)"),
    ] {
        osc.fault(Endpoint::Metadata, fault).once();
        assert_found(&preflight(&layer, &[]).await, Severity::Error, Subject::Metadata, text);
    }
    osc.set_metadata_field("token_endpoint", None);
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Error, Subject::Metadata, "has no token_endpoint");
}

#[tokio::test]
async fn a_clock_that_differs_is_found() {
    let osc = start(MockOsc::builder()).await;
    let clock = StillClock::default();
    let layer = build(layer(&osc).public_url(URL).clock(clock.clone()));
    assert_nothing_found(&preflight(&layer, &[]).await);
    let now = std::time::SystemTime::now();
    clock.set(now + Duration::from_secs(600));
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Warning, Subject::Clock, "seconds ahead of the provider's");
    clock.set(now - Duration::from_secs(600));
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Warning, Subject::Clock, "seconds behind the provider's");
}

#[tokio::test]
async fn hostile_answers_are_shown_as_one_line() {
    let osc = start(MockOsc::builder()).await;
    let layer = build(layer(&osc).public_url(URL));
    let secret = osc.client_secret();
    let error =
        json!({ "error": "odd\ncode", "error_description": format!("evil\u{202e}\n- error: {secret}") });
    osc.fault(Endpoint::Token, Fault::Answer(400, "application/json", error.to_string())).once();
    let report = preflight(&layer, &[&secret]).await;
    assert_found(&report, Severity::Unchecked, Subject::Client, "does not tell whether");
    assert!(report.to_string().lines().count() == 2, "{report}");

    osc.set_metadata_field("issuer", json!(format!("https://evil\n{}", "x".repeat(10_000))));
    let report = preflight(&layer, &[&secret]).await;
    assert!(report.to_string().lines().count() == 2 && report.to_string().len() < 1_500, "{report}");
}
