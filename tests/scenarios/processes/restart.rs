//! Nodes that end and start again, cleanly or not.

use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::Endpoint;
use osc_tests::{Line, Sample, error_of, soon};

use super::load::{BRISK, Load, refreshed};
use super::{AGAIN, Cluster, LONG, SHORT, assert_same_token, expiry_of};

#[tokio::test]
async fn killed_and_restarted_nodes_keep_everybody_signed_in() {
    let mut cluster = Cluster::of(Sample::Axum, 3, LONG, &[]).await;
    let visitors = cluster.visitors(5).await;
    cluster.assert_alive(&visitors).await;
    cluster.nodes[0].restart().await;
    cluster.assert_alive(&visitors).await;
    for node in &mut cluster.nodes {
        node.kill().await;
    }
    // Sessions do not depend on this key.
    cluster.setup = cluster.setup.with("COOKIE_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    for node in &mut cluster.nodes {
        *node = cluster.setup.start().await;
    }
    cluster.assert_alive(&visitors).await;
    assert_eq!(cluster.refreshes(), 0);
    cluster.visitor().await;
}

#[tokio::test]
async fn redis_url_still_names_the_store_of_a_sample() {
    let mut cluster = Cluster::of(Sample::Hyper, 1, LONG, &[]).await;
    let setup = cluster.setup.clone().with("REDIS_URL", &cluster.place.url());
    cluster.nodes.push(setup.clone().with("SESSION_STORE", "").start().await);
    let visitors = cluster.visitors(1).await;
    cluster.assert_alive(&visitors).await;
    // Only `SESSION_STORE` counts if both are set.
    cluster.nodes.push(setup.with("SESSION_STORE", "memory:").start().await);
    let answer = cluster.fetch(&visitors[0], 2, "/api/session").await;
    assert_eq!(error_of(&answer), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn s43_a_rolling_restart_under_load_loses_no_session_or_answer() {
    let mut cluster = Cluster::of(Sample::Axum, 3, BRISK, &[]).await;
    let visitors = cluster.visitors(6).await;
    let load = Load::start(&cluster, &visitors);
    refreshed(&cluster, &visitors).await;
    for node in 0..3 {
        cluster.nodes[node].terminate();
        assert_eq!(cluster.nodes[node].ended().await, Some(0), "node {node}");
        refreshed(&cluster, &visitors).await;
        cluster.nodes[node].restart().await;
        load.send_to(node, cluster.nodes[node].addr());
        refreshed(&cluster, &visitors).await;
    }
    let tally = load.end().await;
    cluster.calm_down(&visitors).await;
    eprintln!("rolling restart: {tally:?}, {} refreshes", cluster.refreshes());
    assert_eq!(tally.unavailable, [0; 3], "{tally:?}");
    cluster.assert_alive(&visitors).await;
}

#[tokio::test]
async fn s43_a_node_terminated_during_a_refresh_finishes_it_first() {
    let cases = [(Sample::Axum, true), (Sample::Axum, false), (Sample::Hyper, true), (Sample::Hyper, false)];
    join_all(cases.map(|(sample, the_visitor_waits)| ends_with_its_refresh(sample, the_visitor_waits))).await;
}

async fn ends_with_its_refresh(sample: Sample, the_visitor_waits: bool) {
    let mut cluster = Cluster::of(sample, 2, SHORT, &[]).await;
    let [visitor] = cluster.overdue().await;
    let hold = cluster.osc.hold(Endpoint::Token);
    let request = cluster.under_way(&visitor, 0);
    soon(hold.arrived(1)).await;
    if !the_visitor_waits {
        request.abort();
    }
    cluster.nodes[0].terminate();
    soon(async {
        while Line::to(cluster.nodes[0].addr()).await.is_ok() {
            tokio::time::sleep(AGAIN).await;
        }
    })
    .await;
    hold.release();

    assert_eq!(cluster.nodes[0].ended().await, Some(0), "{sample:?}");
    match soon(request).await {
        Ok(answer) => {
            let answer = answer.expect("an answer");
            assert_eq!(
                (answer.status(), the_visitor_waits),
                (StatusCode::OK, true),
                "{sample:?}: {answer:?}"
            );
            let served = expiry_of(&answer).expect("served");
            assert_same_token(cluster.expires_at(&visitor, 1).await, served, sample);
        }
        Err(gone) => assert!(gone.is_cancelled() && !the_visitor_waits, "{gone}"),
    }
    cluster.nodes.remove(0);
    cluster.assert_alive(&[visitor]).await;
    assert_eq!(cluster.refreshes(), 1, "{sample:?}");
}
