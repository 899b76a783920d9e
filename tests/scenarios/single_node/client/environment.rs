//! The destinations of tokens in one of OSC's environments, which is reached by host name over TLS.

use std::sync::Arc;

use mock_osc::{Endpoint, MockOsc, Recorded};
use osc_auth_layer::{ContextErrorKind as Kind, OAuthClient, OscAuthLayer, OscContext};
use osc_tests::{
    ADSERVER, Asked, Browser, HeldDns, MINIO, Stage, TlsFront, VALKEY, app, calls, soon, token_of,
    use_instance,
};
use serde_json::json;

const ISSUER: &str = "https://app.dev.osaas.io";

/// The environment `dev`, whose names all resolve to the mock, and a user who is signed in there.
struct Environment {
    osc: MockOsc,
    dns: HeldDns,
    context: OscContext,
    _layer: OscAuthLayer,
    _front: TlsFront,
}

impl Environment {
    async fn dev() -> Self {
        Self::of(MockOsc::builder()).await
    }

    async fn of(osc: mock_osc::MockOscBuilder) -> Self {
        let osc = osc.issuer(ISSUER).start().await.expect("the mock starts");
        let dns = HeldDns::default();
        let layer = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()));
        let resolver = dns.clone();
        let layer = layer.environment("dev").public_url("http://localhost:3000").configure_http(|http| {
            // No trusted certificate exists for these names.
            http.dns_resolver(Arc::new(resolver)).tls_danger_accept_invalid_certs(true)
        });
        let layer = layer.build().expect("it builds");
        let front = TlsFront::to(osc.address()).await;
        dns.lead_to(front.port());
        let mut browser = Browser::new(app(&layer));
        soon(browser.sign_in(&osc)).await;
        let context = token_of(&soon(browser.fetch("/")).await).expect("a token").context();
        Self { osc, dns, context, _layer: layer, _front: front }
    }
}

fn host(request: &Recorded) -> &str {
    request.header("host").expect("a host")
}

#[tokio::test]
async fn s44_s61_tokens_stay_in_the_issuers_environment_over_tls() {
    let Environment { osc, dns, context, .. } = &Environment::dev().await;
    for call in calls() {
        soon(call.make(context)).await.unwrap();
    }
    for service in [ADSERVER, MINIO] {
        soon(context.service(service).instance("mine").create(json!({}))).await.unwrap();
        soon(use_instance(&context.service(service).instance("mine"))).await.unwrap();
        let token = soon(context.service(service).access_token()).await.unwrap();
        assert!(token.api_url().starts_with(&format!("https://api-{service}.auto.dev.osaas.io/")));
    }
    for (endpoint, service) in [
        (Endpoint::Catalog, "catalog"),
        (Endpoint::ServiceToken, "token"),
        (Endpoint::Money, "money"),
        (Endpoint::Deploy, "deploy"),
    ] {
        let requests = osc.requests(endpoint);
        assert!(!requests.is_empty(), "{service}");
        for request in requests {
            assert_eq!(host(&request), format!("{service}.svc.dev.osaas.io"));
            assert!(request.header("x-jwt").is_none() && request.header("x-pat-jwt").is_some());
        }
    }
    let requests = osc.requests(Endpoint::Instances);
    assert!(requests.len() > 20, "{}", requests.len());
    for request in requests {
        let service = [ADSERVER, MINIO].into_iter().find(|service| host(&request).contains(service));
        let service = service.unwrap_or_else(|| panic!("{request:?}"));
        assert_eq!(host(&request), format!("api-{service}.auto.dev.osaas.io"));
        let own = format!("Bearer {}", soon(context.service(service).access_token()).await.unwrap().token());
        assert!(request.header("x-pat-jwt").is_none());
        assert_eq!(request.header("x-jwt").or(request.header("authorization")), Some(own.as_str()));
    }
    assert!(dns.asked().iter().all(|name| name.ends_with(".dev.osaas.io")), "{:?}", dns.asked());
}

#[tokio::test]
async fn s61_an_api_on_a_site_or_an_old_host_of_the_environment_gets_its_services_token() {
    let site = "https://api-eyevinn-test-adserver.auto.dev-se.osaas.io/test-adserverinstance";
    let old = "https://api-ce.dev.osaas.io/test-adserverinstance";
    for (api, mock) in [(site, MockOsc::builder().api_site("dev-se")), (old, MockOsc::builder())] {
        let Environment { osc, dns, context, .. } = &Environment::of(mock).await;
        osc.set_api_url(ADSERVER, api);
        assert_eq!(soon(context.service(ADSERVER).access_token()).await.unwrap().api_url(), api);
        soon(context.service(ADSERVER).list_instances()).await.unwrap();
        soon(use_instance(&context.service(ADSERVER).instance("demo"))).await.unwrap();
        let api_host = api.split('/').nth(2).unwrap();
        let requests = osc.requests(Endpoint::Instances);
        assert!(requests.len() > 10 && requests.iter().all(|request| host(request) == api_host), "{api}");
        assert!(osc.stray_tokens().is_empty());
        let is_own = |name: &String| name.ends_with(".svc.dev.osaas.io") || name == "app.dev.osaas.io";
        assert!(dns.asked().iter().all(|name| is_own(name) || name == api_host), "{:?}", dns.asked());
    }
}

#[tokio::test]
async fn s44_s61_a_foreign_or_plaintext_api_gets_no_token() {
    for foreign in [
        "http://api-eyevinn-test-adserver.auto.dev.osaas.io/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.prod.osaas.io/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.osaas.io/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.evildev.osaas.io/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev.osaas.io.evil.example/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev.osaas.io:444/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev.osaas.io@evil.example/test-adserverinstance",
        "https://user@api-eyevinn-test-adserver.auto.dev.osaas.io/test-adserverinstance",
        "https://evil.example\\@api-eyevinn-test-adserver.auto.dev.osaas.io/test-adserverinstance",
        "https://dev.osaas.io/test-adserverinstance",
        // A tenant's own instance and app, and other hosts of the environment.
        "https://tenant-store.eyevinn-test-adserver.auto.dev.osaas.io/test-adserverinstance",
        "https://tenant-store.eyevinn-test-adserver.auto.dev-se.osaas.io/test-adserverinstance",
        "https://0123abcd.apps.dev.osaas.io/test-adserverinstance",
        "https://0123abcd.apps.osaas.io/test-adserverinstance",
        "https://catalog.svc.dev.osaas.io/test-adserverinstance",
        // The API of another service. The token is only for this one.
        "https://api-minio-minio.auto.dev.osaas.io/test-adserverinstance",
        "https://api-minio-minio.auto.dev-se.osaas.io/test-adserverinstance",
        // Environments and sites with similar names.
        "https://api-eyevinn-test-adserver.auto.devse.osaas.io/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.prod-dev.osaas.io/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev-se.osaas.io.evil.example/test-adserverinstance",
        "https://api-ce.prod.osaas.io/test-adserverinstance",
        // Other spellings of the right address.
        "https://api-eyevinn-test-adserver.auto.dev.osaas.io./test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev.osaas.io:443/test-adserverinstance",
        "https://API-eyevinn-test-adserver.auto.dev.osaas.io/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev.osaas.io/x/../test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev.osaas.io/%2e%2e/test-adserverinstance",
        "https://api-eyevinn-test-adserver.auto.dev.os\u{430}as.io/test-adserverinstance",
        "https://127.0.0.1/test-adserverinstance",
        "http://localhost/test-adserverinstance",
    ] {
        let Environment { osc, dns, context, .. } = &Environment::dev().await;
        osc.set_api_url(ADSERVER, foreign);
        for _ in 0..2 {
            let error = soon(context.service(ADSERVER).list_instances()).await.unwrap_err();
            assert_eq!(error.kind(), Kind::UnexpectedAnswer, "{foreign}: {error}");
            let error = soon(context.service(ADSERVER).access_token()).await.unwrap_err();
            assert_eq!(error.kind(), Kind::UnexpectedAnswer, "{foreign}: {error}");
        }
        assert_eq!(Asked { lists: 0, ..Asked::of(osc) }, Asked::nothing(), "{foreign}");
        let names = dns.asked();
        let known = ["app.dev.osaas.io", "catalog.svc.dev.osaas.io"];
        assert!(names.iter().all(|name| known.contains(&name.as_str())), "{foreign}: {names:?}");
    }
}

#[tokio::test]
async fn s44_a_service_access_token_goes_to_its_own_service_only() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let services = [ADSERVER, MINIO, VALKEY];
    let mut tokens = Vec::new();
    for service in services {
        soon(osc.service(service).instance("mine").create(json!({}))).await.unwrap();
        tokens.push(soon(osc.service(service).access_token()).await.unwrap());
    }
    for service in services {
        let mine = osc.service(service).instance("mine");
        soon(use_instance(&mine)).await.unwrap();
        soon(mine.remove()).await.unwrap();
    }
    let requests = stage.osc.requests(Endpoint::Instances);
    assert!(requests.len() > 20, "{}", requests.len());
    for request in requests {
        let token = request.header("x-jwt").or(request.header("authorization")).expect("a token");
        let own = services.iter().zip(&tokens).find(|(service, _)| request.path.contains(*service));
        let (service, own) = own.unwrap_or_else(|| panic!("a request for no service: {request:?}"));
        assert_eq!(token, format!("Bearer {}", own.token()), "{service}: {}", request.path);
        assert!(own.api_url().contains(service));
    }
}
