//! `check()` with each thing wrong in turn at an SQLite file.

use std::fs;

use mock_osc::MockOsc;
use osc_auth_layer::preflight::{CheckReport, Severity, Subject};
use osc_auth_layer::store::{SessionStore, SqliteStore};
use osc_tests::{
    NodeSetup, Sample, SqliteFile, assert_found, assert_nothing_found, free_port, layer_for, preflight,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

async fn report_of(store: impl SessionStore) -> CheckReport {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let layer = layer_for(&osc).store(store).build().expect("the test's layer builds");
    preflight(&layer, &[]).await
}

fn store(file: &SqliteFile) -> SqliteStore {
    SqliteStore::from_url(&file.url()).expect("a valid URL")
}

#[tokio::test]
async fn a_right_file_has_no_findings_and_no_row_is_left() {
    let file = SqliteFile::new();
    assert_nothing_found(&report_of(store(&file)).await);
    assert_eq!(file.sql("SELECT count(*) FROM osc_auth_sessions").await, ["0"]);
}

#[tokio::test]
async fn a_table_of_another_shape_is_found_and_left_alone() {
    let file = SqliteFile::new();
    file.sql("CREATE TABLE osc_auth_sessions (name TEXT)").await;
    let report = report_of(store(&file)).await;
    assert_found(&report, Severity::Error, Subject::Store, "another table named osc_auth_sessions");
}

#[tokio::test]
async fn a_directory_that_went_away_is_found() {
    let file = SqliteFile::new();
    let store = store(&file);
    fs::remove_dir_all(file.directory()).expect("an empty directory");
    let report = report_of(store).await;
    assert_found(&report, Severity::Error, Subject::Store, "create its directory");
}

#[tokio::test]
async fn settings_of_a_pool_that_lose_changes_are_found() {
    for (journal, synchronous, found) in [
        (SqliteJournalMode::Wal, SqliteSynchronous::Full, None),
        (SqliteJournalMode::Wal, SqliteSynchronous::Normal, Some("a power cut signs users out")),
        (SqliteJournalMode::Delete, SqliteSynchronous::Full, Some("journal_mode is delete")),
    ] {
        let file = SqliteFile::new();
        let options = SqliteConnectOptions::new().filename(file.path()).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(2);
        let pool = pool.connect_lazy_with(options.journal_mode(journal).synchronous(synchronous));
        let report = report_of(SqliteStore::from_pool(pool)).await;
        match found {
            None => assert_nothing_found(&report),
            Some(text) => assert_found(&report, Severity::Warning, Subject::Store, text),
        }
    }
}

#[tokio::test]
async fn a_sample_prints_what_is_wrong_with_a_read_only_directory() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let file = SqliteFile::new();
    let (_listener, addr) = free_port().await;
    let setup = NodeSetup::new(Sample::Axum, &osc, addr.port(), &file.url()).with("PREFLIGHT", "on");
    let command = "mount --bind DIRECTORY DIRECTORY; mount -o remount,bind,ro DIRECTORY";
    let node =
        setup.after(&command.replace("DIRECTORY", &file.directory().display().to_string())).start().await;
    node.wrote("- error, session store: The session store cannot be used").await;
    node.wrote("let the app write").await;
    println!("{}", node.log());
}
