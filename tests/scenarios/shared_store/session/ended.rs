//! Waiting for the end of a session that several nodes share.

use std::time::Duration;

use futures_util::future::join_all;
use mock_osc::MockOsc;
use osc_auth_layer::OscSession;
use osc_tests::{EXPIRED, Nodes, Op, soon};

use crate::shared_store::both_kinds;
use crate::single_node::session::ended::{LOOK_AGAIN, is_pending, wait};

async fn session(nodes: &Nodes, at: usize) -> OscSession {
    nodes.token(at).await.session()
}

#[tokio::test]
async fn a_sign_out_on_another_node_ends_the_wait_at_once_if_the_store_notifies() {
    let nodes = Nodes::notified(2).await;
    let mut waits = wait(&session(&nodes, 1).await);
    soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
    soon(&mut waits).await;
}

#[tokio::test]
async fn a_sign_out_on_another_node_ends_the_wait_at_the_next_look_without_notifications() {
    let nodes = Nodes::polling(2).await;
    let mut waits = wait(&session(&nodes, 1).await);
    soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
    tokio::task::yield_now().await;
    assert!(is_pending(&mut waits));
    nodes.through(LOOK_AGAIN, waits).await;
}

#[tokio::test]
async fn without_notifications_the_next_request_here_ends_the_wait() {
    let nodes = Nodes::polling(2).await;
    let waits = wait(&session(&nodes, 1).await);
    soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
    nodes.fetch(1).await;
    soon(waits).await;
}

#[tokio::test]
async fn s85_a_session_that_its_user_ends_from_another_browser_ends_the_wait() {
    let nodes = Nodes::notified(2).await;
    let (here, user) = (session(&nodes, 1).await, nodes.token(1).await.user().unwrap().key().unwrap());
    let waits = wait(&here);
    soon(nodes.node(0).layer.sessions_of(user).end(&here.id())).await.unwrap();
    soon(waits).await;
}

/// A look at the store would keep one of its connections, and every later read of the session would wait for it.
#[tokio::test]
async fn a_wait_that_nobody_polls_holds_nothing_that_others_need() {
    let nodes = Nodes::polling(2).await;
    let here = session(&nodes, 1).await;
    nodes.store.hold();
    let mut waits = wait(&here);
    assert!(is_pending(&mut waits));
    tokio::task::yield_now().await;
    nodes.store.release();
    soon(here.token()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_that_another_node_gets_ends_the_wait() {
    let nodes = Nodes::notified(2).await;
    let waits = wait(&session(&nodes, 1).await);
    nodes.osc.revoke_grants();
    nodes.pass(EXPIRED);
    nodes.fetch(0).await;
    soon(waits).await;
}

#[tokio::test]
async fn ten_thousand_waits_for_one_session_read_the_store_as_one() {
    for nodes in both_kinds(2).await {
        let here = session(&nodes, 1).await;
        let reads = || nodes.node(1).store.count(Op::Read);
        let before = reads();
        let waits: Vec<_> = (0..10_000).map(|_| wait(&here)).collect();
        let looks = nodes.node(1).clock.sleeps(LOOK_AGAIN);
        soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
        nodes.through(LOOK_AGAIN, join_all(waits)).await;
        let looks = nodes.node(1).clock.sleeps(LOOK_AGAIN) - looks;
        assert!(reads() - before <= 2 + looks, "{} reads", reads() - before);
    }
}

#[tokio::test]
async fn an_outage_of_the_store_ends_no_wait() {
    for nodes in both_kinds(2).await {
        let here = session(&nodes, 1).await;
        let mut waits = wait(&here);
        nodes.store.stop_notifications();
        nodes.store.go_down();
        for looks in 1..=3 {
            nodes.node(1).clock.slept(LOOK_AGAIN, looks).await;
            nodes.node(1).clock.advance(*LOOK_AGAIN.end());
            assert!(is_pending(&mut waits), "{looks}");
        }
        assert!(here.is_live().await.is_err());
        // The store does not notify this node of the sign-out, but the node's own read shows it.
        nodes.store.come_back();
        soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
        nodes.through(LOOK_AGAIN, waits).await;
    }
}

#[tokio::test]
async fn a_break_in_the_notifications_makes_no_wait_read_before_its_next_look() {
    let nodes = Nodes::notified(1).await;
    let mut waits = wait(&session(&nodes, 0).await);
    let reads = nodes.node(0).store.count(Op::Read);
    nodes.store.stop_notifications();
    nodes.store.resume_notifications();
    assert!(is_pending(&mut waits));
    assert_eq!(nodes.node(0).store.count(Op::Read), reads);
    nodes.node(0).clock.slept(LOOK_AGAIN, 1).await;
    nodes.node(0).clock.advance(*LOOK_AGAIN.end());
    assert!(is_pending(&mut waits));
    assert_eq!(nodes.node(0).store.count(Op::Read), reads + 1);
}

#[tokio::test]
async fn a_wait_for_a_session_that_the_node_has_dropped_from_memory_goes_on() {
    let nodes = Nodes::with(MockOsc::builder(), true, 2, |layer| layer.max_sessions(1)).await.sign_in().await;
    let mut waits = wait(&session(&nodes, 1).await);
    let mut other = nodes.at(1);
    other.forget_cookies("");
    soon(other.sign_in(&nodes.osc)).await;
    assert_eq!(nodes.node(1).sessions(), 1);
    tokio::task::yield_now().await;
    assert!(is_pending(&mut waits));
    soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
    soon(waits).await;
}

#[tokio::test]
async fn s26_a_wait_is_no_use_of_the_session_on_any_node() {
    let osc = MockOsc::builder().token_ttl(Duration::from_secs(1_000_000));
    for is_notified in [true, false] {
        let idle = Duration::from_secs(600);
        let nodes = Nodes::with(osc.clone(), is_notified, 2, |layer| layer.idle_timeout(idle)).await;
        let nodes = nodes.sign_in().await;
        let mut waits = wait(&session(&nodes, 1).await);
        for looks in 1..=9 {
            nodes.node(1).clock.slept(LOOK_AGAIN, looks).await;
            nodes.pass(idle / 10);
            assert!(is_pending(&mut waits), "{looks}");
        }
        nodes.pass(idle / 10);
        soon(waits).await;
        assert_eq!(nodes.node(1).store.count(Op::Touch), 0);
    }
}

#[tokio::test]
async fn the_use_of_a_session_on_another_node_prolongs_the_wait() {
    let osc = MockOsc::builder().token_ttl(Duration::from_secs(1_000_000));
    let idle = Duration::from_secs(600);
    let nodes = Nodes::with(osc, true, 2, |layer| layer.idle_timeout(idle)).await.sign_in().await;
    let mut waits = wait(&session(&nodes, 1).await);
    nodes.pass(idle / 2);
    nodes.token(0).await;
    soon(nodes.node(0).store.asked(Op::Touch, 1)).await;
    nodes.pass(idle / 2);
    assert!(is_pending(&mut waits), "another node has used it");
}
