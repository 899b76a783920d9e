//! Changes on one node are seen by the others: at once with a notification, and within a second without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use osc_auth_layer::OscAuthLayerBuilder;
use osc_auth_layer::store::RedisStore;
use osc_tests::{RedisServer, error_of, figure, milliseconds, soon, token_of};

use super::FORCE_AGAIN;
use super::cluster::{Cluster, open, plain, provider};
use super::half_wire::HalfWire;
use super::{STALENESS, assert_refused, field, records, until};

const ROUNDS: usize = 20;
const KILLS: usize = 20;

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let [median, longest] = [times[times.len() / 2], times[times.len() - 1]].map(milliseconds);
    figure([&what, &format!("median {median}, longest {longest}"), &"under 1 s"]);
}

#[tokio::test]
async fn s53_a_sign_out_is_seen_by_a_warm_node_within_milliseconds() {
    let mut cluster = Cluster::notified(2).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        cluster.browser.forget_cookies("");
        soon(cluster.browser.sign_in(&cluster.osc)).await;
        cluster.warm_up().await;
        cluster.sign_out(0).await;
        let is_refused = async || token_of(&cluster.fetch(1).await).is_none();
        times.push(until("node 1 is notified", is_refused).await);
        assert_refused(&cluster.fetch(1).await, "unauthenticated");
    }
    assert!(times.iter().all(|time| *time < Duration::from_secs(1)), "{times:?}");
    print("time until a sign-out reaches another node", times);
}

#[tokio::test]
async fn s53_a_rotation_is_seen_by_a_warm_node_within_milliseconds() {
    let cluster = Cluster::notified(2).await;
    cluster.warm_up().await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        cluster.pass(FORCE_AGAIN);
        let old = cluster.token(0).await;
        let new = soon(old.session().refresh(&old)).await.expect("a token");
        let seen = until("node 1 is notified", async || {
            let token = cluster.token(1).await;
            let is_new = token.access_token() == new.access_token();
            assert!(is_new || token.access_token() == old.access_token());
            is_new
        });
        times.push(seen.await);
        assert_eq!(cluster.token(1).await.access_token(), new.access_token(), "nor back again");
    }
    assert!(times.iter().all(|time| *time < Duration::from_secs(1)), "{times:?}");
    assert_eq!(cluster.refreshes(), ROUNDS);
    print("time until a rotation reaches another node", times);
}

#[tokio::test]
async fn a_refresh_sends_two_notifications() {
    let redis = RedisServer::start().await;
    let wire = HalfWire::to(redis.addr()).await;
    let url = |number, addr| open(number, if number == 1 { wire.addr } else { addr });
    let cluster = Cluster::with(redis, provider().await, 2, url, plain).await.sign_in().await;
    cluster.warm_up().await;
    let record = records(&cluster.server).await.pop().expect("a record");
    let old = cluster.token(0).await;
    wire.forget_told();

    let new = soon(old.session().refresh(&old)).await.expect("a token");

    until("node 1 has the new token", async || cluster.token(1).await.access_token() == new.access_token())
        .await;
    let notifications = wire.times_told(&record);
    assert_eq!(notifications, 2, "one for the lease, one for the tokens");
    figure([&"notifications per refresh", &notifications, &"2"]);
}

#[tokio::test]
async fn layers_sharing_a_store_share_connections_and_notifications() {
    let redis = RedisServer::start().await;
    let store = RedisStore::from_url(&redis.url()).expect("a valid URL");
    let shared = |_, layer: OscAuthLayerBuilder, _| layer.store(store.clone());
    let mut cluster = Cluster::with(redis, provider().await, 3, open, shared).await.sign_in().await;
    cluster.warm_up().await;
    // One connection for questions, one for notifications, and the test's own.
    assert_eq!(cluster.server.command(&["CLIENT", "LIST"]).await.lines().count(), 3);
    for at in 0..3 {
        cluster.sign_out(at).await;
        for there in 0..3 {
            until("all nodes are notified", async || token_of(&cluster.fetch(there).await).is_none()).await;
        }
        cluster.browser.forget_cookies("");
        soon(cluster.browser.sign_in(&cluster.osc)).await;
        cluster.warm_up().await;
    }
}

/// Signs out at node 0 and watches node 1, whose notifications are lost. Returns how long it serves the
/// session, and its error afterwards.
async fn staleness(cluster: &Cluster) -> (Duration, String) {
    cluster.sign_out(0).await;
    let start = Instant::now();
    assert!(cluster.at_once(1).is_some(), "the notification must be lost");
    let (mut last, mut error) = (Duration::ZERO, String::new());
    while start.elapsed() < 2 * STALENESS {
        let asked = start.elapsed();
        let answer = cluster.fetch(1).await;
        if token_of(&answer).is_some() {
            assert_eq!(error, "", "a token after it was refused");
            last = asked;
        } else {
            error = error_of(&answer);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (last, error)
}

#[tokio::test]
async fn s53_lost_notifications_leave_a_session_stale_for_a_second() {
    let redis = RedisServer::start().await;
    let wire = HalfWire::to(redis.addr()).await;
    let url = |number, addr| open(number, if number == 1 { wire.addr } else { addr });
    let cluster = Cluster::with(redis, provider().await, 2, url, plain).await.sign_in().await;
    cluster.warm_up().await;

    wire.lose_notifications();
    let (last, error) = staleness(&cluster).await;

    assert!(last < STALENESS, "{last:?}");
    assert_eq!(error, "unauthenticated", "it can still ask");
    figure([
        &"time that a node without notifications serves an ended session",
        &milliseconds(last),
        &"about 1 s",
    ]);
}

#[tokio::test]
async fn s53_a_disconnected_node_serves_a_stale_session_for_a_second() {
    let cluster = Cluster::notified(2).await;
    cluster.warm_up().await;

    cluster.node(1).proxy.black_hole();
    let (last, error) = staleness(&cluster).await;

    assert!(last < STALENESS, "{last:?}");
    assert_eq!(error, "temporarily_unavailable");
    figure([
        &"time that a node cut off from Redis serves an ended session",
        &milliseconds(last),
        &"about 1 s",
    ]);
    cluster.node(1).proxy.resume().await;
    let back = until("node 1 is notified", async || {
        let answer = cluster.fetch(1).await;
        assert!(token_of(&answer).is_none(), "a node serves a session that Redis knows as ended");
        error_of(&answer) == "unauthenticated"
    });
    let back = milliseconds(back.await);
    figure([&"time until that node refuses it after Redis is back", &back, &""]);
}

/// The connections to kill.
#[derive(Clone, Copy, Debug)]
enum Victims {
    Tracking,
    Commands,
    All,
}

/// Kills connections and returns how many.
async fn kill(redis: &RedisServer, victims: Victims) -> usize {
    let mut killed = 0;
    let list = redis.command(&["CLIENT", "LIST", "TYPE", "NORMAL"]).await;
    for client in list.lines() {
        let value = |name| client.split(' ').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
        let is_tracking = value("flags=").contains('t');
        let is_victim = match victims {
            Victims::Tracking => is_tracking,
            // The test's own connection shows `client` as its latest command.
            Victims::Commands => !is_tracking && !value("cmd=").starts_with("client"),
            Victims::All => !value("cmd=").starts_with("client") || is_tracking,
        };
        if is_victim {
            // The connection may have closed by itself.
            killed += usize::from(redis.command(&["CLIENT", "KILL", "ID", value("id=")]).await == "1");
        }
    }
    killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s53_killed_connections_lose_no_session_and_no_sign_out() {
    let victims = [Victims::Tracking, Victims::Commands, Victims::All];
    join_all(victims.map(kill_under_load)).await;
}

async fn kill_under_load(victims: Victims) {
    let cluster = Cluster::notified(3).await;
    cluster.warm_up().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..3)
        .map(|at| {
            let (mut browser, is_over) = (cluster.at(at), is_over.clone());
            tokio::spawn(async move {
                let (mut served, mut unavailable) = (0, 0);
                while !is_over.load(Ordering::SeqCst) {
                    let answer = browser.fetch("/").await;
                    match token_of(&answer) {
                        Some(_) => served += 1,
                        None => {
                            assert_eq!(error_of(&answer), "temporarily_unavailable", "{victims:?}");
                            unavailable += 1;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                (served, unavailable)
            })
        })
        .collect();
    let mut killed = 0;
    for _ in 0..KILLS {
        killed += kill(&cluster.server, victims).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    is_over.store(true, Ordering::SeqCst);
    assert!(killed > cluster.len(), "{victims:?}: {killed}, so none that was made in place of another");
    for task in load {
        let (served, unavailable) = soon(task).await.expect("the load goes on");
        println!("{victims:?}, {killed} killed: {served} served, {unavailable} put off");
        // A read that meets a closed connection is retried on another.
        assert!(unavailable < KILLS / 2, "{victims:?}: {served}, {unavailable}");
    }
    cluster.warm_up().await;

    kill(&cluster.server, victims).await;
    cluster.sign_out(0).await;
    assert_refused(&cluster.fetch(0).await, "unauthenticated");
    // The sign-out may meet a closed connection and then takes effect a little later.
    until("Redis knows of the sign-out", async || field(&cluster.server, "ended").await == "signed-out")
        .await;
    let ended = Instant::now();
    while ended.elapsed() < 2 * STALENESS {
        let asked = ended.elapsed();
        for at in 1..3 {
            let answer = cluster.fetch(at).await;
            assert!(token_of(&answer).is_none() || asked < STALENESS, "{victims:?}, node {at}: {asked:?}");
        }
        kill(&cluster.server, victims).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for at in 0..3 {
        until("it is over", async || error_of(&cluster.fetch(at).await) == "unauthenticated").await;
    }
}
