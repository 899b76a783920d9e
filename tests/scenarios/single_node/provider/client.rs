//! Client authentication, pushed requests, and revocation.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc, Recorded};
use osc_auth_layer::{ClientAuthMethod, OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Browser, app, callback, layer, layer_for, parameter, refusal, tour};
use serde_json::json;

const CALLBACK: &str = "http://localhost:3000/auth/callback";

/// Signs in, refreshes and signs out. Returns the requests with client authentication.
async fn all_requests(osc: &MockOsc, client: OAuthClient) -> Vec<Recorded> {
    all_requests_of(osc, OscAuthLayer::builder(client)).await
}

async fn all_requests_of(osc: &MockOsc, layer: OscAuthLayerBuilder) -> Vec<Recorded> {
    osc.forget_requests();
    tour(osc, layer.issuer(osc.issuer()).public_url("http://localhost:3000")).await;
    assert_eq!(osc.live_refresh_tokens(), 0, "the revocation was not accepted");
    let endpoints = [Endpoint::Par, Endpoint::Token, Endpoint::Revoke];
    endpoints.into_iter().flat_map(|endpoint| osc.requests(endpoint)).collect()
}

const AWKWARD: [(&str, &str); 5] = [
    ("plain", "plain"),
    ("a b", "c d"),
    ("osc:1%", "p%20:+/=&?#"),
    ("\u{fc}ber", "\u{1f511} key\"'\\"),
    ("a+b", "~-._*"),
];

#[tokio::test]
async fn s18_basic_is_used_when_only_basic_is_announced() {
    for (id, secret) in AWKWARD {
        let osc = MockOsc::builder().client_id(id).client_secret(secret).par(true);
        let osc = osc.token_endpoint_auth_methods(&["client_secret_basic"]).start().await.unwrap();

        let requests = all_requests(&osc, OAuthClient::confidential(id, secret)).await;

        assert_eq!(requests.len(), 4);
        for request in requests {
            assert_eq!(request.field("client_secret"), None, "{request:?}");
            let basic = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
            let basic = STANDARD.decode(basic.expect("Basic")).unwrap();
            // The escaping is the same for servers that decode form data and for those that do not know `+`.
            assert!(basic.is_ascii() && !basic.contains(&b' ') && !basic.contains(&b'+'), "{basic:?}");
            assert_eq!(basic.iter().filter(|byte| **byte == b':').count(), 1, "{basic:?}");
        }
    }
}

#[tokio::test]
async fn s18_post_is_used_when_announced_or_by_default() {
    for (id, secret) in AWKWARD {
        for methods in
            [&["client_secret_post"][..], &["client_secret_basic", "private_key_jwt", "client_secret_post"]]
        {
            let osc = MockOsc::builder().client_id(id).client_secret(secret).par(true);
            let osc = osc.token_endpoint_auth_methods(methods).start().await.unwrap();
            let requests = all_requests(&osc, OAuthClient::confidential(id, secret)).await;
            assert_eq!(requests.len(), 4);
            for request in requests {
                assert_eq!(request.field("client_id"), Some(id));
                assert_eq!(request.field("client_secret"), Some(secret));
                assert_eq!(request.header("authorization"), None);
            }
        }
    }
}

#[tokio::test]
async fn s18_a_public_client_names_itself_and_proves_nothing() {
    let osc = MockOsc::builder().public_client("cli app", &[CALLBACK]).par(true).start().await.unwrap();
    let requests = all_requests(&osc, OAuthClient::public("cli app")).await;
    assert_eq!(requests.len(), 4);
    for request in requests {
        assert_eq!(request.field("client_id"), Some("cli app"));
        assert_eq!(request.field("client_secret"), None);
        assert_eq!(request.header("authorization"), None);
    }
}

#[tokio::test]
async fn s18_a_provider_without_a_supported_method_is_misconfigured() {
    let osc = MockOsc::builder().start().await.unwrap();
    osc.set_metadata_field("token_endpoint_auth_methods_supported", json!(["private_key_jwt"]));
    let mut browser = Browser::new(app(&layer(&osc)));
    let path = callback(&mut browser, &osc).await;
    assert_eq!(refusal(&browser.navigate(&path).await), (500, "misconfigured".to_owned()));
    assert_eq!(osc.count(Endpoint::Token), 0, "the secret is not sent in a way nobody asked for");
}

#[tokio::test]
async fn s18_revocation_has_a_method_of_its_own() {
    let osc = MockOsc::builder().start().await.unwrap();
    osc.set_metadata_field("token_endpoint_auth_methods_supported", json!(["client_secret_post"]));
    osc.set_metadata_field("revocation_endpoint_auth_methods_supported", json!(["client_secret_basic"]));
    let requests = all_requests(&osc, OAuthClient::confidential(osc.client_id(), osc.client_secret())).await;
    for request in requests {
        let is_revocation = request.path.ends_with("/revoke");
        assert_eq!(request.header("authorization").is_some(), is_revocation, "{request:?}");
    }
}

#[tokio::test]
async fn s18_a_configured_method_is_used_at_every_endpoint() {
    for announced in [
        Some(json!(["client_secret_post", "client_secret_basic"])),
        Some(json!(["client_secret_basic"])),
        Some(json!(["client_secret_post"])),
        Some(json!(["private_key_jwt"])),
        None,
    ] {
        for method in [ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost] {
            let osc = MockOsc::builder().par(true).start().await.unwrap();
            osc.set_metadata_field("token_endpoint_auth_methods_supported", announced.clone());
            osc.set_metadata_field("revocation_endpoint_auth_methods_supported", announced.clone());
            let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
            let requests = all_requests_of(&osc, OscAuthLayer::builder(client).auth_method(method)).await;
            assert_eq!(requests.len(), 4);
            for request in requests {
                let in_header = request.header("authorization").is_some();
                let in_form = request.field("client_secret").is_some();
                let is_basic = method == ClientAuthMethod::ClientSecretBasic;
                assert_eq!((in_header, in_form), (is_basic, !is_basic), "{announced:?} {request:?}");
            }
        }
    }
}

#[tokio::test]
async fn constant_parameters_are_part_of_each_authorization_request() {
    for par in [false, true] {
        let osc = MockOsc::builder().par(par).start().await.unwrap();
        let layer = layer_for(&osc)
            .authorization_param("prompt", "consent")
            .authorization_param("resource", "https://a.example/?x=1&y")
            .build()
            .unwrap();
        let mut browser = Browser::new(app(&layer));
        for _ in 0..2 {
            let authorize = browser.begin_sign_in("/auth/signin?prompt=none&x=1").await;
            let (front, pushed) = (authorize.split_once('?').unwrap().1, osc.requests(Endpoint::Par));
            let sent = if par { &pushed.last().unwrap().body } else { front };
            let own = |name: &str| matches!(name, "prompt" | "resource" | "x");
            let sent = form_urlencoded::parse(sent.as_bytes()).into_owned();
            let sent: Vec<_> = sent.filter(|(name, _)| own(name)).collect();
            let expected = [("prompt", "consent"), ("resource", "https://a.example/?x=1&y")];
            assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
            assert_eq!(par, !front.contains("prompt"), "{front}");
            let callback = osc.approve(&authorize).await.unwrap();
            assert_eq!(browser.navigate(osc_tests::path_of(&callback)).await.status(), StatusCode::SEE_OTHER);
        }
    }
}

#[tokio::test]
async fn s08_s48_a_pushed_request_cannot_be_changed_in_the_browser() {
    let osc = MockOsc::builder().require_par().iss(true).start().await.unwrap();
    let layer = layer_for(&osc).scopes(["a", "b"]).build().unwrap();
    let mut browser = Browser::new(app(&layer));

    let authorize = browser.begin_sign_in("/auth/signin").await;

    let query = authorize.split_once('?').unwrap().1;
    let names: Vec<_> = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    let pushed = osc.requests(Endpoint::Par).pop().unwrap();
    assert_eq!(pushed.field("redirect_uri"), Some(CALLBACK));
    assert_eq!(pushed.field("code_challenge_method"), Some("S256"));
    assert_eq!(pushed.field("scope"), Some("a b"));
    assert_eq!(pushed.field("client_secret"), Some(osc.client_secret().as_str()));
    let callback = osc.approve(&authorize).await.unwrap();
    assert_eq!(browser.navigate(osc_tests::path_of(&callback)).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn requests_are_pushed_only_when_announced() {
    let osc = MockOsc::builder().start().await.unwrap();
    let authorize = Browser::new(app(&layer(&osc))).begin_sign_in("/auth/signin").await;
    assert_eq!(parameter(&authorize, "redirect_uri"), CALLBACK);
    assert_eq!(osc.count(Endpoint::Par), 0);
}

#[tokio::test]
async fn a_client_refused_at_the_push_is_a_misconfiguration() {
    let osc = MockOsc::builder().par(true).client_secret("right").start().await.unwrap();
    let layer = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), "wrong"))
        .issuer(osc.issuer())
        .build()
        .unwrap();
    let answer = Browser::new(app(&layer)).navigate("/auth/signin").await;
    assert_eq!(refusal(&answer), (500, "misconfigured".to_owned()));
}

#[tokio::test]
async fn grants_are_revoked_only_when_that_is_announced() {
    let osc = MockOsc::builder().revocation(false).start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    assert_eq!(browser.post_from("same-origin", "/auth/signout").await.status(), StatusCode::SEE_OTHER);
    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
    assert_eq!(osc.count(Endpoint::Revoke), 0);
}
