//! A context without a session: the same client, with a personal access token from elsewhere.

use std::sync::Arc;

use mock_osc::{Endpoint, Fault, MockOsc, Recorded};
use osc_auth_layer::{ContextErrorKind as Kind, OscContext};
use osc_tests::{ADSERVER, Asked, HeldDns, MINIO, Stage, WatchedClock, calls, soon};
use serde_json::json;

const PLATFORM: [Endpoint; 4] =
    [Endpoint::Catalog, Endpoint::ServiceToken, Endpoint::Money, Endpoint::Deploy];

/// Returns a context with a token of the mock, on a clock that stands still.
fn context(osc: &MockOsc) -> OscContext {
    let builder = OscContext::builder(osc.personal_access_token("ada")).platform(osc.platform());
    builder.clock(WatchedClock::default()).build().expect("it builds")
}

/// Returns everything a server sees of each request, except the tokens.
fn shapes(osc: &MockOsc) -> Vec<String> {
    let endpoints = PLATFORM.into_iter().chain([Endpoint::Instances]);
    let shape = |request: Recorded| {
        let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        format!("{} {} {:?} {names:?} {}", request.method, request.path, request.query, request.body)
    };
    endpoints.flat_map(|endpoint| osc.requests(endpoint)).map(shape).collect()
}

#[tokio::test]
async fn every_call_works_with_a_bare_token_and_sends_what_a_session_would() {
    let stage = Stage::signed_in().await;
    let of_session = stage.context().await;
    let osc = MockOsc::builder().start().await.unwrap();
    let bare = context(&osc);
    for call in calls() {
        soon(call.make(&of_session)).await.unwrap();
        soon(call.make(&bare)).await.unwrap_or_else(|error| panic!("{}: {error}", call.doing));
    }
    assert!(bare.session().is_none() && of_session.session().is_some());
    assert_eq!(shapes(&osc), shapes(&stage.osc));
    assert_eq!(osc.count(Endpoint::Token) + osc.count(Endpoint::Metadata), 0, "nobody signs in");
}

#[tokio::test]
async fn clones_share_their_cache_and_other_contexts_do_not() {
    let osc = MockOsc::builder().start().await.unwrap();
    let first = context(&osc);
    for context in [&first, &first.clone()] {
        soon(context.service(ADSERVER).list_instances()).await.unwrap();
    }
    assert_eq!(Asked::of(&osc), Asked { lists: 1, tokens: 1, instances: 2, ..Asked::nothing() });
    soon(context(&osc).service(ADSERVER).list_instances()).await.unwrap();
    assert_eq!(Asked::of(&osc), Asked { lists: 2, tokens: 2, instances: 3, ..Asked::nothing() });
}

#[tokio::test]
async fn a_refused_bare_token_is_reported_invalid_and_not_refreshed() {
    let osc = MockOsc::builder().start().await.unwrap();
    let context = context(&osc);
    soon(context.token_balance()).await.unwrap();
    osc.revoke_grants();
    for call in calls().into_iter().filter(|call| PLATFORM.contains(&call.endpoint)) {
        let before = osc.count(call.endpoint);
        let error = soon(call.make(&context)).await.unwrap_err();
        assert_eq!((error.kind(), error.kind().as_str()), (Kind::InvalidToken, "invalid_token"), "{error}");
        assert_eq!((error.status().unwrap().as_u16(), error.response_status().as_u16()), (401, 500));
        assert_eq!(error.reason(), Some("invalid personal access token"));
        assert!(error.to_string().contains("create another in the OSC console"), "{error}");
        assert!(osc.count(call.endpoint) <= before + 1, "{}: it was sent again", call.doing);
    }
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn a_dead_service_access_token_is_replaced_with_a_bare_token_too() {
    let osc = MockOsc::builder().start().await.unwrap();
    let context = context(&osc);
    let adserver = context.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    osc.revoke_service_tokens();
    soon(adserver.list_instances()).await.unwrap();
    assert_eq!(Asked::of(&osc), Asked { lists: 1, tokens: 2, instances: 3, ..Asked::nothing() });
}

#[tokio::test]
async fn no_error_of_a_bare_token_repeats_token_or_secret() {
    let osc = MockOsc::builder().start().await.unwrap();
    let context = context(&osc);
    let token = osc.issued_tokens().pop().unwrap();
    for text in [format!("{token} is dead"), "correct horse is too weak".to_owned()] {
        let body = json!({ "reason": text }).to_string();
        osc.fault(Endpoint::Deploy, Fault::Answer(401, "application/json", body)).once();
        let error = soon(context.service(MINIO).secret("key").save("correct horse")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidToken);
        let shown = format!("{error} {error:?} {context:?}");
        assert!(!shown.contains(&token[..24]) && !shown.contains("correct horse"), "{shown}");
    }
}

#[tokio::test]
async fn s61_a_bare_token_goes_into_its_own_environment() {
    for (environment, expected) in [(None, "prod"), (Some("dev"), "dev"), (Some("se"), "se")] {
        let dns = HeldDns::default();
        let resolver = dns.clone();
        let mut builder = OscContext::builder("a-token");
        if let Some(environment) = environment {
            builder = builder.environment(environment);
        }
        let context = builder.configure_http(|http| http.dns_resolver(Arc::new(resolver))).build().unwrap();
        // All names resolve to this machine, where nothing listens for HTTPS. Only the name matters.
        soon(context.service(ADSERVER).list_instances()).await.unwrap_err();
        soon(context.token_balance()).await.unwrap_err();
        soon(context.my_apps()).await.unwrap_err();
        let services = ["catalog", "money", "deploy"];
        assert_eq!(dns.asked(), services.map(|service| format!("{service}.svc.{expected}.osaas.io")));
    }
}

#[tokio::test]
async fn s61_a_service_access_token_got_with_a_bare_token_goes_to_its_service_only() {
    let osc = MockOsc::builder().start().await.unwrap();
    let context = context(&osc);
    for foreign in ["https://evil.example/x", "https://api-eyevinn-test-adserver.auto.prod.osaas.io/x"] {
        osc.set_api_url(ADSERVER, foreign);
        let error = soon(context.service(ADSERVER).list_instances()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::UnexpectedAnswer, "{foreign}: {error}");
    }
    assert_eq!(osc.count(Endpoint::ServiceToken), 0);
}
