use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::*;
use crate::{Proxy, soon};

#[tokio::test]
async fn a_server_loses_everything_when_it_restarts_unless_it_gets_a_dump_back() {
    let mut server = soon(RedisServer::start()).await;
    server.command(&["SET", "name", "old"]).await;
    let dump = server.save_dump().await;
    server.command(&["SET", "name", "new"]).await;

    server.restart().await;
    assert_eq!(server.command(&["GET", "name"]).await, "");
    server.restore_dump(&dump).await;
    assert_eq!(server.command(&["GET", "name"]).await, "old");
    server.restart().await;
    assert_eq!(server.command(&["DBSIZE"]).await, "0", "a dump is loaded once");
}

#[tokio::test]
async fn a_killed_server_refuses_connections_and_comes_back_where_it_was() {
    let mut server = soon(RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"])).await;
    let url = server.url();
    server.command(&["SET", "name", "kept"]).await;
    server.kill();
    let refused = Connection::connect(server.addr(), None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    server.restart().await;
    assert_eq!((server.command(&["GET", "name"]).await.as_str(), server.url()), ("kept", url));
}

#[tokio::test]
async fn a_frozen_server_accepts_connections_and_answers_when_it_is_thawed() {
    let server = soon(RedisServer::start()).await;
    server.freeze();
    let mut connection = server.connect().await;
    let mut answer = Box::pin(connection.ask(&["PING"]));
    // No event shows that an answer does not come, so this waits much longer than an answer takes.
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut answer).await.is_err());
    server.thaw();
    assert_eq!(soon(answer).await.unwrap(), "PONG");
}

#[tokio::test]
async fn options_reach_the_server_and_a_password_its_url() {
    let server =
        soon(RedisServer::with(&["--requirepass", "secret", "--rename-command", "FLUSHALL", ""])).await;
    let addr = server.addr();
    assert_eq!(server.url(), format!("redis://:secret@{addr}"));
    assert_eq!(server.command(&["CONFIG", "GET", "requirepass"]).await, "requirepass\nsecret");
    let mut stranger = Connection::connect(addr, None).await.unwrap();
    assert!(stranger.ask(&["GET", "name"]).await.unwrap_err().to_string().starts_with("NOAUTH"));
    let unknown = AssertUnwindSafe(server.command(&["FLUSHALL"])).catch_unwind().await;
    assert!(unknown.unwrap_err().downcast::<String>().unwrap().contains("unknown command"));
}

#[tokio::test]
async fn a_replica_follows_its_server() {
    let server = soon(RedisServer::with(&["--repl-diskless-sync-delay", "0"])).await;
    let port = server.addr().port().to_string();
    let replica = soon(RedisServer::with(&["--replicaof", "127.0.0.1", &port])).await;
    soon(async {
        while !replica.command(&["INFO", "replication"]).await.contains("master_link_status:up") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // `WAIT` covers the writes of its own connection.
    let mut client = server.connect().await;
    client.ask(&["SET", "name", "value"]).await.unwrap();
    assert_eq!(client.ask(&["WAIT", "1", "10000"]).await.unwrap(), "1");
    assert_eq!(replica.command(&["GET", "name"]).await, "value");
}

#[tokio::test]
async fn commands_of_clients_are_counted_and_told_and_those_of_scripts_apart() {
    let server = soon(RedisServer::start()).await;
    let proxy = Proxy::to(server.addr()).await;
    assert_eq!(server.url_at(proxy.addr()), format!("redis://{}", proxy.addr()));
    let mut client = Connection::connect(proxy.addr(), None).await.unwrap();
    let mut monitor = server.monitor().await;
    let before = server.calls().await;
    client.ask(&["SET", "canary", "1\r\n"]).await.unwrap();
    client.ask(&["EVAL", "return redis.call('GET', 'canary')", "0"]).await.unwrap();
    let after = server.calls().await;
    let more = |command: &str| after.get(command).unwrap_or(&0) - before.get(command).unwrap_or(&0);
    assert_eq!((more("set"), more("eval"), more("get"), more("hmget")), (1, 1, 1, 0));

    let mut commands = soon(monitor.commands()).await;
    commands.retain(|command| !command.starts_with(r#""INFO""#));
    let script = r#""EVAL" "return redis.call('GET', 'canary')" "0""#;
    assert_eq!(commands, [r#""SET" "canary" "1\r\n""#, script]);
    assert!(soon(monitor.commands()).await.is_empty(), "told once");
}

#[tokio::test]
async fn another_server_on_the_port_is_not_taken_for_ones_own() {
    let server = soon(RedisServer::start()).await;
    let (port, directory) = (server.port, server.directory.with_extension("late"));
    fs::create_dir_all(&directory).unwrap();
    let late = RedisServer { process: launch(port, &directory, &[]), port, directory, options: Vec::new() };
    assert!(server.is_ready().await && !late.is_ready().await);
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_files() {
    let server = soon(RedisServer::start()).await;
    let (addr, directory) = (server.addr(), server.directory.clone());
    assert!(directory.exists());
    drop(server);
    assert!(Connection::connect(addr, None).await.is_err() && !directory.exists());
}
