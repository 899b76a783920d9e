//! A stolen file, and records that are moved.

use std::fs;

use osc_auth_layer::store::SqliteStore;
use osc_tests::{SqliteFile, soon};

use super::fleet::Cluster;
use crate::fleet::assert_refused;
use crate::stores;

#[tokio::test]
async fn s25_a_copy_of_the_files_holds_no_token_session_id_or_secret() {
    let cluster = Cluster::signed_in(1).await;
    let token = cluster.token(0).await;
    soon(token.session().refresh(&token)).await.expect("a token");
    let mut copy = fs::read(cluster.server.path()).expect("the file");
    copy.extend(fs::read(cluster.server.directory().join("sessions.db-wal")).expect("its log"));
    stores::holds_no_secret(&cluster, &copy).await;
}

#[tokio::test]
async fn a_record_moved_to_another_namespace_opens_nothing() {
    let apps = Cluster::made(SqliteFile::new(), 2, |number, layer, store: SqliteStore| {
        layer.store(if number == 0 { store } else { store.with_namespace("other") })
    });
    let apps = apps.await.sign_in().await;
    assert_refused(&apps.fetch(1).await, "unauthenticated");
    let copy = "INSERT INTO osc_auth_sessions SELECT 'other', key, version, value, expires_at, user_group FROM osc_auth_sessions";
    apps.server.sql(copy).await;
    assert_refused(&apps.fetch(1).await, "unauthenticated");
    apps.token(0).await;
}
