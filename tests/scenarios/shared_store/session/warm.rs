//! The store operations that a request costs.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::test_util::TestToken;
use osc_tests::{Nodes, Op, error_of, soon, token_of};

use crate::shared_store::{assert_refused, both_kinds};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns the number of store operations for these requests of the visitor to a node.
async fn cost(nodes: &Nodes, at: usize, requests: usize) -> usize {
    let before = nodes.store.operations();
    let mut browser = nodes.at(at);
    for _ in 0..requests {
        assert_eq!(soon(browser.fetch("/")).await.status(), StatusCode::OK);
    }
    nodes.store.operations() - before
}

#[tokio::test]
async fn a_warm_session_costs_nothing_on_any_node() {
    let nodes = Nodes::notified(3).await;
    nodes.warm_up().await;
    for at in 0..3 {
        assert_eq!(cost(&nodes, at, 1000).await, 0, "node {at}");
    }
}

#[tokio::test]
async fn a_cold_session_costs_one_read() {
    let nodes = Nodes::notified(3).await;
    for at in 0..3 {
        assert_eq!(cost(&nodes, at, 1).await, 1, "node {at}");
        assert_eq!(cost(&nodes, at, 10).await, 0, "node {at}");
    }
}

#[tokio::test]
async fn a_change_elsewhere_costs_one_read() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    let old = nodes.token(0).await;
    soon(old.session().refresh(&old)).await.expect("a token");
    soon(nodes.node(0).store.asked(Op::Replace, 1)).await;

    assert_eq!(cost(&nodes, 1, 1).await, 1);

    assert_eq!(cost(&nodes, 1, 100).await, 0);
    assert_ne!(nodes.token(1).await.access_token(), old.access_token());
}

#[tokio::test]
async fn a_change_to_another_session_costs_nothing() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    for at in 0..2 {
        let mut other = nodes.at(at);
        other.forget_cookies("");
        soon(other.sign_in(&nodes.osc)).await;
        let token = token_of(&soon(other.fetch("/")).await).expect("a token");
        soon(token.session().refresh(&token)).await.expect("a token");
        soon(nodes.node(at).store.asked(Op::Replace, 1)).await;
    }
    for at in 0..2 {
        assert_eq!(cost(&nodes, at, 10).await, 0, "node {at}");
    }
}

#[tokio::test]
async fn without_notifications_every_request_costs_one_read() {
    let nodes = Nodes::polling(2).await;
    for at in 0..2 {
        assert_eq!(cost(&nodes, at, 100).await, 100, "node {at}");
    }
}

#[tokio::test]
async fn a_silent_store_is_read_at_every_request_until_it_notifies_again() {
    let nodes = Nodes::notified(2).await;
    for _ in 0..3 {
        nodes.warm_up().await;
        nodes.store.stop_notifications();
        for at in 0..2 {
            assert_eq!(cost(&nodes, at, 10).await, 10, "node {at}");
        }
        nodes.store.resume_notifications();
        for at in 0..2 {
            assert_eq!(cost(&nodes, at, 10).await, 1, "node {at}: changes may have been missed");
        }
    }
}

#[tokio::test]
async fn changes_made_while_the_store_was_silent_are_seen_at_once() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    nodes.store.stop_notifications();
    soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
    nodes.store.resume_notifications();
    assert_refused(&nodes.fetch(1).await, "unauthenticated");
}

#[tokio::test]
async fn a_session_in_use_costs_one_write_and_one_read_a_minute() {
    let long = MockOsc::builder().token_ttl(1000 * HOUR);
    let nodes: Nodes = Nodes::with(long, true, 1, |layer| layer).await.sign_in().await;
    nodes.warm_up().await;
    let before = nodes.store.operations();
    for _ in 0..3600 {
        nodes.pass(Duration::from_secs(1));
        nodes.token(0).await;
        // This lets background work run.
        tokio::task::yield_now().await;
    }
    let notes = nodes.node(0).store.count(Op::Touch);
    assert!((59..=61).contains(&notes), "{notes}");
    let operations = nodes.store.operations() - before;
    assert!(operations <= 2 * 61, "{operations}");
}

#[tokio::test]
async fn forged_cookies_cost_at_most_one_read_and_no_memory() {
    for nodes in both_kinds(1).await {
        nodes.warm_up().await;
        let (before, sessions) = (nodes.store.operations(), nodes.node(0).sessions());
        let own = nodes.browser.cookies()["osc_session_3000"].clone();
        for number in 0..500 {
            let mut stranger = nodes.at(0);
            // A valid format for a session id, but an unknown one.
            stranger.set_cookie("osc_session_3000", &format!("{number:042}A"));
            assert_refused(&soon(stranger.fetch("/")).await, "unauthenticated");
            assert_eq!(error_of(&soon(stranger.fetch("/?again")).await), "unauthenticated");
        }
        assert_eq!(nodes.store.operations() - before, 1000, "one each");
        assert_eq!(nodes.node(0).sessions(), sessions);
        let before = nodes.store.operations();
        for bad in ["", "short", &own[1..], &format!("{own}A"), &"!".repeat(43), &"B".repeat(43)] {
            let mut stranger = nodes.at(0);
            stranger.set_cookie("osc_session_3000", bad);
            assert_refused(&soon(stranger.fetch("/")).await, "unauthenticated");
            assert_eq!(soon(stranger.fetch("/auth/session")).await.status(), 200);
        }
        let mut nobody = nodes.at(0);
        nobody.forget_cookies("");
        assert_refused(&soon(nobody.fetch("/")).await, "unauthenticated");
        assert_eq!(nodes.store.operations(), before, "a malformed id is not looked up");
    }
}

#[tokio::test]
async fn sessions_made_for_tests_open_on_all_nodes_too() {
    let nodes = Nodes::notified(2).await;
    let cookie = nodes.node(0).layer.sign_in_for_test(TestToken::new("pat-of-grace")).await;
    let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
    let mut browser = nodes.at(1);
    browser.set_cookie(name, value);
    let token = token_of(&soon(browser.fetch("/")).await).expect("a token");
    assert_eq!(token.access_token(), "pat-of-grace");
}

#[tokio::test]
async fn the_cookie_of_a_known_ended_session_costs_nothing() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
        assert_refused(&nodes.fetch(1).await, "unauthenticated");
        let before = nodes.store.operations();
        for _ in 0..10 {
            for at in 0..2 {
                assert_refused(&nodes.fetch(at).await, "unauthenticated");
            }
        }
        assert_eq!(nodes.store.operations(), before);
    }
}

#[tokio::test]
async fn a_burst_of_requests_for_a_session_that_a_node_does_not_know_asks_the_store_twice() {
    for nodes in both_kinds(2).await {
        let hold = nodes.node(1).store.hold(Op::Read);
        let requests: Vec<_> = (0..1000).map(|_| nodes.waiting(1)).collect();
        hold.release();
        let answers = soon(join_all(requests)).await;
        assert!(answers.iter().all(|answer| token_of(answer).is_some()));
        assert_eq!(nodes.node(1).store.count(Op::Read), 2);
    }
}
