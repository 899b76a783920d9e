use super::*;
use crate::soon;

#[tokio::test]
async fn a_server_keeps_its_data_when_killed_and_forgets_them_with_an_older_backup() {
    let mut server = soon(PostgresServer::start()).await;
    server.sql("CREATE TABLE kept (name text); INSERT INTO kept VALUES ('old')").await;
    soon(server.save_backup()).await;
    server.sql("UPDATE kept SET name = 'new'").await;
    soon(server.restart()).await;
    assert_eq!(server.sql("SELECT name, 1 FROM kept").await, ["new|1"]);
    soon(server.restore_backup()).await;
    assert_eq!(server.sql("SELECT name FROM kept").await, ["old"]);
    soon(server.restart_as_standby()).await;
    assert_eq!(server.sql("SELECT pg_is_in_recovery()").await, ["t"]);
}

#[tokio::test]
async fn databases_in_one_server_are_apart() {
    let (one, other) = (PostgresDatabase::create().await, PostgresDatabase::create().await);
    one.sql("CREATE TABLE here (name text)").await;
    assert_eq!(other.sql("SELECT to_regclass('here') IS NULL").await, ["t"]);
}
