//! The contract of session stores, tested on `PostgresStore`.

use osc_auth_layer::store::PostgresStore;
use osc_auth_layer::test_util::store_contract;
use osc_tests::PostgresDatabase;
use sqlx::postgres::PgPoolOptions;

use crate::stores;

fn store(url: &str) -> PostgresStore {
    PostgresStore::from_url(url).expect("a valid URL")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_store_meets_the_store_contract() {
    let database = PostgresDatabase::create().await;
    store_contract::run(async || store(&database.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_the_apps_own_pool_meets_the_contract() {
    let database = PostgresDatabase::create().await;
    let pool = PgPoolOptions::new().max_connections(4).connect(&database.url()).await.expect("a pool");
    store_contract::run(async || PostgresStore::from_pool(pool.clone()).with_namespace("app:ä")).await;
    let namespaces = database.sql("SELECT DISTINCT namespace FROM osc_auth_sessions").await;
    assert_eq!(namespaces, ["app:ä"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_of_any_length_meets_the_contract() {
    let database = PostgresDatabase::create().await;
    let long = "ä\"' \\".repeat(100);
    store_contract::run(async || store(&database.url()).with_namespace(long.clone())).await;
}

#[tokio::test]
async fn namespaces_do_not_see_each_other() {
    let database = PostgresDatabase::create().await;
    let at = |namespace| store(&database.url()).with_namespace(namespace);
    stores::namespaces_are_apart(&at("one"), &at("other")).await;
}

#[test]
fn a_store_made_outside_a_runtime_works_in_one_runtime_after_another() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let database = runtime.block_on(PostgresDatabase::create());
    stores::works_in_one_runtime_after_another(store(&database.url()));
}

#[tokio::test]
async fn expired_entries_go_although_nobody_signs_in() {
    let database = PostgresDatabase::create().await;
    stores::expired_entries_go(&store(&database.url()), async || {
        database.sql("SELECT key FROM osc_auth_sessions").await.len()
    })
    .await;
}
