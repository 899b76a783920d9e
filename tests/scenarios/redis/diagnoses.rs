//! A Redis that cannot be used. The log states what to correct.

use http::StatusCode;
use osc_tests::{Logs, Proxy, RedisServer, free_port, soon};

use super::cluster::{Cluster, open, plain, provider};
use super::{assert_refused, assert_unavailable, until};

const PASSWORD: &str = "hunter2-hunter2";
const USER: [&str; 6] = ["ACL", "SETUSER", "app", "on", "~osc-auth:*", "+@all"];

/// Returns one node whose store is at this URL, and a visitor with a well-formed cookie.
pub(super) async fn node(redis: RedisServer, url: impl Fn(std::net::SocketAddr) -> String) -> Cluster {
    let mut cluster = Cluster::with(redis, provider().await, 1, |_, addr| url(addr), plain).await;
    cluster.browser.set_cookie("osc_session_3000", &format!("{:042}A", 0));
    cluster
}

fn as_app(addr: std::net::SocketAddr) -> String {
    format!("redis://app:{PASSWORD}@{addr}")
}

/// Checks that nobody gets in and that the log names the cause once, for any number of requests.
pub(super) async fn assert_told(cluster: &Cluster, logs: &Logs, what: &str) {
    for _ in 0..20 {
        assert_unavailable(&cluster.fetch(0).await);
    }
    let text = logs.text();
    let lines: Vec<_> =
        text.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    let telling: Vec<_> = lines.iter().filter(|line| line.contains(what)).collect();
    assert!(!telling.is_empty(), "{what}: {lines:#?}");
    // On a busy machine, the log may add that Redis is too slow.
    assert!(telling.len() <= 3, "{lines:#?}");
    assert!(telling.iter().all(|line| line.contains("the store's URL")), "{telling:#?}");
    assert_quiet(logs);
}

fn assert_quiet(logs: &Logs) {
    assert!(!logs.text().contains(PASSWORD), "the log holds the password");
}

/// Checks that sign-in and sessions work.
async fn assert_works(cluster: &mut Cluster) {
    until("it works", async || cluster.fetch(0).await.headers().get("retry-after").is_none()).await;
    assert_refused(&cluster.fetch(0).await, "unauthenticated");
    assert_eq!(soon(cluster.browser.sign_in(&cluster.osc)).await.status(), StatusCode::SEE_OTHER);
    cluster.token(0).await;
}

#[tokio::test]
async fn a_wrong_password_is_logged_without_it_and_can_be_fixed() {
    let logs = Logs::collect();
    let redis = RedisServer::start().await;
    redis.command(&[&USER[..], &[">another"]].concat()).await;
    let mut cluster = node(redis, as_app).await;
    assert_told(&cluster, &logs, "refuses the user or password").await;
    cluster.server.command(&["ACL", "SETUSER", "app", &format!(">{PASSWORD}")]).await;
    assert_works(&mut cluster).await;
    assert_quiet(&logs);
}

#[tokio::test]
async fn a_missing_password_is_logged() {
    let logs = Logs::collect();
    let redis = RedisServer::with(&["--requirepass", PASSWORD]).await;
    let cluster = node(redis, |addr| open(0, addr)).await;
    assert_told(&cluster, &logs, "refuses the user or password").await;
}

#[tokio::test]
async fn missing_acl_rights_are_logged_and_can_be_granted() {
    for (rights, missing, given) in [
        ("resetkeys", "NOPERM", "~osc-auth:*"),
        ("-evalsha", "NOPERM", "+evalsha"),
        ("-hmget", "NOPERM", "+hmget"),
        ("nocommands", "NOPERM", "+@all"),
    ] {
        let logs = Logs::collect();
        let redis = RedisServer::start().await;
        redis.command(&[&USER[..], &[&format!(">{PASSWORD}"), rights]].concat()).await;
        let mut cluster = node(redis, as_app).await;
        assert_told(&cluster, &logs, missing).await;
        cluster.server.command(&["ACL", "SETUSER", "app", given]).await;
        assert_works(&mut cluster).await;
        assert_quiet(&logs);
    }
}

#[tokio::test]
async fn the_documented_acl_rights_are_enough() {
    let redis = RedisServer::start().await;
    let rights = ["~osc-auth:*", "+@read", "+@write", "+@scripting", "+@connection", "+time"];
    let password = format!(">{PASSWORD}");
    redis.command(&[&["ACL", "SETUSER", "app", "on", &password][..], &rights].concat()).await;
    let mut cluster = node(redis, as_app).await;
    assert_works(&mut cluster).await;
    let token = cluster.token(0).await;
    soon(token.session().refresh(&token)).await.expect("a token");
    cluster.warm_up().await;
    cluster.sign_out(0).await;
    assert_refused(&cluster.fetch(0).await, "unauthenticated");
}

#[tokio::test]
async fn a_read_only_replica_is_logged_and_works_when_promoted() {
    let logs = Logs::collect();
    let primary = RedisServer::start().await;
    let port = primary.addr().port().to_string();
    let replica = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
    let mut cluster = node(RedisServer::with(&replica).await, |addr| open(0, addr)).await;
    assert_told(&cluster, &logs, "read-only replica").await;

    cluster.server.command(&["REPLICAOF", "NO", "ONE"]).await;
    assert_works(&mut cluster).await;

    // The server becomes a replica again, as after a failover that the app's URL did not follow. It also loses its sessions to the
    // primary's data, which a Redis without notifications may show first.
    cluster.server.command(&["REPLICAOF", "127.0.0.1", &port]).await;
    until("it is noticed", async || cluster.fetch(0).await.status() != StatusCode::OK).await;
}

#[tokio::test]
async fn an_unknown_host_is_logged() {
    let logs = Logs::collect();
    let url = |_| format!("redis://app:{PASSWORD}@no-such-host.invalid:6379");
    let cluster = node(RedisServer::start().await, url).await;
    assert_told(&cluster, &logs, "check host, port").await;
}

#[tokio::test]
async fn a_refused_port_is_logged_and_works_once_redis_is_up() {
    let logs = Logs::collect();
    let mut cluster = node(RedisServer::start().await, as_app).await;
    cluster.node(0).proxy.refuse().await;
    assert_told(&cluster, &logs, "cannot be reached").await;
    cluster.server.command(&[&USER[..], &[&format!(">{PASSWORD}")]].concat()).await;
    cluster.node(0).proxy.resume().await;
    assert_works(&mut cluster).await;
    assert_quiet(&logs);
}

#[tokio::test]
async fn a_server_that_is_no_redis_is_logged() {
    let osc = provider().await;
    let http = osc.address();
    let (silent, silent_addr) = free_port().await;
    for (addr, what) in [(http, "does not answer like Redis"), (silent_addr, "did not answer in time")] {
        let logs = Logs::collect();
        let proxy = Proxy::to(addr).await;
        let url = |_| as_app(proxy.addr());
        let cluster = node(RedisServer::start().await, url).await;
        assert_told(&cluster, &logs, what).await;
    }
    drop(silent);
}
