//! The contract of session stores, tested on `RedisStore`.

use std::time::Duration;

use osc_auth_layer::OscAuthLayerBuilder;
use osc_auth_layer::store::{RedisStore, SessionStore, Swap, Version};
use osc_auth_layer::test_util::store_contract;
use osc_tests::{RedisServer, soon};

use super::cluster::{Cluster, open, provider};
use super::unnotified::Unnotified;
use super::{assert_refused, records};

fn store(redis: &RedisServer) -> RedisStore {
    RedisStore::from_url(&redis.url()).expect("a valid URL")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_store_meets_the_store_contract() {
    let redis = RedisServer::start().await;
    store_contract::run(async || store(&redis)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_store_with_namespace_and_password_meets_the_contract() {
    let redis = RedisServer::with(&["--requirepass", "correct horse"]).await;
    let url = redis.url().replace(' ', "%20");
    store_contract::run(async || RedisStore::from_url(&url).expect("a valid URL").with_namespace("app:ä"))
        .await;
    let keys = redis.command(&["KEYS", "*"]).await;
    assert!(!keys.is_empty() && keys.lines().all(|key| key.starts_with("app:ä:")), "{keys}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_store_without_notifications_meets_the_contract() {
    let redis = Cluster::that_tells_nothing().await;
    store_contract::run(async || Unnotified(store(&redis))).await;
}

#[tokio::test]
async fn namespaces_do_not_see_each_other() {
    let redis = RedisServer::start().await;
    let (one, other) = (store(&redis).with_namespace("one"), store(&redis).with_namespace("other"));
    let new = |value| {
        let expires_in = Some(Duration::from_secs(60));
        Swap { expected: None, version: Version::from_bytes([1; 16]), value, expires_in, group: None }
    };
    soon(one.swap("key", new(b"one"))).await.unwrap();
    assert_eq!(soon(other.get("key")).await.unwrap().entry, None);
    soon(other.swap("key", new(b"other"))).await.unwrap();
    assert_eq!(soon(one.get("key")).await.unwrap().entry.expect("it is there").value, b"one");
}

#[tokio::test]
async fn a_record_moved_to_another_namespace_opens_nothing() {
    let apart = |number, layer: OscAuthLayerBuilder, store: RedisStore| {
        layer.store(if number == 0 { store } else { store.with_namespace("other") })
    };
    let redis = RedisServer::start().await;
    let apps = Cluster::with(redis, provider().await, 2, open, apart).await.sign_in().await;
    assert_refused(&apps.fetch(1).await, "unauthenticated");

    let own = records(&apps.server).await.pop().expect("a record");
    let moved = own.replace("osc-auth:", "other:");
    let copy =
        "return redis.call('RESTORE', KEYS[2], redis.call('PTTL', KEYS[1]), redis.call('DUMP', KEYS[1]))";
    assert_eq!(apps.server.command(&["EVAL", copy, "2", &own, &moved]).await, "OK");

    assert_refused(&apps.fetch(1).await, "unauthenticated");
    apps.token(0).await;
}
