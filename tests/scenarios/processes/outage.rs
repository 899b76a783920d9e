//! The nodes without Redis. Nobody is signed out, and no node needs a restart.

use std::time::{Duration, Instant};

use http::StatusCode;
use mock_osc::Endpoint;
use osc_tests::{Browser, Sample, error_of, soon};

use super::load::{BRISK, Load, Tally, refreshed};
use super::{Cluster, LONG};

/// Options of a Redis that keeps every acknowledged write across a restart.
const PERSISTENT: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_a_redis_restart_under_load() {
    survives_a_restart_of_the_server(Cluster::of(Sample::Axum, 3, BRISK, &PERSISTENT).await).await;
}

/// Kills the server while three nodes wait for a refresh. The tokens have to live for [`BRISK`].
pub(crate) async fn survives_a_restart_of_the_server(mut cluster: Cluster) {
    let visitors = cluster.visitors(6).await;
    let load = Load::start(&cluster, &visitors);
    refreshed(&cluster, &visitors).await;
    // The provider's answers to these refreshes cannot be stored, and the nodes hold the only copies.
    let hold = cluster.osc.hold(Endpoint::Token);
    soon(hold.arrived(3)).await;
    cluster.place.kill();
    hold.release();
    load.until(noticed_everywhere).await;
    cluster.place.restart().await;
    recovered(&cluster, &visitors, load, "the server killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_a_redis_frozen_for_three_seconds_under_load() {
    const STANDSTILL: Duration = Duration::from_secs(3);
    let cluster = Cluster::of(Sample::Axum, 3, BRISK, &[]).await;
    let visitors = cluster.visitors(6).await;
    let load = Load::start(&cluster, &visitors);
    refreshed(&cluster, &visitors).await;
    let hold = cluster.osc.hold(Endpoint::Token);
    soon(hold.arrived(3)).await;
    let until = Instant::now() + STANDSTILL;
    cluster.place.redis().freeze();
    hold.release();
    load.until(noticed_everywhere).await;
    tokio::time::sleep_until(until.into()).await;
    cluster.place.redis().thaw();
    recovered(&cluster, &visitors, load, "Redis frozen").await;
}

fn noticed_everywhere(tally: &Tally) -> bool {
    tally.unavailable.iter().all(|&refused| refused > 0)
}

/// Checks that every node serves every visitor again, and that no answer was worse than a request to retry.
async fn recovered(cluster: &Cluster, visitors: &[Browser], load: Load, what: &str) {
    let began = Instant::now();
    for node in 0..cluster.nodes.len() {
        for visitor in visitors {
            cluster.served(visitor, node).await;
        }
    }
    let recovered = began.elapsed();
    refreshed(cluster, visitors).await;
    let tally = load.end().await;
    cluster.calm_down(visitors).await;
    eprintln!("{what}: {tally:?}, all served again after {recovered:?}, {} refreshes", cluster.refreshes());
    assert_eq!(tally.moved_on, 0, "no node fell silent");
    cluster.assert_alive(visitors).await;
}

/// Checks that the sample's start page offers no sign-in to somebody who may be signed in.
async fn assert_home_asks_for_a_retry(cluster: &Cluster, visitor: &Browser, node: usize) {
    let home = cluster.fetch(visitor, node, "/").await;
    let page = String::from_utf8_lossy(home.body());
    assert!(page.contains("cannot tell who you are right now") && !page.contains("/auth/signin"), "{page}");
    let stranger = cluster.fetch(&cluster.browser(node), node, "/").await;
    assert!(String::from_utf8_lossy(stranger.body()).contains("/auth/signin"), "{stranger:?}");
}

#[tokio::test]
async fn a_wrong_redis_password_is_logged_and_public_paths_work() {
    let mut cluster = Cluster::of(Sample::Axum, 2, LONG, &["--requirepass", "the-right-password"]).await;
    let visitor = cluster.visitor().await;
    let url = format!("redis://:a-wrong-password@{}", cluster.place.redis().addr());
    cluster.nodes.push(cluster.setup.clone().with("SESSION_STORE", &url).start().await);

    for path in ["/healthz", "/"] {
        assert_eq!(cluster.fetch(&visitor, 2, path).await.status(), StatusCode::OK, "{path}");
    }
    assert_home_asks_for_a_retry(&cluster, &visitor, 2).await;
    let answer = cluster.fetch(&visitor, 2, "/api/session").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error_of(&answer), "temporarily_unavailable");
    cluster.nodes[2].wrote("check them in the store's URL").await;
    let log = cluster.nodes[2].log();
    assert!(!log.contains("wrong-password"), "{log}");
    cluster.nodes.pop();
    cluster.assert_alive(&[visitor]).await;
}

#[tokio::test]
async fn a_node_started_before_its_redis_serves_once_redis_is_up() {
    let mut cluster = Cluster::of(Sample::Hyper, 1, LONG, &PERSISTENT).await;
    let visitor = cluster.visitor().await;
    cluster.place.kill();
    cluster.nodes[0].restart().await;
    let answer = cluster.fetch(&visitor, 0, "/api/session").await;
    assert_eq!(error_of(&answer), "temporarily_unavailable", "{answer:?}");
    assert_home_asks_for_a_retry(&cluster, &visitor, 0).await;
    cluster.place.restart().await;
    cluster.served(&visitor, 0).await;
    cluster.assert_alive(&[visitor]).await;
}
