//! The requests to a provider whose metadata is sparse or wrong.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Browser, QuickClock, app, callback, layer, layer_for, parameter, refusal, tour};
use serde_json::{Value, json};

#[tokio::test]
async fn s08_pkce_is_used_for_every_client_and_without_metadata() {
    let public = "http://localhost:3000/auth/callback";
    let osc = MockOsc::builder().public_client("cli", &[public]).without_metadata().start().await.unwrap();
    let clients = [
        OAuthClient::confidential(osc.client_id(), osc.client_secret()),
        OAuthClient::public("cli"),
        OAuthClient::register("My app"),
    ];
    for client in clients {
        let layer = OscAuthLayer::builder(client).issuer(osc.issuer()).known_endpoints();
        let layer = layer.public_url("http://localhost:3000").build().unwrap();
        let mut browser = Browser::new(app(&layer));
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert_eq!(parameter(&authorize, "code_challenge_method"), "S256");
        assert_eq!(parameter(&authorize, "code_challenge").len(), 43);
        let approved = osc.approve(&authorize).await.unwrap();
        assert_eq!(browser.navigate(osc_tests::path_of(&approved)).await.status(), StatusCode::SEE_OTHER);
        let request = osc.requests(Endpoint::Token).pop().unwrap();
        assert!(request.field("code_verifier").is_some_and(|verifier| verifier.len() >= 43));
    }
}

#[tokio::test]
async fn s11_refresh_and_registration_request_no_more_scopes() {
    let osc = MockOsc::builder().start().await.unwrap();
    for (scopes, expected) in [(&[][..], None), (&["instances:read"], Some("instances:read"))] {
        osc.forget_requests();
        let layer =
            OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer()).scopes(scopes.to_vec());
        tour(&osc, layer.public_url("http://localhost:3000")).await;
        let registration = osc.requests(Endpoint::Register).pop().expect("a registration");
        let registration: Value = serde_json::from_str(&registration.body).unwrap();
        assert_eq!(registration.get("scope").and_then(Value::as_str), expected);
        assert_eq!(osc.count_grants("refresh_token"), 1);
        for request in osc.requests(Endpoint::Token) {
            assert_eq!(request.field("scope"), None, "a grant's scope is that of its authorization");
        }
    }
}

#[tokio::test]
async fn s16_no_plain_http_off_loopback_can_be_configured() {
    let osc = MockOsc::builder().start().await.unwrap();
    let configured = |url: &str| {
        let settings: [fn(OscAuthLayerBuilder, &str) -> OscAuthLayerBuilder; 3] = [
            |layer, url| layer.issuer(url),
            |layer, url| layer.public_url(url),
            |layer, url| layer.platform(url),
        ];
        settings.map(|set| {
            let layer =
                OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()));
            set(layer, url).build().is_ok()
        })
    };
    for refused in [
        "http://osc.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://127.0.0.1.nip.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://[::ffff:10.0.0.1]",
        "ftp://localhost",
        "javascript:alert(1)",
        "file:///etc",
        "localhost",
    ] {
        assert_eq!(configured(refused), [false; 3], "{refused}");
    }
    for accepted in ["https://osc.example", "http://localhost:1", "http://127.0.0.1", "http://[::1]:1"] {
        assert_eq!(configured(accepted), [true; 3], "{accepted}");
    }
}

#[tokio::test]
async fn s16_an_endpoint_of_another_scheme_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"] {
        for url in
            ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://localhost/x", "/x", ""]
        {
            osc.set_metadata_field(name, json!(url));
            let answer = Browser::new(app(&layer(&osc))).navigate("/auth/signin").await;
            assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{name} {url}");
        }
        osc.clear_metadata_fields();
    }
}

/// Returns the client authentication methods of the exchange, the refresh and the revocation.
async fn methods(osc: &MockOsc, layer: OscAuthLayerBuilder) -> Vec<&'static str> {
    osc.forget_requests();
    tour(osc, layer).await;
    let requests = [Endpoint::Token, Endpoint::Revoke].map(|endpoint| osc.requests(endpoint)).concat();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", osc.client_id(), osc.client_secret())));
    let method = |header: Option<&str>, secret: Option<&str>| match (header, secret) {
        (Some(header), None) if header == basic => "basic",
        (None, Some(secret)) if secret == osc.client_secret() => "post",
        (None, None) => "none",
        _ => "nonsense",
    };
    requests
        .iter()
        .map(|request| method(request.header("authorization"), request.field("client_secret")))
        .collect()
}

#[tokio::test]
async fn s18_each_endpoint_gets_its_announced_auth_method() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (post, basic) = (json!(["client_secret_post"]), json!(["client_secret_basic"]));
    let both = json!(["client_secret_basic", "client_secret_post"]);
    for (token, revocation, expected) in [
        (Some(&post), Some(&post), ["post", "post", "post"]),
        (Some(&post), Some(&basic), ["post", "post", "basic"]),
        (Some(&basic), Some(&post), ["basic", "basic", "post"]),
        (Some(&basic), Some(&basic), ["basic", "basic", "basic"]),
        (Some(&both), Some(&basic), ["post", "post", "basic"]),
        // RFC 8414 §2: without its own list, revocation uses the token endpoint's methods, whose default is
        // `client_secret_basic`.
        (Some(&post), None, ["post", "post", "post"]),
        (Some(&basic), None, ["basic", "basic", "basic"]),
        (None, Some(&post), ["basic", "basic", "post"]),
        (None, None, ["basic", "basic", "basic"]),
    ] {
        osc.set_metadata_field("token_endpoint_auth_methods_supported", token.cloned());
        osc.set_metadata_field("revocation_endpoint_auth_methods_supported", revocation.cloned());
        assert_eq!(methods(&osc, layer_for(&osc)).await, expected, "{token:?} {revocation:?}");
        if token.is_none() {
            // OSC announces no methods, and accepts the secret in the body.
            let of_osc = methods(&osc, layer_for(&osc).known_endpoints()).await;
            assert_eq!(of_osc, ["post"; 3], "{revocation:?}");
        }
    }
}

#[tokio::test]
async fn s18_a_registered_client_uses_the_method_it_was_registered_for() {
    for (method, with_header, with_secret) in
        [("client_secret_post", false, true), ("client_secret_basic", true, false), ("none", false, false)]
    {
        let osc = MockOsc::builder().token_endpoint_auth_methods(&[method]).start().await.unwrap();
        let layer = OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer());
        tour(&osc, layer.public_url("http://localhost:3000")).await;
        assert_eq!(osc.live_refresh_tokens(), 0, "the revocation was not accepted");
        for request in [Endpoint::Token, Endpoint::Revoke].map(|endpoint| osc.requests(endpoint)).concat() {
            assert_eq!(request.header("authorization").is_some(), with_header, "{method}");
            assert_eq!(request.field("client_secret").is_some(), with_secret, "{method}");
        }
    }
    // The registered method counts, even if the layer would choose another from the list.
    let osc = MockOsc::builder().start().await.unwrap();
    let agreed = json!({
        "client_id": osc.client_id(),
        "client_secret": osc.client_secret(),
        "token_endpoint_auth_method": "client_secret_basic",
    });
    osc.fault(Endpoint::Register, Fault::Answer(201, "application/json", agreed.to_string()));
    let layer = OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer());
    assert_eq!(methods(&osc, layer.public_url("http://localhost:3000")).await, ["basic"; 3]);
}

#[tokio::test]
async fn s19_no_redirect_takes_a_refresh_a_push_or_a_revocation_elsewhere() {
    let osc = MockOsc::builder().par(true).start().await.unwrap();
    let clock = QuickClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let elsewhere = || Fault::Redirect(format!("{}/catalog/mysubscriptions", osc.issuer()));
    let mut browser = Browser::new(app(&layer));
    osc.fault(Endpoint::Par, elsewhere()).once();
    assert_eq!(refusal(&browser.navigate("/auth/signin").await).0, 502);
    let path = callback(&mut browser, &osc).await;
    browser.navigate(&path).await;
    clock.advance(Duration::from_secs(3600));
    osc.fault(Endpoint::Token, elsewhere());
    assert_eq!(refusal(&browser.fetch("/").await), (503, "temporarily_unavailable".to_owned()));
    osc.fault(Endpoint::Revoke, elsewhere());
    browser.post_from("same-origin", "/auth/signout").await;
    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
    assert_eq!(osc.count(Endpoint::Revoke), 1);
    assert_eq!(osc.count(Endpoint::Catalog), 0, "a redirect was followed");
}
