//! Operations of the session store with every result, and its state.

use std::time::Duration;

use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{
    Browser, EXPIRED, Nodes, Op, QuickClock, Trouble, WatchedClock, app, error_of, path_of, soon, token_of,
};

use crate::total;

const UP: &str = "osc_auth_store_up";
const NOTIFIES: &str = "osc_auth_store_notifications_trusted";

pub(crate) async fn drive(metrics: &PrometheusHandle) {
    used_and_listed(metrics).await;
    asked_in_vain(metrics).await;
    met_by_two_deliveries().await;
    rid_of_a_registration().await;
}

async fn used_and_listed(metrics: &PrometheusHandle) {
    let nodes = Nodes::notified(1).await;
    assert_eq!((total(metrics, UP), total(metrics, NOTIFIES)), (1.0, 1.0));
    let session = nodes.token(0).await.session();
    soon(session.list()).await.expect("the sessions");
    // Late enough to note the use.
    nodes.pass(Duration::from_secs(3000));
    nodes.token(0).await;
    soon(nodes.node(0).store.asked(Op::Touch, 1)).await;
    nodes.settle().await;

    let polled = Nodes::polling(1).await;
    polled.token(0).await;
    assert_eq!((total(metrics, UP), total(metrics, NOTIFIES)), (1.0, 0.0));
}

async fn asked_in_vain(metrics: &PrometheusHandle) {
    const DEADLINE: Duration = Duration::from_secs(2);
    let nodes = Nodes::polling(1).await;
    let store = &nodes.node(0).store;
    store.trouble_next(Op::Read, Trouble::Fails, 1);
    assert_eq!(error_of(&nodes.fetch(0).await), "temporarily_unavailable");
    assert_eq!(total(metrics, UP), 0.0);
    nodes.token(0).await;
    assert_eq!(total(metrics, UP), 1.0);

    store.trouble_next(Op::Read, Trouble::Hangs, 1);
    let begun = nodes.node(0).clock.sleeps(DEADLINE..=DEADLINE);
    let request = nodes.waiting(0);
    nodes.node(0).clock.slept(DEADLINE..=DEADLINE, begun + 1).await;
    nodes.node(0).clock.advance(DEADLINE);
    assert_eq!(error_of(&soon(request).await), "temporarily_unavailable");
    assert_eq!(total(metrics, UP), 0.0);
}

/// The second delivery of a callback meets the entry of the first one.
async fn met_by_two_deliveries() {
    let nodes = Nodes::<WatchedClock>::with(MockOsc::builder(), true, 2, |layer| layer).await;
    let mut browser = nodes.at(0);
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let approved = nodes.osc.approve(&authorize).await.expect("consent");
    let mut other = nodes.send(&browser, 1);
    let first = soon(browser.navigate(path_of(&approved))).await;
    let second = soon(other.navigate(path_of(&approved))).await;
    assert_eq!((first.status(), second.status()), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
}

/// The provider forgets the app's registration, which the nodes share.
async fn rid_of_a_registration() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let clock = QuickClock::new();
    let layer = OscAuthLayer::builder(OAuthClient::register("My app")).issuer(osc.issuer());
    let layer = layer.public_url("http://localhost:3000").cookie_key([7; 32]).clock(clock.clone());
    let layer = layer.store(MemoryStore::with_clock(clock.clone())).build().expect("the test's layer builds");
    let mut browser = Browser::new(app(&layer));
    assert_eq!(soon(browser.sign_in(&osc)).await.status(), StatusCode::SEE_OTHER);
    let request = osc.requests(Endpoint::Token).pop().expect("a token request");
    assert!(osc.remove_client(request.field("client_id").expect("in the body")));
    clock.advance(EXPIRED);
    assert!(token_of(&soon(browser.fetch("/")).await).is_none());
    assert_eq!(soon(browser.sign_in(&osc)).await.status(), StatusCode::SEE_OTHER);
    assert!(soon(layer.shutdown(EXPIRED)).await.is_ok());
}
