//! s59: nodes whose clocks differ by hours agree on what has expired. s60: use of a session on one node
//! counts on all nodes.

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::Clock;
use osc_auth_layer::test_util::{MemoryStore, TestClock};
use osc_tests::{Browser, EXPIRED, Nodes, Op, Trouble, app, callback, layer_for, soon, token_of};

use crate::shared_store::assert_refused;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The clocks of a test start within this time of each other.
const SLACK: Duration = Duration::from_secs(2);

/// Returns three nodes. Compared to the second, the first is two hours ahead and the third four. The store's
/// clock differs by an hour from all of them.
async fn apart(
    osc: mock_osc::MockOscBuilder,
    is_notified: bool,
    configure: impl Fn(osc_auth_layer::OscAuthLayerBuilder) -> osc_auth_layer::OscAuthLayerBuilder,
) -> Nodes {
    let nodes: Nodes = Nodes::with(osc, is_notified, 3, configure).await;
    for (clock, hours) in [(&nodes.node(0).clock, 2), (&nodes.store_clock, 3), (&nodes.node(2).clock, 4)] {
        clock.advance(hours * HOUR);
    }
    nodes
}

fn long_tokens() -> mock_osc::MockOscBuilder {
    MockOsc::builder().token_ttl(100_000 * HOUR)
}

/// Returns the remaining lifetime of the token, by the node's own clock.
async fn left(nodes: &Nodes, at: usize) -> Duration {
    let token = nodes.token(at).await;
    token.expires_at().duration_since(nodes.node(at).clock.now()).expect("a good token")
}

#[tokio::test]
async fn s59_nodes_hours_apart_agree_on_a_tokens_expiry_and_refresh_it_once() {
    for is_notified in [true, false] {
        let nodes = apart(MockOsc::builder(), is_notified, |layer| layer).await.sign_in().await;
        for refreshes in 0..4 {
            nodes.pass(30 * MINUTE);
            for at in 0..3 {
                let left = left(&nodes, at).await;
                assert!(left.abs_diff(30 * MINUTE) < SLACK, "node {at} thinks it is good for {left:?}");
            }
            nodes.pass(25 * MINUTE - SLACK);
            for at in 0..3 {
                nodes.token(at).await;
            }
            tokio::task::yield_now().await;
            assert_eq!(nodes.refreshes(), refreshes, "one of them refreshed before its time");
            nodes.pass(5 * MINUTE + 2 * SLACK);
            for turn in 0..3 {
                let token = nodes.token((refreshes + turn) % 3).await;
                assert!(nodes.osc.is_live(token.access_token()));
            }
            nodes.settle_leases().await;
            assert_eq!(nodes.refreshes(), refreshes + 1);
        }
    }
}

#[tokio::test]
async fn s59_nodes_hours_apart_agree_on_idleness() {
    for is_notified in [true, false] {
        let idle = |layer: osc_auth_layer::OscAuthLayerBuilder| layer.idle_timeout(10 * MINUTE);
        let nodes = apart(long_tokens(), is_notified, idle).await.sign_in().await;
        for used in 0..6 {
            nodes.pass(10 * MINUTE - SLACK);
            nodes.token(used % 3).await;
            soon(nodes.node(used % 3).store.asked(Op::Touch, used / 3 + 1)).await;
        }
        nodes.pass(10 * MINUTE - SLACK);
        nodes.warm_up().await;
        tokio::task::yield_now().await;
        nodes.pass(10 * MINUTE);
        for at in 0..3 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn s59_nodes_hours_apart_agree_on_the_end() {
    for is_notified in [true, false] {
        let short = |layer: osc_auth_layer::OscAuthLayerBuilder| layer.absolute_timeout(3 * HOUR);
        let nodes = apart(long_tokens(), is_notified, short).await.sign_in().await;
        nodes.pass(3 * HOUR - SLACK);
        nodes.warm_up().await;
        nodes.pass(2 * SLACK);
        for at in 0..3 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        // The store keeps the record for the idle time and some slack.
        nodes.pass(30 * HOUR);
        assert_eq!(nodes.store.sessions(), 0);
    }
}

#[tokio::test]
async fn s60_use_of_a_warm_node_counts_against_the_stores_idle_timeout() {
    for pause in [SECOND * 30, 5 * MINUTE, 10 * MINUTE - SECOND] {
        let idle = |layer: osc_auth_layer::OscAuthLayerBuilder| layer.idle_timeout(10 * MINUTE);
        let nodes: Nodes = Nodes::with(long_tokens(), true, 2, idle).await.sign_in().await;
        let mut passed = Duration::ZERO;
        while passed < 5 * HOUR {
            nodes.pass(pause);
            passed += pause;
            nodes.token(0).await;
            tokio::task::yield_now().await;
        }
        nodes.token(1).await;
        assert_eq!(nodes.store.sessions(), 1, "{pause:?}");
    }
}

#[tokio::test]
async fn s60_days_of_use_on_one_node_count_on_another() {
    for is_held in [true, false] {
        let nodes: Nodes = Nodes::with(long_tokens(), true, 2, |layer| layer).await.sign_in().await;
        nodes.warm_up().await;
        // A held session stays in the other node's memory all the time. One that is not held is swept.
        let held = nodes.token(1).await;
        let _held = is_held.then_some(held);
        for _ in 0..10 {
            nodes.pass(20 * HOUR);
            nodes.token(0).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(nodes.fetch(1).await.status(), StatusCode::OK);
        nodes.pass(24 * HOUR);
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        assert_eq!(nodes.refreshes(), 0);
    }
}

#[tokio::test]
async fn s60_one_lost_record_of_use_ends_no_session() {
    let idle = |layer: osc_auth_layer::OscAuthLayerBuilder| layer.idle_timeout(10 * MINUTE);
    let nodes: Nodes = Nodes::with(long_tokens(), true, 2, idle).await.sign_in().await;
    nodes.warm_up().await;
    for notes in 0..10 {
        nodes.pass(9 * MINUTE);
        nodes.node(0).store.trouble_next(Op::Touch, Trouble::Fails, 1);
        nodes.token(0).await;
        soon(nodes.node(0).store.asked(Op::Touch, 2 * notes + 1)).await;
        nodes.pass(20 * SECOND);
        nodes.token(0).await;
        soon(nodes.node(0).store.asked(Op::Touch, 2 * notes + 2)).await;
    }
    nodes.pass(9 * MINUTE);
    nodes.token(1).await;
}

#[tokio::test]
async fn s26_a_user_who_is_idle_on_all_nodes_is_ended_in_the_store_too() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    nodes.pass(24 * HOUR + 2 * MINUTE);
    for at in 0..2 {
        assert_refused(&nodes.fetch(at).await, "unauthenticated");
    }
    assert_eq!((nodes.store.sessions(), nodes.refreshes()), (0, 0));
}

#[tokio::test]
async fn s27_no_node_serves_a_session_beyond_thirty_days() {
    for is_notified in [true, false] {
        let nodes: Nodes = Nodes::with(long_tokens(), is_notified, 3, |layer| layer).await.sign_in().await;
        for sixth in 0..30 * 4 {
            // The second node first sees the session on its twentieth day, the third after its end.
            let (at, uses) = if sixth < 20 * 4 { (0, sixth) } else { (1, sixth - 20 * 4 + 1) };
            nodes.token(at).await;
            soon(nodes.node(at).store.asked(Op::Touch, uses)).await;
            nodes.pass(6 * HOUR - SECOND / 10);
        }
        nodes.token(1).await;
        nodes.pass(MINUTE);
        for at in [1, 2, 0] {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        nodes.pass(30 * HOUR);
        assert_eq!(nodes.store.sessions(), 0);
    }
}

#[tokio::test]
async fn jobs_count_as_use_on_every_node() {
    let idle = |layer: osc_auth_layer::OscAuthLayerBuilder| layer.idle_timeout(10 * MINUTE);
    let nodes: Nodes = Nodes::with(long_tokens(), true, 2, idle).await.sign_in().await;
    let session = nodes.token(1).await.session();
    for _ in 0..20 {
        nodes.pass(9 * MINUTE);
        soon(session.token()).await.expect("a token");
        tokio::task::yield_now().await;
    }
    nodes.pass(5 * MINUTE);
    nodes.token(0).await;
}

#[tokio::test]
async fn a_late_request_does_not_refresh_an_expired_session() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    nodes.pass(24 * HOUR + EXPIRED);
    for at in 0..2 {
        let public = soon(nodes.at(at).fetch("/public")).await;
        assert!(token_of(&public).is_none());
    }
    assert_eq!(nodes.refreshes(), 0);
}

#[tokio::test]
async fn s45_a_node_with_an_unset_clock_serves_stored_sessions() {
    for is_notified in [true, false] {
        let nodes: Nodes =
            Nodes::with(MockOsc::builder(), is_notified, 2, |layer| layer).await.sign_in().await;
        nodes.pass(30 * MINUTE);
        // The record that this node reads is from the future of its clock.
        nodes.node(1).clock.set(SystemTime::UNIX_EPOCH);
        let token = nodes.token(0).await;
        assert_eq!(nodes.token(1).await.access_token(), token.access_token());
        nodes.pass(EXPIRED);
        assert!(nodes.osc.is_live(nodes.token(1).await.access_token()));
    }
}

#[tokio::test]
async fn s59_a_sign_in_crosses_nodes_whose_clocks_differ() {
    for (begins, ends) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        let nodes = apart(MockOsc::builder(), true, |layer| layer).await;
        let mut browser = nodes.at(begins);
        let path = callback(&mut browser, &nodes.osc).await;
        let answer = soon(nodes.send(&browser, ends).navigate(&path)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{begins}, {ends}: {answer:?}");
    }
}

/// A clock that is a second and a half later at each look.
#[derive(Clone)]
struct Hurried(TestClock);

impl Clock for Hurried {
    fn now(&self) -> SystemTime {
        self.0.advance(Duration::from_millis(1500));
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.sleep(duration)
    }
}

#[tokio::test]
async fn a_store_whose_answers_take_more_than_a_second_signs_in_and_refreshes() {
    let osc = MockOsc::builder().start().await.expect("the mock");
    let store = MemoryStore::with_clock(Hurried(TestClock::new()));
    let layer = layer_for(&osc).clock(TestClock::new()).store(store).build().expect("it builds");
    let mut browser = Browser::new(app(&layer));
    assert_eq!(soon(browser.sign_in(&osc)).await.status(), StatusCode::SEE_OTHER);
    let token = token_of(&soon(browser.fetch("/")).await).expect("a token");

    let newer = soon(token.session().refresh(&token)).await.expect("a token");

    assert_ne!(newer.access_token(), token.access_token());
}
