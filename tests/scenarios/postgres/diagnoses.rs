//! A database that cannot be used. The log states what to correct.

use std::time::Duration;

use http::StatusCode;
use osc_auth_layer::store::{PostgresStore, SessionStore};
use osc_tests::{PostgresDatabase, PostgresServer, error_of, free_port, soon};

use super::fleet::Cluster;
use crate::fleet::until;
use crate::stores::{key, new};

const PASSWORD: &str = "hunter2-hunter2";

/// Returns the error of a sign-in and of a read.
async fn errors(store: &PostgresStore) -> Vec<String> {
    let read = soon(store.get(&key(1))).await.map(drop);
    let written = soon(store.swap(&key(1), new(b"1", Duration::from_secs(60)))).await.map(drop);
    let errors = [read, written].into_iter().filter_map(Result::err);
    errors
        .map(|error| format!("{error:?}"))
        .inspect(|error| assert!(!error.contains(PASSWORD), "{error}"))
        .collect()
}

async fn assert_told(url: &str, what: &str) {
    let store = PostgresStore::from_url(url).expect("a valid URL");
    let errors = errors(&store).await;
    assert!(!errors.is_empty() && errors.iter().all(|error| error.contains(what)), "{what}: {errors:#?}");
}

async fn assert_works(store: &PostgresStore) {
    assert_eq!(errors(store).await, [""; 0]);
}

/// Makes a user who may connect and no more.
async fn with_user(rights: &str) -> (PostgresDatabase, String, String) {
    let database = PostgresDatabase::create().await;
    let name = format!("app_{:08x}", rand::random::<u32>());
    database
        .sql(&format!("CREATE USER {name} PASSWORD '{PASSWORD}'; {}", rights.replace("USER", &name)))
        .await;
    let url = database.url_as(&name, PASSWORD);
    (database, name, url)
}

#[tokio::test]
async fn a_wrong_password_or_user_is_told_without_it() {
    let (database, name, _) = with_user("").await;
    assert_told(&database.url_as(&name, "hunter2-hunter2-wrong"), "refuses the user or the password").await;
    assert_told(&database.url_as("nobody", PASSWORD), "refuses the user or the password").await;
}

#[tokio::test]
async fn a_missing_database_is_told() {
    let (database, _, url) = with_user("").await;
    let (front, _) = url.rsplit_once('/').expect("a path");
    assert_told(&format!("{front}/absent?sslmode=disable"), "no such database; create it").await;
    drop(database);
}

#[tokio::test]
async fn an_unreachable_server_is_told() {
    let (listener, addr) = free_port().await;
    let url = format!("postgres://app:{PASSWORD}@{addr}/app?sslmode=disable");
    // Nobody answers on it.
    assert_told(&url, "did not answer in time").await;
    drop(listener);
    assert_told(&url, "check its host and port").await;
    assert_told(&format!("postgres://app:{PASSWORD}@no-such-host.invalid/app"), "check its host and port")
        .await;
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_needs_the_schema_and_four_privileges() {
    let (database, name, url) = with_user("").await;
    assert_told(&url, "make the table of PostgresStore::schema()").await;
    database.sql(PostgresStore::schema()).await;
    let store = PostgresStore::from_url(&url).expect("a valid URL");
    for missing in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
        let others = ["SELECT", "INSERT", "UPDATE", "DELETE"].into_iter().filter(|right| *right != missing);
        let others = others.collect::<Vec<_>>().join(", ");
        database
            .sql(&format!(
                "REVOKE ALL ON osc_auth_sessions FROM {name}; GRANT {others} ON osc_auth_sessions TO {name}"
            ))
            .await;
        let mut failed = errors(&store).await;
        if let Err(error) =
            soon(store.delete(&key(1), osc_auth_layer::store::Version::from_bytes([1; 16]))).await
        {
            failed.push(format!("{error:?}"));
        }
        assert!(
            !failed.is_empty() && failed.iter().all(|error| error.contains("grant SELECT")),
            "{missing}: {failed:?}"
        );
    }
    database.sql(&format!("GRANT ALL ON osc_auth_sessions TO {name}; TRUNCATE osc_auth_sessions")).await;
    assert_works(&store).await;
}

#[tokio::test]
async fn another_table_of_the_same_name_is_told_and_left_alone() {
    for table in [
        "(name text)",
        "(namespace text, key text, version text, value text, expires_at date, user_group text)",
    ] {
        let database = PostgresDatabase::create().await;
        database.sql(&format!("CREATE TABLE osc_auth_sessions {table}")).await;
        assert_told(&database.url(), "another table is named osc_auth_sessions").await;
    }
}

#[tokio::test]
async fn a_standby_is_told_and_works_when_promoted() {
    let mut cluster = Cluster::signed_in(1).await;
    cluster.warm_up().await;
    cluster.server.restart_as_standby().await;
    until("it reads", async || osc_tests::token_of(&cluster.fetch(0).await).is_some()).await;
    let mut stranger = cluster.at(0);
    stranger.forget_cookies("");
    let path = osc_tests::callback(&mut stranger, &cluster.osc).await;
    assert_eq!(soon(stranger.navigate(&path)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_told(&cluster.server.url(), "read-only; name the primary server").await;

    cluster.server.sql("SELECT pg_promote()").await;
    until("it works", async || {
        stranger.forget_cookies("");
        soon(stranger.sign_in(&cluster.osc)).await.status() == StatusCode::SEE_OTHER
    })
    .await;
}

#[tokio::test]
async fn malformed_rows_are_an_outage_for_their_users_only() {
    let mut cluster = Cluster::signed_in(2).await;
    let whole = cluster.browser.clone();
    cluster.browser.forget_cookies("");
    soon(cluster.browser.sign_in(&cluster.osc)).await;
    let ids = cluster
        .server
        .sql("SELECT key FROM osc_auth_sessions WHERE user_group IS NOT NULL ORDER BY expires_at")
        .await;
    for (change, error) in [
        ("version = '\\x00'", "temporarily_unavailable"),
        ("version = '\\x00000000000000000000000000000000', value = ''", "unauthenticated"),
        ("value = '\\x00'", "unauthenticated"),
    ] {
        cluster.server.sql(&format!("UPDATE osc_auth_sessions SET {change} WHERE key = '{}'", ids[1])).await;
        // A node that has not seen the session.
        let answer = cluster.fetch(1).await;
        assert_eq!(error_of(&answer), error, "{change}");
        assert!(osc_tests::token_of(&soon(cluster.send(&whole, 1).fetch("/")).await).is_some(), "{change}");
    }
    drop(cluster);
}

#[tokio::test]
async fn a_full_server_is_told() {
    let server = PostgresServer::start().await;
    server.sql("CREATE USER app PASSWORD 'app' CONNECTION LIMIT 0").await;
    let (_, place) =
        server.url().split_once('@').map(|(user, place)| (user.to_owned(), place.to_owned())).expect("a URL");
    assert_told(&format!("postgres://app:app@{place}"), "no connection left").await;
}
