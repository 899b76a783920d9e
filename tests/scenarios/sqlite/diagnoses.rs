//! A file that cannot be used, and transactions that another program or a cancelled operation leaves.

use std::fs;
use std::time::Duration;

use futures_util::FutureExt;
use osc_auth_layer::store::{SessionStore, SqliteStore, Swapped, Version};
use osc_tests::{SqliteFile, error_of, soon, token_of};

use super::fleet::Cluster;
use crate::fleet::until;
use crate::stores::{key, new};

const MINUTE: Duration = Duration::from_secs(60);

fn store(file: &SqliteFile) -> SqliteStore {
    SqliteStore::from_url(&file.url()).expect("a valid URL")
}

async fn assert_told(store: &SqliteStore, what: &str) {
    let read = soon(store.get(&key(1))).await.map(drop);
    let written = soon(store.swap(&key(1), new(b"1", MINUTE))).await.map(drop);
    for result in [read, written] {
        let error = format!("{:?}", result.expect_err(what));
        assert!(error.contains(what), "{what}: {error}");
    }
}

#[tokio::test]
async fn another_table_of_the_same_name_is_told_and_left_alone() {
    for table in ["(name TEXT)", "(namespace, key, version, value, expires_at, user_group)"] {
        let file = SqliteFile::new();
        file.sql(&format!("CREATE TABLE osc_auth_sessions {table}")).await;
        let error = soon(store(&file).swap(&key(1), new(b"1", MINUTE))).await.expect_err("it does not fit");
        assert!(format!("{error:?}").contains("another table named osc_auth_sessions"), "{error:?}");
    }
}

#[tokio::test]
async fn a_file_that_another_program_wrote_later_is_told() {
    let file = SqliteFile::new();
    let store = store(&file);
    fs::write(file.path(), "name,email\nAda,ada@example.com\n".repeat(100)).expect("a file");
    assert_told(&store, "not an SQLite database; name another file").await;
    assert!(
        fs::read_to_string(file.path()).is_ok_and(|text| text.starts_with("name,email")),
        "it is left alone"
    );
    fs::remove_file(file.path()).expect("the file");
    soon(store.swap(&key(1), new(b"1", MINUTE))).await.expect("it works without a restart");
}

#[tokio::test]
async fn a_directory_that_went_away_is_told_and_may_come_back() {
    let file = SqliteFile::new();
    let store = store(&file);
    fs::remove_dir_all(file.directory()).expect("an empty directory");
    assert_told(&store, "create its directory").await;
    fs::create_dir(file.directory()).expect("the directory");
    soon(store.swap(&key(1), new(b"1", MINUTE))).await.expect("it works without a restart");
}

#[tokio::test]
async fn malformed_rows_are_an_outage_for_their_users_only() {
    let mut cluster = Cluster::signed_in(2).await;
    let whole = cluster.browser.clone();
    cluster.browser.forget_cookies("");
    soon(cluster.browser.sign_in(&cluster.osc)).await;
    let query = "SELECT key FROM osc_auth_sessions WHERE user_group IS NOT NULL ORDER BY expires_at";
    let ids = cluster.server.sql(query).await;
    for (change, error) in [
        ("version = x'00'", "temporarily_unavailable"),
        ("version = 'sixteen letters!'", "unauthenticated"),
        ("version = zeroblob(16), expires_at = 'soon'", "temporarily_unavailable"),
        ("expires_at = 99999999999999, value = x''", "unauthenticated"),
        ("value = x'00'", "unauthenticated"),
    ] {
        cluster.server.sql(&format!("UPDATE osc_auth_sessions SET {change} WHERE key = '{}'", ids[1])).await;
        // A node that has not seen the session.
        assert_eq!(error_of(&cluster.fetch(1).await), error, "{change}");
        assert!(token_of(&soon(cluster.send(&whole, 1).fetch("/")).await).is_some(), "{change}");
    }
}

#[tokio::test]
async fn a_transaction_of_another_program_is_an_outage_until_it_ends() {
    let cluster = Cluster::signed_in(1).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    let mut other = cluster.server.connect().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("a transaction");

    let mut stranger = cluster.at(0);
    stranger.forget_cookies("");
    let path = osc_tests::callback(&mut stranger, &cluster.osc).await;
    assert_eq!(soon(stranger.navigate(&path)).await.status(), 503);
    assert!(soon(token.session().refresh(&token)).await.is_err());
    assert_eq!(cluster.token(0).await.access_token(), token.access_token(), "reading works");

    sqlx::raw_sql("COMMIT").execute(&mut other).await.expect("it ends");
    stranger.forget_cookies("");
    assert_eq!(soon(stranger.sign_in(&cluster.osc)).await.status(), 303);
    until("a refresh works", async || soon(token.session().refresh(&token)).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_operation_leaves_no_transaction_open() {
    let file = SqliteFile::new();
    let store = store(&file);
    soon(store.get(&key(0))).await.expect("the file is open");
    for turn in 0..200_u32 {
        let key = key(u8::try_from(turn % 20).expect("a small number"));
        let mut swap = store.swap(&key, new(b"1", MINUTE));
        // Given up at another point each time.
        for _ in 0..turn % 5 {
            assert!(swap.as_mut().now_or_never().is_none_or(|swapped| swapped.is_ok()));
            tokio::task::yield_now().await;
            if turn % 5 > 2 {
                break;
            }
        }
        drop(swap);
    }
    let written = soon(store.swap(&key(25), new(b"1", MINUTE))).await;
    assert!(matches!(written, Ok(Swapped::Done { .. })), "{written:?}");
    // This connection waits for no lock.
    file.sql("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; COMMIT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uses_noted_at_the_same_time_share_one_write_to_the_disk() {
    const USES: u8 = 25;
    let file = SqliteFile::new();
    let store = store(&file);
    for number in 0..USES {
        soon(store.swap(&key(number), new(b"1", MINUTE))).await.expect("it is written");
    }
    let log = || fs::metadata(file.directory().join("sessions.db-wal")).expect("a log").len();
    file.sql("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let mut other = file.connect().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("a transaction");
    let keys: Vec<_> = (0..USES).map(key).collect();
    let mut uses: Vec<_> =
        keys.iter().map(|key| store.touch(key, Version::from_bytes([1; 16]), 2 * MINUTE)).collect();
    assert!(uses.iter_mut().all(|used| used.now_or_never().is_none()), "they wait for the lock");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.expect("it ends");
    for used in uses {
        soon(used).await.expect("it is noted");
    }
    // A frame is a page of 4 KiB. Each transaction writes each changed page once.
    let frames = log() / 4096;
    assert!(frames < u64::from(USES), "{frames} pages were written");
    let later = file
        .sql("SELECT count(*) FROM osc_auth_sessions WHERE expires_at > unixepoch() * 1000 + 90000")
        .await;
    assert_eq!(later, [USES.to_string()]);
}
