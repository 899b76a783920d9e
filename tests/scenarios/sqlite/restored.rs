//! A file that is replaced by an older backup, or deleted, while the app runs.

use std::fs;

use http::StatusCode;
use osc_tests::{EXPIRED, SqliteFile, soon, token_of};

use super::fleet::Cluster;
use crate::fleet::{assert_refused, until};

/// Returns a copy of the file, as SQLite's own command makes it.
async fn backup(file: &SqliteFile) -> std::path::PathBuf {
    let backup = file.directory().join("backup.db");
    file.sql(&format!("VACUUM INTO '{}'", backup.display())).await;
    backup
}

#[tokio::test]
async fn s54_a_node_with_newer_tokens_writes_them_to_a_restored_file() {
    let cluster = Cluster::signed_in(2).await;
    cluster.warm_up().await;
    let old = cluster.token(0).await;
    let backup = backup(&cluster.server).await;
    let new = soon(old.session().refresh(&old)).await.expect("a token");
    until("node 1 sees it", async || cluster.token(1).await.access_token() == new.access_token()).await;
    assert_eq!(cluster.rotation().await, 2);
    cluster.server.sql("CREATE TABLE after_the_backup (name TEXT)").await;

    fs::rename(backup, cluster.server.path()).expect("the backup is restored");

    until("the file gets the newer tokens", async || {
        assert_eq!(cluster.token(0).await.access_token(), new.access_token());
        cluster.rotation().await == 2
    })
    .await;
    until("node 1 has them", async || cluster.token(1).await.access_token() == new.access_token()).await;
    assert_eq!(cluster.refreshes(), 1);
    cluster.pass(EXPIRED);
    let next = cluster.token(1).await;
    assert!(cluster.osc.is_live(next.access_token()), "the file held the refresh token that works");
    let later = cluster.server.sql("SELECT name FROM sqlite_schema WHERE name = 'after_the_backup'").await;
    assert_eq!(later, [""; 0], "nothing of the old file was applied to the new one");
    assert_eq!(cluster.server.sql("PRAGMA integrity_check").await, ["ok"]);
}

#[tokio::test]
async fn s54_a_signed_out_session_stays_ended_after_a_restore() {
    let cluster = Cluster::signed_in(2).await;
    cluster.warm_up().await;
    let backup = backup(&cluster.server).await;
    cluster.sign_out(0).await;
    until("node 1 sees it", async || token_of(&cluster.fetch(1).await).is_none()).await;
    fs::rename(backup, cluster.server.path()).expect("the backup is restored");
    for _ in 0..50 {
        for at in [0, 1] {
            assert_refused(&cluster.fetch(at).await, "unauthenticated");
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_deleted_file_signs_everybody_out_and_is_made_again() {
    let mut cluster = Cluster::signed_in(2).await;
    cluster.warm_up().await;
    for is_with_the_log in [true, false] {
        fs::remove_file(cluster.server.path()).expect("the store made it");
        if is_with_the_log {
            let _ = fs::remove_file(cluster.server.directory().join("sessions.db-wal"));
            let _ = fs::remove_file(cluster.server.directory().join("sessions.db-shm"));
        }
        for at in 0..2 {
            // While the file is made again, the node answers as in an outage.
            until("it is noticed", async || cluster.fetch(at).await.status() == StatusCode::UNAUTHORIZED)
                .await;
            assert_refused(&cluster.fetch(at).await, "unauthenticated");
        }
        cluster.browser.forget_cookies("");
        soon(cluster.browser.sign_in(&cluster.osc)).await;
        cluster.warm_up().await;
        assert_eq!(cluster.rotation().await, 1);
    }
}
