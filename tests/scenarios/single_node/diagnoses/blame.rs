//! Pages and log lines that blame the right side: the provider, the session store, or the app's settings.

use http::Method;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{
    Answer, Browser, EXPIRED, Logs, Nodes, Op, Stage, Trouble, app, callback, layer, layer_for, refusal, soon,
};
use serde_json::json;

use super::{lines, text_of};

const STORE: &str = "its own session store";
const PROVIDER: &str = "cannot reach Open Source Cloud";

fn blames(answer: &Answer, side: &str, code: (u16, &str)) {
    let text = text_of(answer);
    assert_eq!(refusal(answer), (code.0, code.1.to_owned()), "{text}");
    for other in [STORE, PROVIDER] {
        assert_eq!(text.contains(other), other == side, "{other}: {text}");
    }
}

#[tokio::test]
async fn a_store_outage_is_not_blamed_on_the_provider() {
    let store = MemoryStore::new();
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.store(store.clone())).await;
    let path = callback(&mut stage.browser, &stage.osc).await;
    store.go_down();
    let mut browser = stage.browser.clone();
    blames(&soon(browser.navigate("/auth/signin")).await, STORE, (503, "store_unavailable"));
    let mut browser = stage.browser.clone();
    blames(&soon(browser.navigate(&path)).await, STORE, (503, "store_unavailable"));
    store.come_back();
    let mut stage = stage.sign_in().await;
    stage.pass(EXPIRED);
    store.go_down();
    for _ in 0..2 {
        blames(&soon(stage.browser.navigate("/")).await, STORE, (503, "temporarily_unavailable"));
        blames(&soon(stage.browser.fetch("/")).await, STORE, (503, "temporarily_unavailable"));
    }
}

#[tokio::test]
async fn a_refresh_that_the_store_prevents_is_not_blamed_on_the_provider() {
    let nodes = Nodes::notified(1).await;
    nodes.pass(EXPIRED);
    nodes.node(0).store.trouble(Op::Lease, Trouble::Fails);
    // The first request tries, and the second one finds the session waiting for its next try.
    for _ in 0..2 {
        let answer = soon(nodes.at(0).navigate("/")).await;
        blames(&answer, STORE, (503, "temporarily_unavailable"));
    }
    assert_eq!(nodes.refreshes(), 0);
}

#[tokio::test]
async fn a_provider_outage_is_not_blamed_on_the_store() {
    let mut stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    stage.osc.stop_listening().await;
    for _ in 0..2 {
        blames(&soon(stage.browser.navigate("/")).await, PROVIDER, (503, "temporarily_unavailable"));
    }
    let osc = MockOsc::builder().start().await.unwrap();
    let mut visitor = Browser::new(app(&layer(&osc)));
    osc.stop_listening().await;
    blames(&soon(visitor.navigate("/auth/signin")).await, PROVIDER, (502, "provider_unavailable"));
}

#[tokio::test]
async fn a_client_that_the_provider_refuses_is_no_outage() {
    let mut stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::OAuth("unauthorized_client"));
    for _ in 0..2 {
        let answer = soon(stage.browser.navigate("/")).await;
        blames(&answer, "neither", (503, "temporarily_unavailable"));
        assert!(text_of(&answer).contains("settings"), "{}", text_of(&answer));
    }
}

#[tokio::test]
async fn a_wrong_issuer_is_a_misconfiguration_and_logged_once_a_minute() {
    let osc = MockOsc::builder().start().await.unwrap();
    let logs = Logs::collect();
    let mut browser = Browser::new(app(&layer(&osc)));
    osc.set_metadata_field("issuer", json!("https://other.example"));
    for _ in 0..3 {
        let answer = browser.navigate("/auth/signin").await;
        assert_eq!(refusal(&answer), (500, "misconfigured".to_owned()));
        assert!(!text_of(&answer).contains("Try again"), "{}", text_of(&answer));
    }
    let errors = lines(&logs, "ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("other.example") && errors[0].contains("Check OSC_ISSUER"), "{errors:?}");
}

#[tokio::test]
async fn metadata_out_of_reach_is_logged_with_its_cause_once_a_minute() {
    for (issuer, cause) in [
        ("https://no-such-host.invalid", "dns error"),
        ("http://127.0.0.1:1", "Connection refused"),
        ("{tls}", "corrupt message"),
        ("{osc}/nothing/here", "status 404"),
        ("{osc}", "status 503"),
    ] {
        let osc = MockOsc::builder().start().await.unwrap();
        osc.fault(Endpoint::Metadata, Fault::Status(503));
        // Plain http on the port, so no handshake succeeds.
        let tls = osc.issuer().replace("http://", "https://");
        let issuer = issuer.replace("{osc}", &osc.issuer()).replace("{tls}", &tls);
        let logs = Logs::collect();
        let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
        let auth = OscAuthLayer::builder(client).issuer(&issuer).public_url("http://localhost:3000");
        let mut browser = Browser::new(app(&auth.build().unwrap()));
        for _ in 0..2 {
            assert!(browser.navigate("/auth/signin").await.status().is_server_error());
        }
        let warnings = lines(&logs, "WARN");
        assert_eq!(warnings.len(), 1, "{issuer}: {warnings:?}");
        let warning = warnings[0].to_lowercase();
        assert!(
            warning.contains(&cause.to_lowercase()) && warning.contains("check the network"),
            "{warning}"
        );
    }
}

#[tokio::test]
async fn a_provider_that_fails_a_request_of_a_sign_in_is_logged_with_the_cause() {
    for (endpoint, doing) in [
        (Endpoint::Par, "pushed authorization request"),
        (Endpoint::Register, "registration"),
        (Endpoint::Token, "token request"),
    ] {
        for (fault, cause) in [(Fault::Status(500), "status 500"), (Fault::HangUp, "connection closed")] {
            let osc = MockOsc::builder();
            let osc = if endpoint == Endpoint::Par { osc.require_par() } else { osc };
            let osc = osc.start().await.unwrap();
            let builder = match endpoint {
                Endpoint::Register => OscAuthLayer::builder(OAuthClient::register("App"))
                    .issuer(osc.issuer())
                    .public_url("http://localhost:3000"),
                _ => layer_for(&osc),
            };
            let mut browser = Browser::new(app(&builder.build().unwrap()));
            let path = match endpoint {
                Endpoint::Token => callback(&mut browser, &osc).await,
                _ => "/auth/signin".to_owned(),
            };
            osc.fault(endpoint, fault.clone());
            let logs = Logs::collect();
            for _ in 0..2 {
                let mut again = browser.clone();
                let answer = again.send(Method::GET, &path, &[]).await;
                assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{doing} {fault:?}");
            }
            let warnings: Vec<_> =
                lines(&logs, "WARN").into_iter().filter(|line| line.contains("Check the provider")).collect();
            assert_eq!(warnings.len(), 1, "{doing}: {warnings:?}");
            assert!(warnings[0].contains(doing) && warnings[0].contains(cause), "{warnings:?}");
        }
    }
}
