//! One refresh for all nodes, at each expiry.

use std::collections::BTreeSet;
use std::time::Duration;

use mock_osc::Endpoint;
use osc_tests::{Browser, Sample};

use super::rush::{REQUESTS, rush};
use super::{Cluster, LONG, UNTOLD, expired, expiry_of};

/// The early refresh begins half of this after a token's issue, and no rush takes as long.
const TTL: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn s40_a_thousand_requests_to_three_nodes_make_one_grant_request_at_each_of_five_expiries() {
    one_grant_for_each(Cluster::of(Sample::Axum, 3, TTL, &[]).await, 1, 5, "axum").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_eight_sessions_that_expire_together_make_one_grant_request_each() {
    one_grant_for_each(Cluster::of(Sample::Axum, 3, TTL, &[]).await, 8, 3, "axum, 8 sessions").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_a_redis_that_does_not_tell_of_changes_costs_no_second_grant_request() {
    let cluster = Cluster::of(Sample::Axum, 3, TTL, &UNTOLD).await;
    let questions = one_grant_for_each(cluster, 1, 3, "axum, no CLIENT TRACKING").await;
    assert!(questions >= REQUESTS as u64, "{questions}: it does tell");
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_three_nodes_of_the_hyper_sample_make_one_grant_request_at_each_expiry() {
    one_grant_for_each(Cluster::of(Sample::Hyper, 3, TTL, &[]).await, 1, 2, "hyper").await;
}

/// How many questions a thousand requests with fresh tokens ask Redis afterwards.
async fn one_grant_for_each(cluster: Cluster, sessions: usize, expiries: usize, what: &str) -> u64 {
    let visitors = cluster.visitors(sessions).await;
    let mut latest = 0;
    for node in 0..cluster.nodes.len() {
        for visitor in &visitors {
            latest = latest.max(cluster.expires_at(visitor, node).await);
        }
    }
    for expiry in 1..=expiries {
        expired(latest).await;
        if expiry == expiries {
            cluster.osc.set_token_ttl(LONG);
        }
        let (answers, _) =
            at_once(&cluster, &visitors, expiry * sessions, &format!("{what}, at expiry")).await;
        assert!(answers.iter().all(|&new| new > latest), "a token that had expired was served");
        latest = answers.into_iter().max().expect("answers");
    }
    let (_, questions) = at_once(&cluster, &visitors, expiries * sessions, &format!("{what}, warm")).await;
    let spent = cluster.osc.requests(Endpoint::Token);
    let spent: BTreeSet<_> = spent.iter().filter_map(|request| request.field("refresh_token")).collect();
    assert_eq!(spent.len(), expiries * sessions, "each refresh token is used once");
    cluster.assert_alive(&visitors).await;
    questions
}

/// A thousand requests, all served: when their tokens expire, and what they asked Redis.
async fn at_once(cluster: &Cluster, visitors: &[Browser], grants: usize, what: &str) -> (Vec<u64>, u64) {
    let rush = rush(cluster, visitors).await;
    rush.tell(what, cluster.refreshes());
    assert_eq!((rush.answers.len(), cluster.refreshes()), (REQUESTS, grants), "{what}");
    let served = rush.answers.iter().map(|answer| expiry_of(answer).unwrap_or_else(|| panic!("{answer:?}")));
    (served.collect(), rush.questions)
}
