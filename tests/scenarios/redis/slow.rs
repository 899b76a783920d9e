//! A Redis with high latency.

use std::time::Duration;

use http::StatusCode;
use osc_tests::{EXPIRED, soon, token_of};

use super::cluster::Cluster;
use super::{assert_unavailable, until};

/// One second of trust in the cache, two seconds of waiting for an answer, and the rest for a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(4);

fn delay(cluster: &Cluster, delays: [u64; 3]) {
    for (at, millis) in delays.into_iter().enumerate() {
        cluster.node(at).proxy.delay(Duration::from_millis(millis));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s40_three_nodes_far_from_redis_refresh_once_per_expiry() {
    for cluster in [Cluster::notified(3).await, Cluster::polling(3).await] {
        // This loads the scripts into Redis. Loading one takes two more round trips, which would be too slow
        // later.
        let token = cluster.token(0).await;
        soon(token.session().refresh(&token)).await.expect("a token");
        for at in 0..3 {
            cluster.token(at).await;
        }
        for (expiry, delays) in [[50, 100, 150], [150, 50, 100]].into_iter().enumerate() {
            delay(&cluster, delays);
            cluster.pass(EXPIRED);
            // No more requests than the proxy passes on at once, because it must be slow but not congested.
            let tasks: Vec<_> = (0..15)
                .map(|at| {
                    let mut browser = cluster.at(at % 3);
                    tokio::spawn(async move { browser.fetch("/").await })
                })
                .collect();
            let mut tokens = Vec::new();
            for task in tasks {
                let answer = soon(task).await.unwrap();
                tokens.push(token_of(&answer).unwrap_or_else(|| panic!("refused: {answer:?}")));
            }
            assert!(cluster.osc.is_live(tokens[0].access_token()));
            assert!(tokens.iter().all(|token| token.access_token() == tokens[0].access_token()));
            assert_eq!(cluster.refreshes(), expiry + 2);
        }
    }
}

#[tokio::test]
async fn a_redis_slower_than_the_timeout_refuses_requests_and_recovers() {
    let cluster = Cluster::notified(3).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    delay(&cluster, [600; 3]);
    for at in 0..3 {
        let noticed = until("it is noticed", async || token_of(&cluster.fetch(at).await).is_none()).await;
        assert!(noticed < GIVEN_UP, "{noticed:?}");
    }
    for at in 0..3 {
        assert_unavailable(&cluster.fetch(at).await);
        let public = soon(cluster.at(at).fetch("/public")).await;
        assert_eq!((public.status(), token_of(&public).is_some()), (StatusCode::OK, false));
    }
    delay(&cluster, [0; 3]);
    for at in 0..3 {
        until("it works again", async || token_of(&cluster.fetch(at).await).is_some()).await;
        assert_eq!(cluster.token(at).await.access_token(), token.access_token());
    }
    cluster.warm_up().await;
}

#[tokio::test]
async fn a_frozen_redis_refuses_requests_and_recovers() {
    let cluster = Cluster::notified(2).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    cluster.server.freeze();
    for at in 0..2 {
        let noticed = until("it is noticed", async || token_of(&cluster.fetch(at).await).is_none()).await;
        assert!(noticed < GIVEN_UP, "{noticed:?}");
        assert_unavailable(&cluster.fetch(at).await);
    }
    cluster.server.thaw();
    for at in 0..2 {
        until("it works again", async || token_of(&cluster.fetch(at).await).is_some()).await;
        assert_eq!(cluster.token(at).await.access_token(), token.access_token());
    }
    cluster.warm_up().await;
}
