//! A node that is delayed beyond its lease, and another that takes over. Both get answers from the provider,
//! in any order.

use std::pin::Pin;
use std::time::Duration;

use http::header;
use mock_osc::{Endpoint, Fault, MockOsc, Rotation};
use osc_tests::{Answer, EXPIRED, HeldDns, Nodes, Op, Trouble, WatchedClock, error_of, soon, token_of};
use serde_json::{Value, json};

use crate::shared_store::outage::DEADLINE;
use crate::shared_store::session::persistence::version;
use crate::shared_store::{assert_refused, both_kinds};

/// The time after which a lease has ended. A node may have estimated the store's time a second late.
const LEASE: Duration = Duration::from_secs(31);

/// A node that waits for another node's refresh looks at least this often.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// Returns two nodes. The first can be delayed on its way to the provider.
pub(super) async fn nodes_with_dns(osc: mock_osc::MockOscBuilder, is_notified: bool) -> (Nodes, HeldDns) {
    let slow = HeldDns::default();
    let mut resolvers = [slow.clone(), HeldDns::default()].into_iter();
    let nodes: Nodes =
        Nodes::with(osc, is_notified, 2, |layer| resolvers.next().expect("two").configure(layer)).await;
    let endpoint = format!("http://localhost:{}/api/connect/token", nodes.osc.address().port());
    nodes.osc.set_metadata_field("token_endpoint", Value::from(endpoint));
    let nodes = nodes.sign_in().await;
    nodes.warm_up().await;
    // Both nodes load the provider's metadata first.
    let token = nodes.token(1).await;
    let newer = token.session().refresh(&token).await.expect("a token");
    assert_eq!(nodes.token(0).await.access_token(), newer.access_token());
    nodes.settle_leases().await;
    nodes.osc.forget_requests();
    (nodes, slow)
}

/// Starts a request at the first node. Its refresh is delayed on the way to the provider until its lease has
/// ended.
async fn beyond_its_lease(nodes: &Nodes, slow: &HeldDns) -> Pin<Box<dyn Future<Output = Answer>>> {
    nodes.pass(EXPIRED);
    slow.hold();
    let request = nodes.waiting(0);
    slow.arrived().await;
    nodes.store_clock.advance(LEASE);
    request
}

#[tokio::test]
async fn s50_a_refusal_after_another_nodes_success_ends_nothing() {
    for is_notified in [true, false] {
        let provider = MockOsc::builder().rotation(Rotation::WithoutReuseDetection);
        let (nodes, slow) = nodes_with_dns(provider, is_notified).await;
        let request = beyond_its_lease(&nodes, &slow).await;
        let new = nodes.token_after_takeover(1).await;
        slow.release();

        let answer = soon(request).await;

        assert_eq!(token_of(&answer).expect("a token").access_token(), new.access_token());
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
        for at in 0..2 {
            assert_eq!(nodes.token(at).await.access_token(), new.access_token());
        }
        assert_eq!((nodes.refreshes(), version(&nodes).await), (2, (3, false)));
    }
}

#[tokio::test]
async fn s50_a_refusal_during_another_nodes_write_ends_nothing() {
    for is_notified in [true, false] {
        let provider = MockOsc::builder().rotation(Rotation::WithoutReuseDetection);
        let (nodes, slow) = nodes_with_dns(provider, is_notified).await;
        let first = beyond_its_lease(&nodes, &slow).await;
        let writes = nodes.node(1).store.hold(Op::Replace);
        let other = nodes.waiting(1);
        nodes.through(Nodes::TAKEOVER_PAUSE, nodes.node(1).store.asked(Op::Replace, 2)).await;
        let operations = nodes.store.operations();
        slow.release();
        soon(nodes.osc.wait_for_requests(Endpoint::Token, 2)).await;
        // After the refusal, the first node reads the store, which does not know of the success yet.
        while nodes.store.operations() == operations {
            soon(tokio::task::yield_now()).await;
        }
        writes.release();

        let (first, other) = nodes.through(Nodes::LOOK, async { (first.await, other.await) }).await;

        let new = token_of(&other).expect("a token");
        assert!(!first.headers().contains_key(header::SET_COOKIE), "{first:?}");
        assert_eq!(token_of(&first).expect("a token").access_token(), new.access_token());
        assert_eq!((nodes.refreshes(), version(&nodes).await), (2, (3, false)));
    }
}

#[tokio::test]
async fn s51_a_late_answer_does_not_overwrite_a_newer_read() {
    let (nodes, slow) = nodes_with_dns(MockOsc::builder(), true).await;
    let request = beyond_its_lease(&nodes, &slow).await;
    let late = json!({ "access_token": "late", "refresh_token": "late", "expires_in": 3600, "token_type": "Bearer" });
    nodes.osc.fault(Endpoint::Token, Fault::Answer(200, "application/json", late.to_string())).skip(1).once();
    let new = nodes.token_after_takeover(1).await;
    assert_eq!(nodes.token(0).await.access_token(), new.access_token());
    slow.release();
    let answer = soon(request).await;
    assert_eq!(token_of(&answer).expect("a token").access_token(), new.access_token());
    assert_eq!(nodes.token(1).await.access_token(), new.access_token());
}

#[tokio::test]
async fn s51_an_answer_after_another_nodes_refresh_is_not_used() {
    for is_notified in [true, false] {
        let (nodes, slow) = nodes_with_dns(MockOsc::builder(), is_notified).await;
        let request = beyond_its_lease(&nodes, &slow).await;
        // The provider would answer both requests, and keep only one of the two answers.
        let late = json!({ "access_token": "late", "refresh_token": "late", "expires_in": 3600, "token_type": "Bearer" });
        nodes
            .osc
            .fault(Endpoint::Token, Fault::Answer(200, "application/json", late.to_string()))
            .skip(1)
            .once();
        let new = nodes.token_after_takeover(1).await;
        slow.release();

        let answer = soon(request).await;

        assert_eq!(token_of(&answer).expect("a token").access_token(), new.access_token());
        assert_eq!((nodes.refreshes(), version(&nodes).await), (2, (3, false)));
        nodes.pass(EXPIRED);
        assert!(nodes.osc.is_live(nodes.token(0).await.access_token()));
    }
}

#[tokio::test]
async fn s51_within_the_grace_both_nodes_get_the_same_tokens() {
    let provider = MockOsc::builder().refresh_grace(Duration::from_secs(60));
    let (nodes, slow) = nodes_with_dns(provider, true).await;
    let request = beyond_its_lease(&nodes, &slow).await;
    let new = nodes.token_after_takeover(1).await;
    slow.release();
    assert_eq!(token_of(&soon(request).await).expect("a token").access_token(), new.access_token());
    assert_eq!((nodes.refreshes(), version(&nodes).await), (2, (3, false)));
}

#[tokio::test]
async fn s51_no_retry_is_sent_after_the_lease_was_lost() {
    for is_notified in [true, false] {
        let (nodes, _) = nodes_with_dns(MockOsc::builder(), is_notified).await;
        nodes.pass(EXPIRED);
        nodes.osc.fault(Endpoint::Token, Fault::Status(500)).once();
        let request = nodes.waiting(0);
        let pause = nodes.node(0).clock.slept(WatchedClock::SECOND_TRY, 1).await;
        nodes.store_clock.advance(LEASE);
        let new = nodes.token_after_takeover(1).await;
        nodes.node(0).clock.advance(pause);

        let answer = nodes.through(Nodes::LOOK, request).await;

        assert_eq!(token_of(&answer).expect("a token").access_token(), new.access_token());
        assert_eq!(nodes.refreshes(), 2, "one refresh failed, the other node made one");
        assert_eq!(version(&nodes).await, (3, false));
    }
}

#[tokio::test]
async fn s51_no_retry_is_sent_while_another_node_holds_the_lease() {
    for is_notified in [true, false] {
        let (nodes, _) = nodes_with_dns(MockOsc::builder(), is_notified).await;
        nodes.pass(EXPIRED);
        nodes.osc.fault(Endpoint::Token, Fault::Status(500)).once();
        let first = nodes.waiting(0);
        let pause = nodes.node(0).clock.slept(WatchedClock::SECOND_TRY, 1).await;
        nodes.store_clock.advance(LEASE);
        let hold = nodes.osc.hold(Endpoint::Token);
        let second = nodes.waiting(1);
        nodes.through(Nodes::TAKEOVER_PAUSE, hold.arrived(1)).await;
        let looks = nodes.node(0).clock.sleeps(Nodes::LOOKS);
        nodes.node(0).clock.advance(pause);
        soon(nodes.looks(0, looks + 1)).await;
        hold.release();

        let (first, second) = nodes.through(Nodes::LOOK, async { (first.await, second.await) }).await;

        let new = token_of(&second).expect("a token");
        assert_eq!(token_of(&first).expect("a token").access_token(), new.access_token());
        assert_eq!(nodes.refreshes(), 2);
    }
}

#[tokio::test]
async fn a_lease_of_a_node_that_died_is_taken_over_when_it_ends() {
    for nodes in both_kinds(2).await {
        nodes.pass(EXPIRED);
        // This node takes the lease and never returns.
        nodes.node(0).store.trouble(Op::Lease, Trouble::HangsAfter);
        let dead = nodes.waiting(0);
        let survivor = nodes.waiting(1);
        soon(nodes.looks(1, 1)).await;
        nodes.store_clock.advance(LEASE - Duration::from_millis(1001));
        let reads = nodes.node(1).store.count(Op::Read);
        nodes.node(1).clock.advance(LOOK_ANYWAY);
        soon(nodes.node(1).store.asked(Op::Read, reads + 1)).await;
        assert_eq!(nodes.refreshes(), 0);
        nodes.store_clock.advance(Duration::from_millis(1001));
        nodes.node(1).clock.advance(LOOK_ANYWAY);

        let answer = nodes.through(Nodes::TAKEOVER_PAUSE, survivor).await;

        let token = token_of(&answer).expect("a token");

        assert!(nodes.osc.is_live(token.access_token()));
        nodes.node(0).store.mend();
        nodes.node(0).clock.advance(DEADLINE);
        let late = soon(dead).await;
        // It may find the survivor's token while it releases its lease.
        match token_of(&late) {
            Some(late) => assert_eq!(late.access_token(), token.access_token()),
            None => assert_eq!(error_of(&late), "temporarily_unavailable"),
        }
        assert_eq!(nodes.token(0).await.access_token(), token.access_token());
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn s42_a_refusal_ends_the_session_on_all_nodes_and_stays_in_the_store() {
    for mut nodes in both_kinds(3).await {
        nodes.token(1).await;
        nodes.osc.revoke_grants();
        nodes.pass(EXPIRED);
        let mut browser = nodes.at(0);
        assert_refused(&soon(browser.fetch("/")).await, "session_ended");
        assert!(browser.cookies().is_empty());
        assert_eq!(version(&nodes).await, (1, true));
        for at in [1, 2, 0] {
            let mut browser = nodes.at(at);
            assert_refused(&soon(browser.fetch("/")).await, "session_ended");
            assert!(browser.cookies().is_empty(), "node {at}");
        }
        assert_eq!(nodes.refreshes(), 1);
        soon(nodes.browser.sign_in(&nodes.osc)).await;
        nodes.warm_up().await;
    }
}

#[tokio::test]
async fn s50_a_late_rotation_overrides_a_refusal_of_the_same_version() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        let writes = nodes.node(1).store.hold(Op::Replace);
        let request = nodes.waiting(1);
        soon(nodes.node(1).store.asked(Op::Replace, 1)).await;
        // Another node takes over, and the provider refuses the spent refresh token.
        nodes.store_clock.advance(LEASE);
        nodes.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant")).once();
        let refused = nodes.through(Nodes::<WatchedClock>::TAKEOVER_PAUSE, nodes.waiting(0)).await;
        assert_refused(&refused, "session_ended");
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "session_ended");
        }
        writes.release();

        let new = token_of(&soon(request).await).expect("a token");

        for at in 0..2 {
            assert_eq!(nodes.token(at).await.access_token(), new.access_token());
        }
        assert_eq!((nodes.refreshes(), version(&nodes).await), (2, (2, false)));
        nodes.pass(EXPIRED);
        assert!(
            nodes.osc.is_live(nodes.token(0).await.access_token()),
            "the node still treats it as refused"
        );
    }
}

#[tokio::test]
async fn a_store_outage_beyond_a_lease_keeps_a_rotated_session() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        let (hold, first) = nodes.held_up(0).await;
        nodes.store.go_down();
        hold.release();
        nodes.node(0).clock.slept(crate::shared_store::session::persistence::WRITE_AGAIN, 1).await;
        nodes.store_clock.advance(2 * LEASE);
        nodes.store.come_back();
        // The other node comes first and finds an expired lease. The refresh token in the record has been
        // used.
        let second = nodes.waiting(1);
        nodes.node(1).clock.slept(Nodes::TAKEOVER_PAUSE, 1).await;
        let first = nodes.through(crate::shared_store::session::persistence::WRITE_AGAIN, first).await;
        let second = nodes.through(Nodes::TAKEOVER_PAUSE, second).await;

        let token = token_of(&first).expect("a token");
        assert_eq!(token_of(&second).expect("a token").access_token(), token.access_token());
        assert!(nodes.osc.is_live(token.access_token()));
        assert_eq!(nodes.refreshes(), 1);
    }
}
