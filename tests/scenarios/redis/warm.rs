//! The cost of requests to Redis, and the data that Redis holds.

use std::collections::BTreeMap;

use http::StatusCode;
use mock_osc::Endpoint;
use osc_auth_layer::store::RedisStore;
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{Logs, RedisServer, figure, holds, soon};

use super::cluster::{Cluster, open, provider};
use super::until;

/// Returns how often Redis ran which commands for these requests. Heartbeats and the test's own questions are
/// left out.
async fn cost(cluster: &Cluster, at: usize, requests: usize) -> BTreeMap<String, u64> {
    let before = cluster.server.calls().await;
    let mut browser = cluster.at(at);
    for _ in 0..requests {
        assert_eq!(soon(browser.fetch("/")).await.status(), StatusCode::OK);
    }
    let mut calls = cluster.server.calls().await;
    calls.retain(|command, calls| {
        *calls -= before.get(command).unwrap_or(&0);
        *calls > 0 && !["set", "info"].contains(&command.as_str())
    });
    calls
}

/// Returns the commands of a read: one script, which reads the time and the record.
fn reads(times: u64) -> BTreeMap<String, u64> {
    ["evalsha", "time", "hmget", "pttl"].into_iter().map(|command| (command.to_owned(), times)).collect()
}

#[tokio::test]
async fn a_thousand_requests_of_a_warm_session_cost_redis_nothing() {
    let cluster = Cluster::notified(3).await;
    cluster.warm_up().await;
    let mut commands = 0;
    for at in 0..3 {
        let calls = cost(&cluster, at, 1000).await;
        commands += calls.values().sum::<u64>();
        assert_eq!(calls, BTreeMap::new(), "node {at}");
    }
    figure([&"round trips for 1,000 requests of a cached session", &commands, &"0"]);
}

#[tokio::test]
async fn a_cold_session_costs_one_script_on_each_node() {
    let mut cluster = Cluster::notified(3).await;
    cluster.warm_up().await;
    for _ in 0..10 {
        cluster.browser.forget_cookies("");
        soon(cluster.browser.sign_in(&cluster.osc)).await;
        for at in 1..3 {
            assert_eq!(cost(&cluster, at, 1).await, reads(1), "node {at}");
            assert_eq!(cost(&cluster, at, 10).await, BTreeMap::new(), "node {at}");
        }
    }
    figure([&"round trips for a session's first request on a node", &1, &"1"]);
}

#[tokio::test]
async fn without_notifications_each_request_costs_one_script() {
    let logs = Logs::collect();
    let cluster = Cluster::polling(2).await;
    cluster.token(1).await;
    let cause = if cluster.server.is_at_least(6).await { "check the ACL" } else { "6.0 for notifications" };
    until("both nodes log it", async || {
        let text = logs.text();
        let lines = text.lines().filter(|line| line.contains("no notifications of changes"));
        lines.filter(|line| line.contains(cause)).count() == 2
    })
    .await;
    for at in 0..2 {
        assert_eq!(cost(&cluster, at, 1000).await, reads(1000), "node {at}");
    }
    figure([&"round trips for each request without notifications", &1, &"1"]);
}

#[tokio::test]
async fn every_key_expires_by_itself() {
    const MONTH: i64 = 31 * 24 * 60 * 60 * 1000;
    let mut cluster = Cluster::notified(2).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    soon(token.session().refresh(&token)).await.expect("a token");
    cluster.sign_out(1).await;
    soon(cluster.browser.sign_in(&cluster.osc)).await;
    let mut kinds = Vec::new();
    for key in cluster.server.command(&["KEYS", "*"]).await.lines() {
        let left: i64 = cluster.server.command(&["PTTL", key]).await.parse().unwrap();
        // -2 means a heartbeat key that has expired in the meantime. -1 would mean a key that never expires.
        assert!((0..MONTH).contains(&left) || left == -2, "{key}: {left}");
        kinds.extend(key.split(':').nth(1).map(str::to_owned));
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["s", "u", "w"], "entries, users' groups and heartbeats");
}

#[tokio::test]
async fn s25_redis_receives_no_token_session_id_or_secret() {
    // A self-registered client also shares its credentials through Redis.
    let osc = provider().await;
    let issuer = osc.issuer();
    let registering = |_, _, store: RedisStore| {
        let layer = OscAuthLayer::builder(OAuthClient::register("App")).cookie_key([7; 32]);
        layer.issuer(&issuer).public_url("http://localhost:3000").store(store)
    };
    let mut cluster = Cluster::with(RedisServer::start().await, osc, 2, open, registering).await;
    let redis = &cluster.server;
    let mut monitor = redis.monitor().await;
    let mut traffic = Vec::new();

    let mut ids = Vec::new();
    for round in 0..3 {
        cluster.browser.forget_cookies("");
        assert_eq!(soon(cluster.browser.sign_in(&cluster.osc)).await.status(), StatusCode::SEE_OTHER);
        ids.push(cluster.browser.cookies()["osc_session_3000"].clone());
        let token = cluster.token(1).await;
        soon(token.session().refresh(&token)).await.expect("a token");
        cluster.token(0).await;
        if round == 0 {
            cluster.sign_out(1).await;
        }
        traffic.extend(monitor.commands().await);
    }

    let keys = redis.command(&["KEYS", "*"]).await;
    let mut held = String::new();
    for key in keys.lines() {
        let read: &[&str] = match &*redis.command(&["TYPE", key]).await {
            "hash" => &["HGETALL", key],
            "zset" => &["ZRANGE", key, "0", "-1"],
            _ => &["GET", key],
        };
        held += &format!("{key} {}\n", redis.command(read).await);
    }
    let mut secrets = cluster.osc.issued_tokens();
    for request in cluster.osc.requests(Endpoint::Token) {
        let fields = ["code", "code_verifier", "refresh_token", "client_secret"];
        secrets.extend(fields.iter().filter_map(|name| request.field(name)).map(str::to_owned));
    }
    secrets.extend(ids);
    assert!(secrets.len() > 20 && traffic.len() > 20, "{} {}", secrets.len(), traffic.len());
    // Each sign-in has a record and a used state. The first nodes to need a client register one.
    assert!(keys.lines().count() > 6, "{keys}");
    let traffic = traffic.join("\n");
    for secret in &secrets {
        assert!(!holds(held.as_bytes(), secret.as_bytes()), "Redis holds {secret}");
        assert!(!holds(traffic.as_bytes(), secret.as_bytes()), "Redis received {secret}");
    }
}
