//! A node that loses its lease of a session to another while it is delayed.

use std::time::Duration;

use futures_util::FutureExt;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{RedisServer, soon};

use super::FORCE_AGAIN;
use super::cluster::{Cluster, open, plain};
use super::{field, records, until};

/// A record as it is in Redis.
struct Copy {
    key: String,
    version: String,
    value: String,
}

impl Copy {
    /// Copies the only record, in hexadecimal digits.
    async fn of(redis: &RedisServer) -> Self {
        let key = records(redis).await.pop().expect("a record");
        let script = "local out = '' \
                      for c in redis.call('HGET', KEYS[1], ARGV[1]):gmatch('.') do \
                          out = out .. string.format('%02x', string.byte(c)) \
                      end \
                      return out";
        let (version, value) = (
            redis.command(&["EVAL", script, "1", &key, "version"]).await,
            redis.command(&["EVAL", script, "1", &key, "value"]).await,
        );
        Self { key, version, value }
    }

    /// Writes the copy back, and with it the lease of that time.
    async fn restore(&self, redis: &RedisServer) {
        let script = "local function bytes(hex) \
                          return (hex:gsub('..', function(pair) return string.char(tonumber(pair, 16)) end)) \
                      end \
                      return redis.call('HSET', KEYS[1], 'version', bytes(ARGV[1]), 'value', bytes(ARGV[2]))";
        let answer = redis.command(&["EVAL", script, "1", &self.key, &self.version, &self.value]).await;
        assert_eq!(answer, "0");
    }
}

#[tokio::test]
async fn s50_a_node_that_lost_its_lease_overwrites_nothing_newer() {
    // The first answer comes late. Within the grace period, other requests with the same refresh token get
    // the same answer.
    let osc = MockOsc::builder().refresh_grace(Duration::from_secs(60)).start().await.unwrap();
    let cluster = Cluster::with(RedisServer::start().await, osc, 2, open, plain).await.sign_in().await;
    cluster.warm_up().await;
    let old = cluster.token(0).await;
    cluster.osc.fault(Endpoint::Token, Fault::LateAnswer(Duration::from_secs(3))).once();
    let session = old.session();
    let unleased = Copy::of(&cluster.server).await;
    let mut late = Box::pin(session.refresh(&old));
    assert!((&mut late).now_or_never().is_none());
    until("node 0 has asked the provider", async || {
        assert!((&mut late).now_or_never().is_none());
        cluster.refreshes() == 1
    })
    .await;
    unleased.restore(&cluster.server).await;

    let second = cluster.token(1).await;
    let second = soon(second.session().refresh(&second)).await.expect("the answer of the first");
    cluster.pass(FORCE_AGAIN);
    let third = soon(second.session().refresh(&second)).await.expect("a newer token");
    assert_eq!((cluster.refreshes(), field(&cluster.server, "rotation").await.as_str()), (3, "3"));
    assert!((&mut late).now_or_never().is_none(), "the machine is too slow for this test");

    let late = soon(late).await.expect("the newest token");

    assert_eq!(late.access_token(), third.access_token());
    assert_eq!(field(&cluster.server, "rotation").await, "3");
    for at in 0..2 {
        assert_eq!(cluster.token(at).await.access_token(), third.access_token());
    }
    assert_ne!(second.access_token(), third.access_token());
    // The record holds the valid refresh token.
    cluster.pass(FORCE_AGAIN);
    let next = soon(late.session().refresh(&late)).await.expect("a token");
    assert!(cluster.osc.is_live(next.access_token()));
}

#[tokio::test]
async fn s51_a_node_that_lost_its_lease_sends_no_grant() {
    let cluster = Cluster::notified(2).await;
    // Node 1 has no metadata of the provider yet and is held while it fetches that.
    let old = cluster.token(1).await;
    let unleased = Copy::of(&cluster.server).await;
    let metadata = cluster.osc.hold(Endpoint::Metadata);
    let session = old.session();
    let mut refresh = Box::pin(session.refresh(&old));
    tokio::select! {
        _ = &mut refresh => panic!("it does not need the metadata"),
        () = soon(metadata.arrived(1)) => {}
    }
    // Node 0 takes the lease, and waits for its answer.
    unleased.restore(&cluster.server).await;
    let grant = cluster.osc.hold(Endpoint::Token);
    let other = cluster.token(0).await;
    let other_session = other.session();
    let mut other_refresh = Box::pin(other_session.refresh(&other));
    tokio::select! {
        _ = &mut other_refresh => panic!("it does not need the provider"),
        () = soon(grant.arrived(1)) => {}
    }
    let owner = field(&cluster.server, "owner").await;
    // By then node 1 can no longer be sure that it holds the lease.
    cluster.node(1).clock.shift(5000);
    metadata.release();

    let before = cluster.server.calls().await.get("hset").copied();
    let asked = cluster.server.calls().await["evalsha"];
    until("node 1 keeps finding the lease taken", async || {
        assert!((&mut refresh).now_or_never().is_none(), "node 1 must not send the refresh");
        cluster.server.calls().await["evalsha"] > asked + 5
    })
    .await;
    assert_eq!(cluster.refreshes(), 1);
    assert_eq!(field(&cluster.server, "owner").await, owner);
    assert_eq!(cluster.server.calls().await.get("hset").copied(), before);

    grant.release();
    let new = soon(other_refresh).await.expect("a token");
    assert_eq!(soon(refresh).await.expect("a token").access_token(), new.access_token());
    assert_ne!(new.access_token(), old.access_token());
    assert_eq!(cluster.refreshes(), 1);
}
