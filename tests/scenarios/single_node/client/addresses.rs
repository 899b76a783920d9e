//! The destinations of tokens: the personal access token goes to the platform, a service access token to its
//! service's API. No token goes anywhere else, and none anywhere after the sign-out.

use std::time::Duration;

use mock_osc::{Endpoint, Fault, MockOsc, Recorded};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{ContextErrorKind as Kind, OAuthClient, OscAuthLayer, OscContext};
use osc_tests::{ADSERVER, Asked, Browser, HeldDns, MINIO, Stage, app, calls, soon, token_of, use_instance};
use serde_json::json;

const PLATFORM: [Endpoint; 4] =
    [Endpoint::Catalog, Endpoint::ServiceToken, Endpoint::Money, Endpoint::Deploy];

/// Returns the names of the request's headers that carry a token.
fn carriers(request: &Recorded) -> Vec<&str> {
    let names = request.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| ["x-pat-jwt", "x-jwt", "authorization", "cookie"].contains(name)).collect()
}

fn kind_of_token(token: &str) -> &'static str {
    use base64::Engine;
    let payload = token.split('.').nth(1).expect("a JWT");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    if String::from_utf8_lossy(&claims).contains("eyevinn-test-adserver") {
        "of the service"
    } else {
        "personal"
    }
}

#[tokio::test]
async fn s44_each_kind_of_token_goes_only_to_its_place() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    for call in calls() {
        soon(call.make(&osc)).await.unwrap();
    }
    let made = soon(adserver.instance("mine").create(json!({}))).await.unwrap();
    let mine = adserver.known_instance(&made);
    soon(use_instance(&mine)).await.unwrap();
    stage.osc.set_instance_links(false);
    soon(adserver.instance("mine").health()).await.unwrap();
    stage.pass(Duration::from_secs(3 * 3600));
    stage.osc.set_instance_links(true);
    soon(adserver.list_instances()).await.unwrap();
    stage.osc.revoke_service_tokens();
    soon(use_instance(&mine)).await.unwrap();

    let mut personal = Vec::new();
    for request in PLATFORM.into_iter().flat_map(|endpoint| stage.osc.requests(endpoint)) {
        assert_eq!(carriers(&request), ["x-pat-jwt"], "{request:?}");
        personal.push(request.header("x-pat-jwt").unwrap().to_owned());
    }
    let instances = stage.osc.requests(Endpoint::Instances);
    assert!(personal.len() >= 10 && instances.len() > 30, "{} {}", personal.len(), instances.len());
    for request in instances {
        let header = if request.path.contains("/scale/") { "authorization" } else { "x-jwt" };
        assert_eq!(carriers(&request), [header], "{request:?}");
        let value = request.header(header).unwrap();
        assert!(!personal.iter().any(|personal| personal == value), "{request:?}");
        assert_eq!(kind_of_token(value.strip_prefix("Bearer ").unwrap()), "of the service");
    }
    for personal in personal {
        assert_eq!(kind_of_token(personal.strip_prefix("Bearer ").unwrap()), "personal");
    }
    for endpoint in [Endpoint::Metadata, Endpoint::Token] {
        for request in stage.osc.requests(endpoint) {
            assert!(carriers(&request).is_empty(), "{request:?}");
        }
    }
}

/// Returns a stage whose layer uses this resolver. All names resolve to this machine.
async fn with_dns(dns: &HeldDns) -> Stage {
    Stage::with(MockOsc::builder(), |layer| dns.configure(layer)).await
}

#[tokio::test]
async fn s44_an_api_outside_the_environment_gets_no_request() {
    let dns = HeldDns::default();
    let elsewhere = MockOsc::builder().start().await.unwrap();
    let port = elsewhere.address().port();
    let foreign = [
        "https://evil.example/test-adserverinstance".to_owned(),
        format!("http://evil.example:{port}/api-eyevinn-test-adserver/test-adserverinstance"),
        "http://192.0.2.1/test-adserverinstance".to_owned(),
        "http://api-eyevinn-test-adserver.auto.prod.osaas.io/test-adserverinstance".to_owned(),
        "https://api-eyevinn-test-adserver.auto.prod.osaas.io/test-adserverinstance".to_owned(),
        format!("http://127.0.0.1.evil.example:{port}/x"),
        format!("http://localhost.evil.example:{port}/x"),
        format!("http://127.0.0.1@evil.example:{port}/x"),
        format!("http://user:pass@127.0.0.1:{port}/api-eyevinn-test-adserver/test-adserverinstance"),
        format!("http://127.0.0.1:{port}/api-eyevinn-test-adserver/test-adserverinstance?x=y"),
        format!("http://127.0.0.1:{port}/api-eyevinn-test-adserver/test-adserverinstance#x"),
        format!("ftp://127.0.0.1:{port}/x"),
        "file:///etc/passwd".to_owned(),
        "javascript:alert(1)".to_owned(),
        "/test-adserverinstance".to_owned(),
        "//evil.example/x".to_owned(),
        String::new(),
    ];
    for url in foreign {
        let stage = with_dns(&dns).await;
        let osc = stage.context().await;
        stage.osc.set_api_url(ADSERVER, &url);
        let names = dns.asked().len();
        for call in calls() {
            if call.endpoint == Endpoint::Instances || call.endpoint == Endpoint::ServiceToken {
                let error = soon(call.make(&osc)).await.unwrap_err();
                assert_eq!(error.kind(), Kind::UnexpectedAnswer, "{url}: {} {error}", call.doing);
                assert!(!error.to_string().contains("evil"), "{error}");
            }
        }
        assert_eq!(
            stage.asked(),
            Asked { lists: 1, ..Asked::nothing() },
            "{url}: no token was asked for either"
        );
        assert_eq!(dns.asked().len(), names, "{url}");
    }
    assert_eq!(Asked::of(&elsewhere), Asked::nothing());
}

#[tokio::test]
async fn s44_a_foreign_link_gets_no_request() {
    let dns = HeldDns::default();
    let stage = with_dns(&dns).await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let found = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
    let demo = adserver.known_instance(&found);
    soon(use_instance(&demo)).await.unwrap();
    let elsewhere = MockOsc::builder().start().await.unwrap();
    let port = elsewhere.address().port();
    let foreign = [
        "https://evil.example/x".to_owned(),
        format!("http://127.0.0.1:{port}/api-eyevinn-test-adserver/health/demo"),
        format!("@evil.example:{port}/health/demo"),
        format!("@127.0.0.1:{port}/health/demo"),
        ".evil.example/health/demo".to_owned(),
        format!(":{port}/health/demo"),
        "0/health/demo".to_owned(),
        "health/demo".to_owned(),
        "\\\\evil.example/x".to_owned(),
        "\t//evil.example/x".to_owned(),
        String::new(),
    ];
    let names = dns.asked().len();
    for href in foreign {
        for rel in ["self", "health", "logs", "ports", "restart", "scale"] {
            stage.osc.set_link(rel, json!(href));
        }
        stage.osc.forget_requests();
        let found = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
        let demo = adserver.known_instance(&found);
        let results = [
            soon(demo.update(json!({}))).await.map(drop),
            soon(demo.health()).await.map(drop),
            soon(demo.logs()).await.map(drop),
            soon(demo.ports()).await.map(drop),
            soon(demo.scaling()).await.map(drop),
            soon(demo.scale(1)).await,
            soon(demo.restart()).await,
        ];
        for result in results {
            assert_eq!(result.unwrap_err().kind(), Kind::UnexpectedAnswer, "{href}");
        }
        assert_eq!(stage.asked(), Asked { instances: 1, ..Asked::nothing() }, "{href}");
    }
    assert_eq!((dns.asked().len(), Asked::of(&elsewhere)), (names, Asked::nothing()));
}

#[tokio::test]
async fn s44_a_link_that_looks_like_a_host_stays_on_the_apis_own() {
    let dns = HeldDns::default();
    let stage = with_dns(&dns).await;
    let osc = stage.context().await;
    for href in ["//evil.example/health/demo", "/\\evil.example/health/demo", "/../../health/demo"] {
        stage.osc.set_link("health", json!(href));
        // The mock may answer 404 here. Only the destination matters.
        soon(osc.service(ADSERVER).instance("demo").health()).await.ok();
    }
    assert!(!dns.asked().iter().any(|name| name.contains("evil")), "{:?}", dns.asked());
}

#[tokio::test]
async fn s44_a_link_that_is_no_text_is_ignored() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    for odd in [json!(null), json!(7), json!({}), json!(["/x"])] {
        for rel in ["self", "health", "restart"] {
            stage.osc.set_link(rel, odd.clone());
        }
        assert_eq!(soon(demo.health()).await.unwrap().status, "running");
        soon(demo.update(json!({}))).await.unwrap();
        assert_eq!(soon(demo.restart()).await.unwrap_err().kind(), Kind::NotSupported);
    }
}

#[tokio::test]
async fn s44_a_redirect_takes_no_token_elsewhere() {
    let elsewhere = MockOsc::builder().start().await.unwrap();
    for call in calls() {
        for path in ["", "/catalog/mysubscriptions", "/api-eyevinn-test-adserver/test-adserverinstance"] {
            let stage = Stage::signed_in().await;
            let osc = stage.context().await;
            stage.osc.fault(call.endpoint, Fault::Redirect(format!("{}{path}", elsewhere.platform())));
            let error = soon(call.make(&osc)).await.unwrap_err();
            assert_eq!((error.kind(), error.status().unwrap().as_u16()), (Kind::UnexpectedAnswer, 302));
        }
    }
    assert_eq!(Asked::of(&elsewhere), Asked::nothing());
}

/// Returns a visitor of a layer without a configured platform, and the resolver that records the names it
/// looks up.
async fn without_platform(issuer: &str) -> (OscAuthLayer, OscContext, HeldDns) {
    let dns = HeldDns::default();
    let layer =
        OscAuthLayer::builder(OAuthClient::public("app")).issuer(issuer).public_url("http://localhost:3000");
    let layer = dns.configure(layer).build().expect("it builds");
    let cookie = layer.sign_in_for_test(TestToken::new("a-token")).await;
    let mut browser = Browser::new(app(&layer));
    let (name, value) = cookie.to_str().expect("ASCII").split_once('=').expect("a pair");
    browser.set_cookie(name, value);
    let context = token_of(&browser.fetch("/").await).expect("a token").context();
    (layer, context, dns)
}

#[tokio::test]
async fn s44_a_foreign_issuers_token_needs_a_configured_platform() {
    let issuers = [
        "https://login.example",
        "https://app.osaas.io.example",
        "https://app.prod.osaas.io.example",
        "https://app.osaas.io:8443",
        "https://osaas.io",
        "http://127.0.0.1:1",
    ];
    for issuer in issuers {
        let (_layer, osc, dns) = without_platform(issuer).await;
        for call in calls() {
            let error = soon(call.make(&osc)).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.status()),
                (Kind::NotConfigured, None),
                "{issuer}: {}",
                call.doing
            );
            assert!(error.to_string().contains("OSC_PLATFORM"), "{error}");
        }
        let waited =
            soon(osc.service(ADSERVER).instance("demo").wait_until_ready(Duration::from_secs(1), |_| {}))
                .await;
        assert_eq!(waited.unwrap_err().kind(), Kind::NotConfigured);
        assert_eq!(dns.asked(), [] as [&str; 0], "{issuer}");
    }
}

#[test]
fn s61_the_name_of_an_environment_cannot_smuggle_in_a_host() {
    let layer = || OscAuthLayer::builder(OAuthClient::public("app")).public_url("http://localhost:3000");
    for name in
        ["", "dev.evil", "evil.example/", "dev/", "a@evil", "dev:443", "dev#", "dev?", "dev ", "ö", "dev%2e"]
    {
        assert!(layer().environment(name).build().is_err(), "{name}");
    }
    layer().environment("stage-2").build().unwrap();
}

#[tokio::test]
async fn s61_the_personal_access_token_goes_into_the_issuers_own_environment() {
    for (issuer, environment) in [
        ("https://app.osaas.io", "prod"),
        ("https://app.prod.osaas.io", "prod"),
        ("https://app.dev.osaas.io", "dev"),
        ("https://app.se.osaas.io", "se"),
    ] {
        let (_layer, osc, dns) = without_platform(issuer).await;
        // All names resolve to this machine, where nothing listens for HTTPS. Only the name matters.
        soon(osc.service(ADSERVER).list_instances()).await.unwrap_err();
        soon(osc.service(MINIO).instance("a").create(json!({}))).await.unwrap_err();
        soon(osc.token_balance()).await.unwrap_err();
        soon(osc.my_apps()).await.unwrap_err();
        let services = ["catalog", "catalog", "money", "deploy"];
        assert_eq!(dns.asked(), services.map(|service| format!("{service}.svc.{environment}.osaas.io")));
    }
}
