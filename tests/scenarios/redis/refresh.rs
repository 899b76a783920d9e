//! Many requests at once.

use std::time::{Duration, Instant};

use osc_tests::{EXPIRED, RedisServer, soon, token_of};

use super::cluster::{Cluster, open};

const EXPIRIES: usize = 3;
const REQUESTS: usize = 900;
/// A long timeout, because Redis's speed does not matter here.
const TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s40_hundreds_of_requests_to_three_nodes_refresh_once_per_expiry() {
    let told = Cluster::unhurried(RedisServer::start().await, 3, open, TIMEOUT).await;
    let unnotified = Cluster::unhurried(Cluster::that_tells_nothing().await, 3, open, TIMEOUT).await;
    for (is_notified, cluster) in [(true, told), (false, unnotified)] {
        for at in 0..3 {
            cluster.token(at).await;
        }
        for expiry in 1..=EXPIRIES {
            let old = cluster.token(0).await;
            cluster.pass(EXPIRED);
            let start = Instant::now();
            let tasks: Vec<_> = (0..REQUESTS)
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
            println!("notified: {is_notified}, {REQUESTS} requests at an expiry: {:?}", start.elapsed());
            assert_ne!(tokens[0].access_token(), old.access_token());
            assert!(cluster.osc.is_live(tokens[0].access_token()));
            assert!(tokens.iter().all(|token| token.access_token() == tokens[0].access_token()));
            assert_eq!(cluster.refreshes(), expiry, "notified: {is_notified}");
        }
    }
}
