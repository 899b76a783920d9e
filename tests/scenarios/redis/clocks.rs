//! Redis's time counts, whatever the nodes' clocks show.

use std::time::{Duration, Instant};

use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::store::RedisStore;
use osc_auth_layer::{Clock, OscAuthLayerBuilder};
use osc_tests::{EXPIRED, RedisServer, callback, soon, token_of};

use super::cluster::{Cluster, open, plain, provider};
use super::{assert_refused, records, until};

const TWO_HOURS: i64 = 2 * 60 * 60 * 1000;

/// Returns three nodes before any sign-in, each two hours apart from the next and from Redis.
async fn apart(
    osc: MockOsc,
    configure: impl Fn(usize, OscAuthLayerBuilder, RedisStore) -> OscAuthLayerBuilder,
) -> Cluster {
    let cluster = Cluster::with(RedisServer::start().await, osc, 3, open, configure).await;
    for (at, hours) in [-1, 1, 2].into_iter().enumerate() {
        cluster.node(at).clock.shift(hours * TWO_HOURS);
    }
    cluster
}

#[tokio::test]
async fn s59_nodes_hours_apart_agree_when_a_token_expires() {
    let cluster = apart(provider().await, plain).await.sign_in().await;
    for round in 0..3 {
        let old = cluster.token(round).await;
        soon(old.session().refresh(&old)).await.expect("a token");
        let mut lefts = Vec::new();
        for at in 0..3 {
            until("all have the new one", async || {
                cluster.token(at).await.access_token() != old.access_token()
            })
            .await;
            let left = cluster.token(at).await.expires_at().duration_since(cluster.node(at).clock.now());
            lefts.push(left.expect("hours from now"));
        }
        for left in lefts {
            assert!(left <= EXPIRED && left > EXPIRED - Duration::from_secs(10), "{left:?}");
        }
    }
}

#[tokio::test]
async fn s59_nodes_hours_apart_refresh_a_token_once() {
    // The clocks of provider and Redis run by themselves.
    let osc = MockOsc::builder().token_ttl(Duration::from_secs(2)).start().await.unwrap();
    let cluster = apart(osc, plain).await.sign_in().await;
    let mut seen = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        for at in 0..3 {
            let token = cluster.token(at).await;
            if !seen.iter().any(|seen| seen == token.access_token()) {
                seen.push(token.access_token().to_owned());
            }
            assert!(cluster.osc.is_live(token.access_token()), "node {at}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refreshes = cluster.refreshes();
    assert!((2..=6).contains(&refreshes), "{refreshes} in five seconds");
    assert!(seen.len() == refreshes + 1 || seen.len() == refreshes, "{} tokens, {refreshes}", seen.len());
}

#[tokio::test]
async fn s59_a_sign_in_begun_on_one_node_ends_on_another_hours_apart() {
    let mut cluster = apart(provider().await, plain).await;
    for (begins, ends) in [(0, 2), (2, 0)] {
        let mut browser = cluster.at(begins);
        let path = callback(&mut browser, &cluster.osc).await;
        let mut browser = cluster.send(&browser, ends);
        let answer = soon(browser.navigate(&path)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        cluster.browser = browser;
        for at in 0..3 {
            cluster.token(at).await;
        }
        cluster.browser.forget_cookies("");
    }
}

/// Short enough for a test to wait.
const IDLE: Duration = Duration::from_millis(1600);

#[tokio::test]
async fn s59_s60_idle_and_absolute_timeouts_use_the_time_of_redis() {
    const ABSOLUTE: Duration = Duration::from_secs(4);
    let short = |_, layer: OscAuthLayerBuilder, store: RedisStore| {
        layer.store(store).idle_timeout(IDLE).absolute_timeout(ABSOLUTE)
    };
    let mut cluster = apart(provider().await, short).await.sign_in().await;
    let began = Instant::now();
    cluster.warm_up().await;
    let idle = cluster.browser.clone();
    let idle_since = Instant::now();
    cluster.browser.forget_cookies("");
    soon(cluster.browser.sign_in(&cluster.osc)).await;
    let active_began = Instant::now();

    let mut idle_ended = None;
    let mut served = Duration::ZERO;
    let ended = loop {
        // The session is active on one node only, and the others have it in memory.
        let answer = cluster.fetch(1).await;
        if token_of(&answer).is_none() {
            assert_refused(&answer, "unauthenticated");
            break active_began.elapsed();
        }
        served = active_began.elapsed();
        if idle_ended.is_none() && idle_since.elapsed() > IDLE {
            for at in 0..3 {
                let answer = soon(cluster.send(&idle, at).fetch("/")).await;
                assert_refused(&answer, "unauthenticated");
            }
            idle_ended = Some(began.elapsed());
            for at in 0..3 {
                cluster.token(at).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };

    assert!(idle_ended.is_some());
    assert!(
        served > ABSOLUTE - Duration::from_millis(500) && ended < ABSOLUTE + Duration::from_secs(1),
        "{ended:?}"
    );
    for at in 0..3 {
        assert_refused(&cluster.fetch(at).await, "unauthenticated");
    }
    until("Redis forgets both", async || records(&cluster.server).await.is_empty()).await;
}

#[tokio::test]
async fn s60_redis_ends_idle_visitors_but_not_those_on_warm_nodes() {
    let short = |_, layer: OscAuthLayerBuilder, store: RedisStore| layer.store(store).idle_timeout(IDLE);
    let redis = RedisServer::start().await;
    let cluster = Cluster::with(redis, provider().await, 2, open, short).await.sign_in().await;
    let start = Instant::now();
    let (mut requests, mut at_once) = (0, 0);
    while start.elapsed() < 2 * IDLE {
        // This node's own changes are notified to it as well, so recording a use costs a read.
        requests += 1;
        at_once += usize::from(cluster.at_once(1).is_some());
        cluster.token(1).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(2 * at_once > requests, "node 1 was warm {at_once} of {requests} times");
    cluster.token(0).await;

    until("it is idle for too long", async || records(&cluster.server).await.is_empty()).await;
    let ended = start.elapsed();
    assert!(ended >= 3 * IDLE && ended < 3 * IDLE + Duration::from_secs(1), "{ended:?}");
    for at in 0..2 {
        let answer = cluster.fetch(at).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_refused(&answer, "unauthenticated");
    }
}
