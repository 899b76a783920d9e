//! The contract of session stores, tested on `SqliteStore`.

use osc_auth_layer::store::SqliteStore;
use osc_auth_layer::test_util::store_contract;
use osc_tests::SqliteFile;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::stores;

fn store(file: &SqliteFile) -> SqliteStore {
    SqliteStore::from_url(&file.url()).expect("a valid URL")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_one_file_meet_the_store_contract() {
    let file = SqliteFile::new();
    // Each store has a connection of its own, as a process has.
    store_contract::run(async || store(&file)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_layers_of_one_process_meet_the_contract() {
    let file = SqliteFile::new();
    let shared = store(&file).with_namespace("app:ä");
    store_contract::run(async || shared.clone()).await;
    assert_eq!(file.sql("SELECT DISTINCT namespace FROM osc_auth_sessions").await, ["app:ä"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_the_apps_own_pool_meets_the_contract() {
    let file = SqliteFile::new();
    let options = SqliteConnectOptions::new().filename(file.path()).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.expect("a pool");
    store_contract::run(async || SqliteStore::from_pool(pool.clone())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_one_connection_in_memory_meets_the_contract() {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.expect("a pool");
    store_contract::run(async || SqliteStore::from_pool(pool.clone())).await;
}

#[tokio::test]
async fn namespaces_do_not_see_each_other() {
    let file = SqliteFile::new();
    stores::namespaces_are_apart(&store(&file).with_namespace("one"), &store(&file).with_namespace("other"))
        .await;
}

#[test]
fn a_store_made_outside_a_runtime_works_in_one_runtime_after_another() {
    stores::works_in_one_runtime_after_another(store(&SqliteFile::new()));
}

#[tokio::test]
async fn expired_entries_go_although_nobody_signs_in() {
    let file = SqliteFile::new();
    stores::expired_entries_go(&store(&file), async || {
        file.sql("SELECT key FROM osc_auth_sessions").await.len()
    })
    .await;
}
