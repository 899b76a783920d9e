//! A Redis that returns to an earlier state and loses acknowledged writes.

use osc_tests::{RedisServer, soon, token_of};

use super::cluster::Cluster;
use super::{assert_refused, field, records, until};

async fn back(cluster: &Cluster, at: usize) {
    until("it works again", async || token_of(&cluster.fetch(at).await).is_some()).await;
}

#[tokio::test]
async fn s54_a_node_with_a_newer_version_updates_a_restored_redis() {
    for seen_by in [0, 1] {
        let mut cluster = Cluster::notified(3).await;
        cluster.warm_up().await;
        let old = cluster.token(0).await;
        let before = cluster.server.save_dump().await;
        let new = soon(old.session().refresh(&old)).await.expect("a token");
        until("node 1 sees it", async || cluster.token(1).await.access_token() == new.access_token()).await;

        cluster.server.restore_dump(&before).await;
        assert_eq!(field(&cluster.server, "rotation").await, "1");

        // The node is either the one that refreshed or one that was notified.
        back(&cluster, seen_by).await;
        assert_eq!(cluster.token(seen_by).await.access_token(), new.access_token());
        until("Redis gets the newer version", async || field(&cluster.server, "rotation").await == "2").await;
        for at in 0..3 {
            back(&cluster, at).await;
            until("all nodes see the change", async || {
                cluster.token(at).await.access_token() == new.access_token()
            })
            .await;
        }
        assert_eq!(cluster.refreshes(), 1);
        // The record holds the valid refresh token. The old one would end the session.
        cluster.warm_up().await;
        cluster.pass(osc_tests::EXPIRED);
        let next = cluster.token(2).await;
        assert!(cluster.osc.is_live(next.access_token()));
        assert_eq!(cluster.refreshes(), 2);
    }
}

#[tokio::test]
async fn s54_a_signed_out_session_stays_ended_after_a_redis_restore() {
    let mut cluster = Cluster::notified(2).await;
    cluster.warm_up().await;
    let before = cluster.server.save_dump().await;
    cluster.sign_out(0).await;
    until("node 1 sees it", async || token_of(&cluster.fetch(1).await).is_none()).await;

    cluster.server.restore_dump(&before).await;
    assert_ne!(field(&cluster.server, "rotation").await, "", "the record is back");

    for _ in 0..20 {
        for at in [0, 1] {
            assert_refused(&cluster.fetch(at).await, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn an_emptied_redis_signs_everybody_out_and_accepts_sign_ins() {
    for command in ["FLUSHALL", "FLUSHDB", "DEL"] {
        let mut cluster = Cluster::notified(3).await;
        cluster.warm_up().await;
        let token = cluster.token(0).await;

        let record = records(&cluster.server).await;
        let command = if command == "DEL" { vec![command, &record[0]] } else { vec![command] };
        cluster.server.command(&command).await;

        for at in 0..3 {
            until("it is noticed", async || token_of(&cluster.fetch(at).await).is_none()).await;
            assert_refused(&cluster.fetch(at).await, "unauthenticated");
        }
        assert!(soon(token.session().token()).await.is_err());
        soon(cluster.browser.sign_in(&cluster.osc)).await;
        cluster.warm_up().await;
        assert_ne!(cluster.token(2).await.access_token(), token.access_token());
    }
}

#[tokio::test]
async fn a_redis_restarted_empty_signs_everybody_out_and_works() {
    let mut cluster = Cluster::new(RedisServer::start().await, 2).await.sign_in().await;
    cluster.warm_up().await;
    cluster.server.restart().await;
    for at in 0..2 {
        until("it is noticed", async || {
            let answer = cluster.fetch(at).await;
            token_of(&answer).is_none() && osc_tests::error_of(&answer) == "unauthenticated"
        })
        .await;
    }
    soon(cluster.browser.sign_in(&cluster.osc)).await;
    cluster.warm_up().await;
}
