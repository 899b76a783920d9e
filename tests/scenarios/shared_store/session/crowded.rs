//! More sessions than a node keeps in memory. Evicted sessions are read again.

use futures_util::FutureExt;
use mock_osc::MockOsc;
use osc_auth_layer::test_util::TestToken;
use osc_tests::{Browser, EXPIRED, Nodes, Op, RunningClock, soon, token_of};

use crate::shared_store::assert_refused;

async fn crowded(is_notified: bool, nodes: usize, most: usize) -> Nodes {
    Nodes::with(MockOsc::builder(), is_notified, nodes, |layer| layer.max_sessions(most))
        .await
        .sign_in()
        .await
}

/// Returns the browser of another visitor, at node 0.
async fn visitor(nodes: &Nodes, pat: &str) -> Browser {
    let cookie = nodes.node(0).layer.sign_in_for_test(TestToken::new(pat)).await;
    let (name, value) = cookie.to_str().expect("ASCII").split_once('=').expect("a cookie");
    let mut browser = nodes.at(0);
    browser.set_cookie(name, value);
    browser
}

#[tokio::test]
async fn a_small_session_limit_signs_nobody_out() {
    for is_notified in [true, false] {
        let nodes = crowded(is_notified, 2, 3).await;
        let mut browsers = Vec::new();
        for number in 0..20 {
            browsers.push(visitor(&nodes, &format!("pat-{number}")).await);
        }
        for round in 0..3 {
            for (number, browser) in browsers.iter().enumerate() {
                let at = (round + number) % 2;
                let token = token_of(&soon(nodes.send(browser, at).fetch("/")).await).expect("a token");
                assert_eq!(token.access_token(), format!("pat-{number}"));
                assert!(nodes.node(at).sessions() <= 3);
            }
        }
        nodes.warm_up().await;
    }
}

#[tokio::test]
async fn s40_a_session_being_refreshed_is_not_evicted() {
    for is_notified in [true, false] {
        let nodes = crowded(is_notified, 1, 1).await;
        nodes.warm_up().await;
        let mut other = visitor(&nodes, "pat-of-grace").await;
        nodes.pass(EXPIRED);
        let (hold, first) = nodes.held_up(0).await;
        let leases = nodes.node(0).store.count(Op::Lease);
        // This session would evict the other one. It has expired and cannot be refreshed.
        assert_refused(&soon(other.fetch("/")).await, "session_ended");
        assert_eq!(nodes.node(0).sessions(), 2);
        let second = nodes.waiting(0);
        assert_eq!(nodes.node(0).store.count(Op::Lease), leases, "the second request joins the first");
        hold.release();

        let (first, second) = nodes.through(Nodes::LOOK, async { (first.await, second.await) }).await;

        let token = token_of(&first).expect("a token");
        assert_eq!(token_of(&second).expect("a token").access_token(), token.access_token());
        assert_eq!(nodes.token(0).await.access_token(), token.access_token());
        assert_eq!(nodes.refreshes(), 1);

        drop((token, first, second));
        assert!(visitor(&nodes, "pat-of-alan").await.fetch("/").await.status().is_success());
        assert_eq!(nodes.node(0).sessions(), 1);
    }
}

#[tokio::test]
async fn s29_an_evicted_session_can_be_signed_out() {
    let nodes = crowded(true, 2, 1).await;
    nodes.warm_up().await;
    let mut other = visitor(&nodes, "pat-of-grace").await;
    assert!(other.fetch("/").now_or_never().is_some());
    soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
    for _ in 0..2 {
        soon(other.fetch("/")).await;
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
    }
    nodes.settle().await;
    assert_eq!(nodes.osc.live_refresh_tokens(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s29_a_node_that_evicts_constantly_misses_no_sign_out() {
    let nodes: Nodes<RunningClock> =
        Nodes::with(MockOsc::builder(), true, 2, |layer| layer.max_sessions(1)).await;
    for round in 0..300 {
        let mut browsers = Vec::new();
        for pat in ["pat-of-ada", "pat-of-grace"] {
            let cookie = nodes.node(0).layer.sign_in_for_test(TestToken::new(pat)).await;
            let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
            let mut browser = nodes.at(0);
            browser.set_cookie(name, value);
            browsers.push(browser);
        }
        let requests: Vec<_> = (0..8)
            .map(|turn| {
                let mut browser = browsers[turn % 2].clone();
                tokio::spawn(async move {
                    for _ in 0..5 {
                        browser.fetch("/").await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for request in requests {
            soon(request).await.unwrap();
        }
        for browser in &browsers {
            soon(nodes.send(browser, 1).post_from("same-origin", "/auth/signout")).await;
            assert_refused(&soon(browser.clone().fetch("/")).await, "unauthenticated");
        }
        assert_eq!(nodes.store.sessions(), 0, "round {round}");
    }
}
