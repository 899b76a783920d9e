//! A server that returns to an earlier state and loses acknowledged writes.

use osc_tests::{EXPIRED, soon, token_of};

use super::fleet::Cluster;
use crate::fleet::{assert_refused, until};

async fn back(cluster: &Cluster, at: usize) {
    until("it works again", async || token_of(&cluster.fetch(at).await).is_some()).await;
}

#[tokio::test]
async fn s54_a_node_with_newer_tokens_writes_them_to_a_restored_server() {
    let mut cluster = Cluster::signed_in(2).await;
    cluster.server.save_backup().await;
    for at in 0..2 {
        back(&cluster, at).await;
    }
    cluster.warm_up().await;
    let old = cluster.token(0).await;
    let new = soon(old.session().refresh(&old)).await.expect("a token");
    until("node 1 sees it", async || cluster.token(1).await.access_token() == new.access_token()).await;

    cluster.server.restore_backup().await;
    assert_eq!(cluster.rotation().await, "1");

    back(&cluster, 1).await;
    assert_eq!(cluster.token(1).await.access_token(), new.access_token());
    until("the server gets the newer tokens", async || cluster.rotation().await == "2").await;
    back(&cluster, 0).await;
    assert_eq!(cluster.refreshes(), 1);
    cluster.pass(EXPIRED);
    let next = cluster.token(0).await;
    assert!(cluster.osc.is_live(next.access_token()), "the server held the refresh token that works");
}

#[tokio::test]
async fn s54_a_signed_out_session_stays_ended_after_a_restore() {
    let mut cluster = Cluster::signed_in(2).await;
    cluster.server.save_backup().await;
    for at in 0..2 {
        back(&cluster, at).await;
    }
    cluster.warm_up().await;
    cluster.sign_out(0).await;
    until("node 1 sees it", async || token_of(&cluster.fetch(1).await).is_none()).await;

    cluster.server.restore_backup().await;
    assert_eq!(cluster.rotation().await, "1", "the record is back");

    for _ in 0..20 {
        for at in [0, 1] {
            assert_refused(&cluster.fetch(at).await, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn a_backup_without_the_table_gets_one() {
    let mut cluster = Cluster::signed_in(2).await;
    for statement in ["TRUNCATE osc_auth_sessions", "DROP TABLE osc_auth_sessions"] {
        cluster.warm_up().await;
        cluster.server.sql(statement).await;
        // Nodes are not notified of what a restore does. They read again when their connections end.
        cluster.server.sql(super::END_CONNECTIONS).await;
        for at in 0..2 {
            until("it is noticed", async || token_of(&cluster.fetch(at).await).is_none()).await;
            assert_refused(&cluster.fetch(at).await, "unauthenticated");
        }
        cluster.browser.forget_cookies("");
        soon(cluster.browser.sign_in(&cluster.osc)).await;
    }
    cluster.warm_up().await;
}
