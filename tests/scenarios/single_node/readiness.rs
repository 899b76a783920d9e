//! `ready()` in an outage of the provider, which takes no node out of service.

use std::time::Duration;

use futures_util::future::join;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{Impairment, OAuthClient, OscAuthLayer};
use osc_tests::{Browser, EXPIRED, Stage, WatchedClock, app, layer_for, soon};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn impairments(layer: &OscAuthLayer) -> Vec<Impairment> {
    let readiness = soon(layer.ready()).await;
    assert!(readiness.is_ready(), "{readiness}");
    readiness.impairments().to_vec()
}

async fn started() -> (MockOsc, WatchedClock, OscAuthLayer) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let clock = WatchedClock::default();
    let layer = layer_for(&osc).clock(clock.clone()).build().expect("the test's layer builds");
    (osc, clock, layer)
}

#[tokio::test]
async fn a_provider_that_is_down_at_the_start_is_asked_once_a_minute() {
    let (osc, clock, layer) = started().await;
    let fault = Fault::Status(503);
    osc.fault(Endpoint::Metadata, fault);
    for _ in 0..30 {
        assert_eq!(impairments(&layer).await, [Impairment::Metadata]);
        clock.advance(SECOND);
    }
    assert_eq!(osc.count(Endpoint::Metadata), 1);
    osc.clear_faults();
    clock.advance(MINUTE);
    assert_eq!(impairments(&layer).await, []);
    assert_eq!(osc.count(Endpoint::Metadata), 2);
}

#[tokio::test]
async fn a_provider_that_goes_down_later_impairs_nothing_while_its_metadata_is_known() {
    let (osc, clock, layer) = started().await;
    assert_eq!(impairments(&layer).await, []);
    osc.stop_listening().await;
    clock.advance(24 * 60 * MINUTE);
    assert_eq!(impairments(&layer).await, []);
}

#[tokio::test]
async fn a_slow_provider_does_not_hold_up_the_probe() {
    let (osc, clock, layer) = started().await;
    let hold = osc.hold(Endpoint::Metadata);
    let passing = async {
        let patience = Duration::from_millis(500);
        clock.slept(patience..=patience, 1).await;
        soon(hold.arrived(1)).await;
        clock.advance(patience);
    };
    let (found, ()) = join(impairments(&layer), passing).await;
    assert_eq!(found, [Impairment::Metadata]);
    hold.release();
    // The fetch went on, and this sign-in joins it.
    soon(Browser::new(app(&layer)).begin_sign_in("/auth/signin")).await;
    assert_eq!(osc.count(Endpoint::Metadata), 1);
    clock.advance(SECOND);
    assert_eq!(impairments(&layer).await, []);
}

#[tokio::test]
async fn known_endpoints_do_without_metadata() {
    let osc = MockOsc::builder().without_metadata().start().await.expect("the mock starts");
    let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
    let layer = OscAuthLayer::builder(client).issuer(osc.issuer()).known_endpoints();
    assert_eq!(impairments(&layer.build().expect("it builds")).await, []);
}

#[tokio::test]
async fn refreshes_that_fail_for_several_users_impair_the_node() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut users = Vec::new();
    for user in ["pat-of-ada", "pat-of-alan", "pat-of-grace"] {
        users.push(stage.browser_with(TestToken::new(user).refresh_token("rt")).await);
    }
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::Status(503));
    assert_eq!(impairments(&stage.layer).await, []);
    for user in &mut users {
        soon(stage.clock.through_second_tries(user.fetch("/"))).await;
    }
    stage.pass(SECOND);
    assert_eq!(impairments(&stage.layer).await, [Impairment::Refreshes]);
    assert!(soon(stage.layer.ready()).await.to_string().starts_with("ready: the provider does not answer"));
}
