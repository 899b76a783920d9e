//! PostgreSQL goes down, or its connections are lost, and it comes back with its data.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use osc_auth_layer::store::{PostgresStore, SessionStore};
use osc_tests::{Logs, PostgresDatabase, PostgresServer, Proxy, error_of, soon, token_of};
use sqlx::postgres::PgPoolOptions;
use tokio::time::timeout;

use super::END_CONNECTIONS;
use super::fleet::Cluster;
use crate::fleet::{STALENESS, assert_refused, assert_unavailable, until};
use crate::stores::key;

/// The time that the layer waits for an operation, and some for a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(4);

async fn noticed(cluster: &Cluster, at: usize) {
    let noticed = until("an outage is noticed", async || token_of(&cluster.fetch(at).await).is_none()).await;
    assert!(noticed < STALENESS + GIVEN_UP, "{noticed:?}");
}

async fn back(cluster: &Cluster) {
    for at in 0..cluster.len() {
        until("it works again", async || token_of(&cluster.fetch(at).await).is_some()).await;
    }
}

#[tokio::test]
async fn while_the_server_is_down_nobody_gets_in_and_nobody_is_signed_out() {
    let logs = Logs::collect();
    let mut cluster = Cluster::signed_in(2).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    for is_killed in [true, false] {
        match is_killed {
            true => cluster.server.kill(),
            false => cluster.server.stop(),
        }
        for at in 0..2 {
            noticed(&cluster, at).await;
            assert_unavailable(&cluster.fetch(at).await);
            let public = soon(cluster.at(at).fetch("/public")).await;
            assert_eq!((public.status(), token_of(&public).is_some()), (StatusCode::OK, false));
        }
        cluster.server.restart().await;
        back(&cluster).await;
        for at in 0..2 {
            assert_eq!(cluster.token(at).await.access_token(), token.access_token());
        }
        cluster.warm_up().await;
    }
    assert_eq!(cluster.refreshes(), 0);
    assert!(logs.text().contains("PostgreSQL cannot be reached"), "{}", logs.text());
}

#[tokio::test]
async fn a_sign_out_in_an_outage_holds_here_now_and_elsewhere_later() {
    let mut cluster = Cluster::signed_in(2).await;
    cluster.warm_up().await;
    cluster.server.kill();
    for at in 0..2 {
        noticed(&cluster, at).await;
    }
    cluster.sign_out(0).await;
    assert_refused(&cluster.fetch(0).await, "unauthenticated");
    cluster.server.restart().await;
    until("node 1 is notified", async || {
        let answer = cluster.fetch(1).await;
        token_of(&answer).is_none() && error_of(&answer) == "unauthenticated"
    })
    .await;
    assert_refused(&cluster.fetch(0).await, "unauthenticated");
}

#[tokio::test]
async fn a_black_holed_node_fails_in_time_and_recovers_at_once() {
    let cluster = Cluster::signed_in(2).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    for _ in 0..2 {
        cluster.node(0).proxy.black_hole();
        noticed(&cluster, 0).await;
        // More at a time than there are connections, so each is lost.
        let refused = join_all((0..30).map(|_| cluster.fetch(0))).await;
        refused.iter().for_each(assert_unavailable);
        assert_eq!(cluster.token(1).await.access_token(), token.access_token(), "the other node works");
        let before = cluster.node(0).proxy.connections();
        // The connections of the time stay lost. New ones work, as after a firewall has forgotten connections.
        cluster.node(0).proxy.cut();
        cluster.node(0).proxy.resume().await;
        until("it works again", async || token_of(&cluster.fetch(0).await).is_some()).await;
        cluster.warm_up().await;
        assert!(cluster.node(0).proxy.connections() > before, "lost connections are not used again");
    }
    cluster.sign_out(1).await;
    until("node 0 is notified", async || token_of(&cluster.fetch(0).await).is_none()).await;
}

#[tokio::test]
async fn closed_connections_cause_no_failure() {
    let cluster = Cluster::signed_in(1).await;
    cluster.warm_up().await;
    let end = async || cluster.server.sql(END_CONNECTIONS).await[0].parse::<usize>().expect("a number");
    let mut ended = 0;
    for _ in 0..5 {
        ended += end().await;
        let token = cluster.token(0).await;
        cluster.pass(Duration::from_secs(10));
        ended += end().await;
        soon(token.session().refresh(&token)).await.expect("a token");
    }
    assert!(ended > 5, "{ended}");
    cluster.node(0).proxy.cut();
    cluster.token(0).await;
}

#[tokio::test]
async fn s53_a_node_whose_answers_are_lost_does_not_serve_an_ended_session_for_long() {
    let cluster = Cluster::signed_in(2).await;
    cluster.warm_up().await;
    cluster.node(1).proxy.swallow_answers();
    cluster.sign_out(0).await;
    let stale = until("it is noticed", async || token_of(&cluster.fetch(1).await).is_none()).await;
    assert!(stale < STALENESS + GIVEN_UP, "{stale:?}");
    cluster.node(1).proxy.resume().await;
    until("it is known", async || error_of(&cluster.fetch(1).await) == "unauthenticated").await;
}

/// Shadows the function that sends notifications, as if a pooler lost them.
const LOSE_NOTIFICATIONS: &str = "
    CREATE SCHEMA silent;
    CREATE FUNCTION silent.pg_notify(text, text) RETURNS text LANGUAGE sql AS 'SELECT NULL';
    ALTER DATABASE postgres SET search_path = silent, pg_catalog, public;";

#[tokio::test]
async fn a_server_that_sends_no_notifications_is_asked_at_every_request() {
    let logs = Logs::collect();
    let server = PostgresServer::start().await;
    server.sql(PostgresStore::schema()).await;
    server.sql(LOSE_NOTIFICATIONS).await;
    let cluster = Cluster::with(server, 2, |_, layer, store| layer.store(store)).await.sign_in().await;
    for _ in 0..20 {
        assert!(cluster.at_once(0).is_none(), "a node asks the server");
        cluster.token(0).await;
        cluster.token(1).await;
    }
    until("it is told", async || logs.text().contains("PostgreSQL sends no notifications of changes")).await;
    cluster.sign_out(0).await;
    assert_refused(&cluster.fetch(1).await, "unauthenticated");
}

#[tokio::test]
async fn a_black_hole_takes_no_connection_from_the_apps_own_pool() {
    const MOST: u32 = 2;
    let database = PostgresDatabase::create().await;
    let proxy = Proxy::to(database.addr()).await;
    // Otherwise the pool notices by itself, but not if a connection is lost in the middle of an operation.
    let pool = PgPoolOptions::new().max_connections(MOST).test_before_acquire(false);
    let pool = pool.connect(&database.url_at(proxy.addr())).await.expect("a pool");
    let store = PostgresStore::from_pool(pool.clone());
    soon(store.get(&key(1))).await.expect("it works");
    // The pool waits for an answer on a connection that is given back.
    until("the connection is back", async || pool.num_idle() == 1).await;
    proxy.black_hole();
    for _ in 0..2 * MOST {
        soon(store.get(&key(1))).await.expect_err("nobody answers");
    }
    assert_eq!(pool.size(), 0, "a lost connection is no longer the pool's");
    proxy.resume().await;
    soon(store.get(&key(1))).await.expect("it works again");
    let all: Vec<_> = join_all((0..MOST).map(|_| soon(pool.acquire()))).await;
    assert!(all.iter().all(Result::is_ok), "the app has all its connections");
}

#[tokio::test]
async fn requests_that_hang_up_close_no_connection() {
    let database = PostgresDatabase::create().await;
    let proxy = Proxy::to(database.addr()).await;
    let store = PostgresStore::from_url(&database.url_at(proxy.addr())).expect("a valid URL");
    soon(store.get(&key(1))).await.expect("it works");
    let before = proxy.connections();
    proxy.delay(Duration::from_millis(20));
    for _ in 0..20 {
        // Far less than the delay of an answer.
        let hung_up = timeout(Duration::from_millis(2), store.get(&key(1))).await;
        assert!(hung_up.is_err(), "{hung_up:?}");
    }
    proxy.delay(Duration::ZERO);
    soon(store.get(&key(1))).await.expect("it works");
    let opened = proxy.connections() - before;
    assert!(opened < 5, "{opened} connections for twenty requests that hung up");
}

#[tokio::test]
async fn connections_that_a_firewall_forgot_cost_one_operation() {
    let database = PostgresDatabase::create().await;
    let proxy = Proxy::to(database.addr()).await;
    let store = PostgresStore::from_url(&database.url_at(proxy.addr())).expect("a valid URL");
    proxy.delay(Duration::from_millis(20));
    let key = key(1);
    let before = join_all((0..20).map(|_| soon(store.get(&key)))).await;
    assert!(before.iter().all(Result::is_ok) && proxy.connections() > 2, "{}", proxy.connections());
    proxy.forget();
    soon(store.get(&key)).await.expect_err("nobody answers");
    soon(store.get(&key)).await.expect("the other connections are not tried");
}
