//! One refresh for all nodes. The mock revokes the grant when a refresh token is used twice, so a second
//! request to it would end the session.

use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::Endpoint;
use osc_auth_layer::Clock;
use osc_tests::{AHEAD, EXPIRED, Nodes, soon, token_of};

use crate::shared_store::{both_kinds, running};

const EXPIRIES: usize = 3;
const REQUESTS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s40_hundreds_of_requests_to_three_nodes_refresh_once_per_expiry() {
    for is_notified in [true, false] {
        let nodes = running(is_notified, 3).await;
        nodes.warm_up().await;
        for expiry in 1..=EXPIRIES {
            let old = nodes.token(0).await;
            nodes.pass(EXPIRED);
            let tasks: Vec<_> = (0..REQUESTS)
                .map(|at| {
                    let mut browser = nodes.at(at % 3);
                    tokio::spawn(async move { browser.fetch("/").await })
                })
                .collect();
            let mut tokens = Vec::new();
            for task in tasks {
                let answer = soon(task).await.unwrap();
                tokens.push(token_of(&answer).unwrap_or_else(|| panic!("refused: {answer:?}")));
            }
            assert_ne!(tokens[0].access_token(), old.access_token());
            assert!(nodes.osc.is_live(tokens[0].access_token()));
            assert!(tokens.iter().all(|token| token.access_token() == tokens[0].access_token()));
            assert_eq!(nodes.refreshes(), expiry, "notified: {is_notified}");
        }
    }
}

#[tokio::test]
async fn s40_while_one_node_refreshes_the_others_wait_for_its_token() {
    for nodes in both_kinds(3).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        let (hold, first) = nodes.held_up(0).await;
        let others = [nodes.waiting(1), nodes.waiting(2)];
        for at in [1, 2] {
            soon(nodes.looks(at, 1)).await;
        }
        hold.release();

        let (first, others) =
            nodes.through(Nodes::LOOK, async { (first.await, join_all(others).await) }).await;

        let new = token_of(&first).expect("a token");
        assert!(nodes.osc.is_live(new.access_token()));
        for other in &others {
            assert_eq!(token_of(other).expect("a token").access_token(), new.access_token());
        }
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn s40_a_cold_node_waits_for_a_refresh_elsewhere() {
    for nodes in both_kinds(2).await {
        nodes.pass(EXPIRED);
        let (hold, first) = nodes.held_up(0).await;
        let stranger = nodes.waiting(1);
        soon(nodes.looks(1, 1)).await;
        hold.release();
        let (first, other) = nodes.through(Nodes::LOOK, async { (first.await, stranger.await) }).await;
        assert_eq!(token_of(&first).unwrap().access_token(), token_of(&other).unwrap().access_token());
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn active_users_never_wait_for_an_early_refresh_on_any_node() {
    for nodes in both_kinds(3).await {
        nodes.warm_up().await;
        let old = [nodes.token(0).await, nodes.token(1).await, nodes.token(2).await];
        nodes.pass(AHEAD);
        let hold = nodes.osc.hold(Endpoint::Token);
        for round in 0..20 {
            for (at, old) in old.iter().enumerate() {
                let answer = nodes.at(at).fetch("/").now_or_never().expect("it waits");
                let token = token_of(&answer).expect("a token");
                assert_eq!(token.access_token(), old.access_token(), "node {at}, round {round}");
            }
            soon(hold.arrived(1)).await;
        }
        hold.release();

        let refreshed =
            async { join_all(old.iter().map(async |old| old.session().refresh(old).await)).await };
        let new = nodes.through(Nodes::LOOK, refreshed).await;

        let new: Vec<_> = new.into_iter().map(|token| token.expect("the refresh under way")).collect();
        assert_ne!(new[0].access_token(), old[0].access_token());
        assert!(nodes.osc.is_live(new[0].access_token()));
        for (at, token) in new.iter().enumerate() {
            assert_eq!(token.access_token(), new[0].access_token());
            assert_eq!(nodes.token(at).await.access_token(), new[0].access_token());
        }
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn a_job_gets_fresh_tokens_while_another_node_refreshes() {
    let nodes = Nodes::notified(2).await;
    let job = nodes.token(1).await.session();
    for step in 0..40 {
        nodes.pass(Duration::from_secs(if step == 13 { 2 * 3600 } else { 7 * 60 }));
        let requested = nodes.token(0).await;
        let token = soon(job.token()).await.expect("a token");
        for token in [requested, token] {
            assert!(nodes.osc.is_live(token.access_token()), "step {step}");
            assert!(token.expires_at() > nodes.node(1).clock.now());
        }
    }
    // 40 steps are seven hours: one refresh per hour, and none during another.
    assert!((4..=8).contains(&nodes.refreshes()), "{}", nodes.refreshes());
    assert_eq!(nodes.fetch(1).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_rejected_token_is_refreshed_once_for_callers_on_all_nodes() {
    for nodes in both_kinds(3).await {
        let rejected = [nodes.token(0).await, nodes.token(1).await, nodes.token(2).await];
        let hold = nodes.osc.hold(Endpoint::Token);
        let callers = (0..300).map(|at| {
            let rejected = &rejected[at % 3];
            let session = rejected.session();
            async move { session.refresh(rejected).await }
        });
        let mut callers = pin!(join_all(callers));
        assert!(callers.as_mut().now_or_never().is_none());
        soon(hold.arrived(1)).await;
        hold.release();

        let tokens = nodes.through(Nodes::LOOK, callers).await;

        let newer = tokens[0].as_ref().expect("a token").access_token();
        assert_ne!(newer, rejected[0].access_token());
        assert!(nodes.osc.is_live(newer));
        assert!(tokens.iter().all(|token| token.as_ref().expect("a token").access_token() == newer));
        assert_eq!(nodes.refreshes(), 1);
    }
}
