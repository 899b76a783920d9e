//! A provider that cannot be reached: refused connections, unknown host names.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{
    Browser, EXPIRED, LEEWAY, Stage, WatchedClock, app, callback, error_of, refusal, retry_after, soon,
    token_of,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::Value;

#[tokio::test]
async fn s42_refused_connections_end_no_session() {
    // With a pooled connection, it would depend on timing whether the first request counts as sent.
    let unpooled = |layer: osc_auth_layer::OscAuthLayerBuilder| {
        layer.configure_http(|http| http.pool_max_idle_per_host(0))
    };
    let mut stage = Stage::with(MockOsc::builder(), unpooled).await;
    let old = stage.token().await;
    stage.osc.stop_listening().await;

    stage.pass(LEEWAY);
    let answer = stage.fetch("/").await;
    assert_eq!(token_of(&answer).expect("the old token").access_token(), old.access_token());
    stage.pass(EXPIRED - LEEWAY);
    let answer = stage.fetch("/").await;
    assert_eq!(error_of(&answer), "temporarily_unavailable");
    assert_eq!(stage.clock.sleeps(WatchedClock::SECOND_TRY), 0, "a request that was not sent is not retried");

    stage.osc.resume_listening().await.unwrap();
    stage.pass(retry_after(&answer));
    assert!(stage.osc.is_live(stage.token().await.access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn s42_a_provider_restart_ends_no_session() {
    let stage = Stage::signed_in().await;
    for _ in 0..3 {
        // This breaks the layer's pooled connection.
        stage.osc.stop_listening().await;
        stage.osc.resume_listening().await.unwrap();
        stage.pass(EXPIRED);
        let token = stage.clock.clone().through_second_tries(stage.token()).await;
        assert!(stage.osc.is_live(token.access_token()));
    }
    assert_eq!(stage.refreshes(), 3);
}

#[tokio::test]
async fn s42_a_name_that_does_not_resolve_ends_no_session() {
    let resolver = Resolver::default();
    let configure = {
        let resolver = resolver.clone();
        |layer: osc_auth_layer::OscAuthLayerBuilder| {
            layer.configure_http(move |http| http.dns_resolver(Arc::new(resolver)).pool_max_idle_per_host(0))
        }
    };
    let stage = Stage::before_sign_in(MockOsc::builder(), configure).await;
    let token_endpoint = format!("http://localhost:{}/api/connect/token", stage.osc.address().port());
    stage.osc.set_metadata_field("token_endpoint", Value::from(token_endpoint));
    let mut stage = stage.sign_in().await;
    assert!(resolver.asked() > 0);

    resolver.fail(true);
    stage.pass(EXPIRED);
    let asked = resolver.asked();
    let answer = stage.fetch("/").await;
    assert_eq!(error_of(&answer), "temporarily_unavailable");
    assert_eq!(resolver.asked(), asked + 1, "a request that was not sent is not retried");
    assert_eq!(error_of(&stage.fetch("/").await), "temporarily_unavailable");
    assert_eq!(resolver.asked(), asked + 1, "the provider is not asked during the backoff");

    resolver.fail(false);
    stage.pass(retry_after(&answer));
    assert!(stage.osc.is_live(stage.token().await.access_token()));
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_fails_the_sign_in_and_no_sign_out() {
    let resolver = Resolver::default();
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let names = resolver.clone();
    let layer = osc_tests::layer_for(&osc)
        .configure_http(move |http| http.dns_resolver(Arc::new(names)).pool_max_idle_per_host(0))
        .build()
        .expect("it builds");
    let local = format!("http://localhost:{}", osc.address().port());
    osc.set_metadata_field("token_endpoint", Value::from(format!("{local}/api/connect/token")));
    osc.set_metadata_field("revocation_endpoint", Value::from(format!("{local}/api/connect/revoke")));
    let mut browser = Browser::new(app(&layer));
    let callback = callback(&mut browser, &osc).await;
    resolver.fail(true);
    let answer = soon(browser.navigate(&callback)).await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));

    resolver.fail(false);
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
    resolver.fail(true);
    let (replay, asked) = (browser.clone(), resolver.asked());
    assert_eq!(browser.post_from("same-origin", "/auth/signout").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(error_of(&soon(replay.clone().fetch("/")).await), "unauthenticated");
    assert!(soon(layer.shutdown(Duration::from_secs(20))).await.is_ok());
    assert_eq!(resolver.asked(), asked + 1);
}

/// A resolver that returns this machine for every name, or fails.
#[derive(Clone, Debug, Default)]
struct Resolver {
    fails: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Resolver {
    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, _: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer: Result<Addrs, _> = if self.fails.load(Ordering::SeqCst) {
            Err("no such host".into())
        } else {
            Ok(Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0)))))
        };
        Box::pin(std::future::ready(answer))
    }
}
