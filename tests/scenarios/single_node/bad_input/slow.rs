//! A provider that never finishes its answer. The timeouts use real time, so all cases run concurrently.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{Browser, QuickClock, app, callback, layer, layer_for, refusal};

/// The layer waits 25 seconds for the answer to a grant. The rest allows for a busy machine.
const MOST: Duration = Duration::from_secs(45);

fn slow() -> [Fault; 3] {
    // Silence, a slow body, and a body that sends faster than any read timeout.
    [
        Fault::Latency(Duration::from_secs(600)),
        Fault::Endless(Duration::from_secs(3)),
        Fault::Endless(Duration::from_millis(50)),
    ]
}

async fn signing_in(fault: Fault) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let mut browser = Browser::new(app(&layer(&osc)));
    osc.fault(Endpoint::Metadata, fault);
    let answer = browser.navigate("/auth/signin").await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
    assert!(browser.cookies().is_empty());
}

async fn registering(fault: Fault) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let layer =
        OscAuthLayer::builder(OAuthClient::register("App")).issuer(osc.issuer()).build().expect("it builds");
    osc.fault(Endpoint::Register, fault);
    let answer = Browser::new(app(&layer)).navigate("/auth/signin").await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
}

async fn exchanging(fault: Fault) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    // The sign-in never times out on this clock, so the HTTP client gives up first.
    let layer = layer_for(&osc).clock(QuickClock::new()).build().expect("it builds");
    let mut browser = Browser::new(app(&layer));
    let path = callback(&mut browser, &osc).await;
    osc.fault(Endpoint::Token, fault);
    let answer = browser.navigate(&path).await;
    assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
    assert!(browser.cookies().is_empty());
}

async fn refreshing(fault: Fault) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    // The request never times out on this clock, so the HTTP client gives up first.
    let clock = QuickClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().expect("it builds");
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    clock.advance(Duration::from_secs(3600));
    osc.fault(Endpoint::Token, fault).once();
    let answer = browser.fetch("/").await;
    if answer.status() != 200 {
        // The answer might still arrive, so the layer must not retry.
        assert_eq!(refusal(&answer), (503, "temporarily_unavailable".to_owned()));
        assert_eq!(osc.count_grants("refresh_token"), 1);
        clock.advance(Duration::from_secs(2));
        assert_eq!(browser.fetch("/").await.status(), 200, "the next try is answered");
    }
    assert_eq!(osc.count_grants("refresh_token"), 2);
}

#[tokio::test]
async fn s19_a_provider_that_never_finishes_times_out() {
    let begun = Instant::now();
    let mut cases: Vec<std::pin::Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for fault in slow() {
        cases.push(Box::pin(signing_in(fault.clone())));
        cases.push(Box::pin(registering(fault.clone())));
        cases.push(Box::pin(exchanging(fault.clone())));
        cases.push(Box::pin(refreshing(fault)));
    }
    tokio::time::timeout(MOST, join_all(cases)).await.expect("something hangs");
    assert!(begun.elapsed() > Duration::from_secs(5), "the provider was not slow");
}
