//! `check()` with each thing wrong in turn at PostgreSQL.

use mock_osc::MockOsc;
use osc_auth_layer::preflight::{CheckReport, Severity, Subject};
use osc_auth_layer::store::PostgresStore;
use osc_tests::{
    PostgresDatabase, PostgresServer, assert_found, assert_nothing_found, free_port, layer_for, preflight,
};

const PASSWORD: &str = "hunter2-hunter2";

async fn report_at(url: &str) -> CheckReport {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let layer = layer_for(&osc).store_url(url).build().expect("the test's layer builds");
    preflight(&layer, &[PASSWORD, "owner-password"]).await
}

/// Makes a user who may connect and no more. Returns the name and the URL.
async fn user(database: &PostgresDatabase) -> (String, String) {
    let name = format!("app_{:08x}", rand::random::<u32>());
    database.sql(&format!("CREATE USER {name} PASSWORD '{PASSWORD}'")).await;
    let url = database.url_as(&name, PASSWORD);
    (name, url)
}

#[tokio::test]
async fn a_right_database_has_no_findings_and_no_row_is_left() {
    let database = PostgresDatabase::create().await;
    assert_nothing_found(&report_at(&database.url()).await);
    assert_eq!(database.sql("SELECT count(*) FROM osc_auth_sessions").await, ["0"]);
    assert_nothing_found(&report_at(&database.url()).await);
}

#[tokio::test]
async fn missing_privileges_are_named() {
    let database = PostgresDatabase::create().await;
    let (name, url) = user(&database).await;
    let report = report_at(&url).await;
    assert_found(&report, Severity::Error, Subject::Store, "osc_auth_sessions does not exist");
    assert!(report.to_string().contains("PostgresStore::schema()"), "{report}");

    database.sql(PostgresStore::schema()).await;
    database.sql(&format!("GRANT SELECT, INSERT ON osc_auth_sessions TO {name}")).await;
    let report = report_at(&url).await;
    assert_found(&report, Severity::Error, Subject::Store, "lacks UPDATE and DELETE on the table");

    database.sql(&format!("GRANT UPDATE, DELETE ON osc_auth_sessions TO {name}")).await;
    assert_nothing_found(&report_at(&url).await);
}

#[tokio::test]
async fn a_table_of_another_shape_is_found_and_left_alone() {
    for table in [
        "(name text)",
        "(namespace text, key text, version text, value text, expires_at date, user_group text)",
    ] {
        let database = PostgresDatabase::create().await;
        database.sql(&format!("CREATE TABLE osc_auth_sessions {table}")).await;
        let report = report_at(&database.url()).await;
        assert_found(&report, Severity::Error, Subject::Store, "another table is named osc_auth_sessions");
        assert_eq!(database.sql("SELECT count(*) FROM osc_auth_sessions").await, ["0"]);
    }
}

/// Shadows a function of the server for one user.
async fn shadow(database: &PostgresDatabase, name: &str, function: &str) {
    let path = format!("ALTER USER {name} SET search_path = shadow, pg_catalog, public");
    database
        .sql(&format!("CREATE SCHEMA shadow; GRANT USAGE ON SCHEMA shadow TO {name}; {function}; {path}"))
        .await;
}

/// Returns a database with the table, and a user who may use it.
async fn with_table() -> (PostgresDatabase, String, String) {
    let database = PostgresDatabase::create().await;
    let (name, url) = user(&database).await;
    database.sql(PostgresStore::schema()).await;
    database.sql(&format!("GRANT ALL ON osc_auth_sessions TO {name}")).await;
    (database, name, url)
}

#[tokio::test]
async fn notifications_that_do_not_arrive_are_found() {
    let (database, name, url) = with_table().await;
    let silent = "CREATE FUNCTION shadow.pg_notify(text, text) RETURNS text LANGUAGE sql AS 'SELECT NULL'";
    shadow(&database, &name, silent).await;
    let report = report_at(&url).await;
    assert_found(
        &report,
        Severity::Warning,
        Subject::Store,
        "sent no notification of a change within a second",
    );
}

#[tokio::test]
async fn a_pooler_that_shares_sessions_is_found() {
    let (database, name, url) = with_table().await;
    // A pooler in transaction mode lets two connections meet in one session of the server.
    let shared = "CREATE FUNCTION shadow.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 7'";
    shadow(&database, &name, shared).await;
    let report = report_at(&url).await;
    assert_found(&report, Severity::Warning, Subject::Store, "A pooler shares the connections to PostgreSQL");
}

#[tokio::test]
async fn a_standby_is_found() {
    let mut server = PostgresServer::start().await;
    server.sql(PostgresStore::schema()).await;
    server.restart_as_standby().await;
    let report = report_at(&server.url()).await;
    assert_found(&report, Severity::Error, Subject::Store, "a read-only standby");
    assert!(report.to_string().contains("Name the primary server"), "{report}");
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_one_finding() {
    let database = PostgresDatabase::create().await;
    let (name, _) = user(&database).await;
    let report = report_at(&database.url_as(&name, "wrong")).await;
    assert_found(&report, Severity::Error, Subject::Store, "refuses the user or the password");
    let (listener, addr) = free_port().await;
    drop(listener);
    let report = report_at(&format!("postgres://app:{PASSWORD}@{addr}/app?sslmode=disable")).await;
    assert_found(&report, Severity::Error, Subject::Store, "check its host and port");
}
