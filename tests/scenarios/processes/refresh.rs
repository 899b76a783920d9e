//! One refresh for all nodes at each expiry.

use std::collections::BTreeSet;
use std::time::Duration;

use mock_osc::Endpoint;
use osc_tests::{Browser, Sample, figure, latencies};

use super::rush::{REQUESTS, Rush, rush};
use super::{Cluster, LONG, UNTOLD, expired, expiry_of};

/// The early refresh begins after half of this. No rush takes that long.
pub(crate) const TTL: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn s40_a_thousand_requests_to_three_nodes_refresh_once_per_expiry() {
    one_grant_for_each(Cluster::of(Sample::Axum, 3, TTL, &[]).await, 1, 5, "three nodes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_eight_sessions_expiring_together_refresh_once_each() {
    one_grant_for_each(Cluster::of(Sample::Axum, 3, TTL, &[]).await, 8, 3, "three nodes, 8 sessions").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_a_redis_without_notifications_costs_no_second_refresh() {
    let cluster = Cluster::of(Sample::Axum, 3, TTL, &UNTOLD).await;
    let questions = one_grant_for_each(cluster, 1, 3, "three nodes, no notifications").await;
    // Requests at the same time share an answer. With notifications there is no question at all.
    assert!(questions > 0, "Redis sends notifications");
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_three_nodes_of_the_hyper_sample_refresh_once_per_expiry() {
    one_grant_for_each(Cluster::of(Sample::Hyper, 3, TTL, &[]).await, 1, 2, "three hyper nodes").await;
}

/// Checks the grants of each session. Returns how many questions a thousand requests with fresh tokens ask
/// Redis afterwards.
pub(crate) async fn one_grant_for_each(
    cluster: Cluster,
    sessions: usize,
    expiries: usize,
    what: &str,
) -> u64 {
    let visitors = cluster.visitors(sessions).await;
    let (mut latest, mut took) = (0, Vec::new());
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
        let rush = at_once(&cluster, &visitors, expiry * sessions, what).await;
        let served = rush.answers.iter();
        let served = served.map(|answer| expiry_of(answer).unwrap_or_else(|| panic!("{answer:?}")));
        let served: Vec<_> = served.collect();
        assert!(served.iter().all(|&new| new > latest), "a token that had expired was served");
        latest = served.into_iter().max().expect("answers");
        took.extend(rush.took);
    }
    let warm = at_once(&cluster, &visitors, expiries * sessions, what).await;
    let all_served = warm.answers.iter().all(|answer| expiry_of(answer).is_some());
    assert!(all_served, "{what}: a fresh token was refused");
    let spent = cluster.osc.requests(Endpoint::Token);
    let spent: BTreeSet<_> = spent.iter().filter_map(|request| request.field("refresh_token")).collect();
    assert_eq!(spent.len(), expiries * sessions, "each refresh token is used once");
    cluster.assert_alive(&visitors).await;
    let grants = cluster.refreshes() / expiries;
    figure([&what, &expiries, &"1,000", &0, &grants, &"alive", &latencies(took)]);
    warm.questions
}

/// Sends a thousand requests, and checks the number of grants so far.
async fn at_once(cluster: &Cluster, visitors: &[Browser], grants: usize, what: &str) -> Rush {
    let rush = rush(cluster, visitors).await;
    assert_eq!((rush.answers.len(), cluster.refreshes()), (REQUESTS, grants), "{what}");
    rush
}
