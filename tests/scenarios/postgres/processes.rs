//! The samples as processes that share a PostgreSQL server.

use mock_osc::MockOsc;
use osc_tests::{PostgresServer, Sample};

use crate::processes::load::BRISK;
use crate::processes::refresh::{TTL, one_grant_for_each};
use crate::processes::{Cluster, LONG, Place, SHORT, killed, outage, sign_out};

async fn cluster(nodes: usize, ttl: std::time::Duration) -> Cluster {
    let place = Place::Postgres(PostgresServer::start().await);
    Cluster::at(place, Sample::Axum, nodes, MockOsc::builder().token_ttl(ttl)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_a_thousand_requests_to_three_nodes_refresh_once_per_expiry() {
    one_grant_for_each(cluster(3, TTL).await, 1, 3, "three nodes, PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_eight_sessions_expiring_together_refresh_once_each() {
    one_grant_for_each(cluster(3, TTL).await, 8, 2, "three nodes, 8 sessions, PostgreSQL").await;
}

#[tokio::test]
async fn s43_a_session_survives_a_node_killed_before_its_refresh() {
    killed::survives_a_killed_node(cluster(3, SHORT).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_a_crash_of_the_server_under_load() {
    outage::survives_a_restart_of_the_server(cluster(3, BRISK).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_warm_nodes_refuse_a_signed_out_session_within_a_second() {
    sign_out::is_refused_within_a_second(cluster(3, LONG).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s85_all_nodes_refuse_all_sessions_of_a_user_who_signed_out_everywhere() {
    sign_out::ends_all_of_a_user(cluster(3, LONG).await).await;
}
