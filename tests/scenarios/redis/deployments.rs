//! More than one Redis server: a Redis Cluster, a Sentinel, and a failover to a replica.

use osc_tests::{EXPIRED, Logs, RedisServer, token_of};

use super::cluster::{Cluster, open};
use super::diagnoses::{assert_told, node};
use super::until;

const SLOTS: u32 = 16384;

#[tokio::test]
async fn a_redis_cluster_is_named_in_the_log() {
    for owns_slots in [false, true] {
        let logs = Logs::collect();
        let redis = RedisServer::with(&["--cluster-enabled", "yes"]).await;
        if owns_slots {
            let slots: Vec<_> = (0..SLOTS).map(|slot| slot.to_string()).collect();
            let slots = slots.iter().map(String::as_str);
            redis.command(&["CLUSTER", "ADDSLOTS"].into_iter().chain(slots).collect::<Vec<_>>()).await;
            until("it serves its slots", async || {
                redis.command(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok")
            })
            .await;
        }
        let cluster = node(redis, |addr| open(0, addr)).await;
        assert_told(&cluster, &logs, "names a Redis Cluster").await;
    }
}

#[tokio::test]
async fn a_sentinel_is_named_in_the_log() {
    let logs = Logs::collect();
    let sentinel = RedisServer::with(&["--sentinel"]).await;
    let cluster = node(sentinel, |addr| open(0, addr)).await;
    assert_told(&cluster, &logs, "names a Redis Sentinel").await;
}

#[tokio::test]
async fn sessions_survive_a_failover_behind_the_address() {
    for is_planned in [true, false] {
        let primary = RedisServer::with(&["--repl-diskless-sync-delay", "0"]).await;
        let port = primary.addr().port().to_string();
        let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).await;
        let mut cluster = Cluster::new(primary, 2).await.sign_in().await;
        cluster.warm_up().await;
        let token = cluster.token(0).await;
        cluster.server.command(&["SET", "last", "write"]).await;
        until("the replica has everything", async || replica.command(&["GET", "last"]).await == "write")
            .await;

        let connections = [0, 1].map(|at| cluster.node(at).proxy.connections());
        replica.command(&["REPLICAOF", "NO", "ONE"]).await;
        for at in 0..2 {
            cluster.node(at).proxy.lead_to(replica.addr());
        }
        if is_planned {
            // The nodes stay connected to the old primary, which accepts no writes any more.
            let port = replica.addr().port().to_string();
            cluster.server.command(&["REPLICAOF", "127.0.0.1", &port]).await;
        } else {
            cluster.server.kill();
        }

        for (at, before) in connections.into_iter().enumerate() {
            until("both connections are replaced", async || {
                cluster.fetch(at).await;
                cluster.node(at).proxy.connections() >= before + 2
            })
            .await;
        }
        cluster.warm_up().await;
        assert_eq!(cluster.token(1).await.access_token(), token.access_token());
        cluster.pass(EXPIRED);
        assert!(cluster.osc.is_live(cluster.token(1).await.access_token()));
        assert_eq!(cluster.refreshes(), 1);
        cluster.sign_out(0).await;
        until("node 1 is notified", async || token_of(&cluster.fetch(1).await).is_none()).await;
    }
}
