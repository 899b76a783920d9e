//! An app whose sessions move to another store.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::OscAuthLayer;
use osc_auth_layer::store::{PostgresStore, SessionStore, SqliteStore, Swap, Swapped, Version};
use osc_auth_layer::test_util::MemoryStore;
use osc_tests::{
    Browser, Logs, PostgresDatabase, RiggedStore, SqliteFile, app, callback, error_of, is_page, layer_for,
    location, refusal, soon, token_of,
};
use tokio::process::Command;

const COOKIE: &str = "osc_session_3000";

fn with_store(osc: &MockOsc, store: impl SessionStore) -> OscAuthLayer {
    layer_for(osc).store(store).build().expect("it builds")
}

/// Returns an app without a store, as it is before the first move. `SCENARIO_STORE` has no effect on it.
fn without_store(osc: &MockOsc) -> OscAuthLayer {
    layer_for(osc).store_url("memory:").build().expect("it builds")
}

/// The app before and after a move, and a user who signed in before it.
struct Moved {
    osc: MockOsc,
    old: OscAuthLayer,
    new: OscAuthLayer,
    browser: Browser,
}

impl Moved {
    async fn from(old: impl FnOnce(&MockOsc) -> OscAuthLayer) -> Self {
        let osc = MockOsc::builder().start().await.expect("the mock starts");
        let (old, new) = (old(&osc), with_store(&osc, MemoryStore::new()));
        let mut browser = Browser::new(app(&old));
        soon(browser.sign_in(&osc)).await;
        browser.switch_app(app(&new));
        Self { osc, old, new, browser }
    }
}

#[tokio::test]
async fn after_a_move_users_are_asked_to_sign_in_and_can() {
    for old in [without_store, |osc: &MockOsc| with_store(osc, MemoryStore::new())] {
        let Moved { osc, mut browser, .. } = Moved::from(old).await;
        let logs = Logs::collect();
        let before = browser.cookies()[COOKIE].clone();

        assert_eq!(refusal(&soon(browser.fetch("/")).await), (401, "unauthenticated".to_owned()));
        let page = soon(browser.navigate("/report?month=5")).await;
        assert!(is_page(&page), "{page:?}");
        assert_eq!(refusal(&page), (401, "unauthenticated".to_owned()));
        let text = String::from_utf8_lossy(page.body());
        assert!(text.contains("/auth/signin?return_to=/report"), "{text}");
        let told = soon(browser.fetch("/auth/session")).await;
        assert!(String::from_utf8_lossy(told.body()).contains(r#""signed_in":false"#), "{told:?}");
        assert_eq!(soon(browser.fetch("/public")).await.status(), StatusCode::OK);

        soon(browser.sign_in(&osc)).await;
        let token = token_of(&soon(browser.fetch("/")).await).expect("a token");
        assert!(osc.is_live(token.access_token()));
        assert_ne!(browser.cookies()[COOKIE], before);
        assert_eq!(browser.cookies().len(), 1, "{:?}", browser.cookies());
        let log = logs.text();
        assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "{log}");
    }
}

#[tokio::test]
async fn a_sign_in_begun_before_a_move_ends_after_it() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let (old, new) = (without_store(&osc), with_store(&osc, MemoryStore::new()));
    let mut browser = Browser::new(app(&old));
    let path = soon(callback(&mut browser, &osc)).await;
    browser.switch_app(app(&new));
    assert_eq!(soon(browser.navigate(&path)).await.status(), StatusCode::SEE_OTHER);
    assert!(token_of(&soon(browser.fetch("/")).await).is_some());
}

#[tokio::test]
async fn a_move_revokes_nothing_and_back_at_the_old_store_old_cookies_count_again() {
    let Moved { osc, old, new, browser } = Moved::from(|osc| with_store(osc, MemoryStore::new())).await;
    let (mut away, mut returned) = (browser.clone(), browser);
    assert_eq!(error_of(&soon(away.fetch("/")).await), "unauthenticated");
    soon(returned.sign_in(&osc)).await;
    assert_eq!((osc.live_refresh_tokens(), osc.requests(Endpoint::Revoke).len()), (2, 0));

    away.switch_app(app(&old));
    returned.switch_app(app(&old));
    // The user who saw the sign-in page only, and the one who signed in there.
    let token = token_of(&soon(away.fetch("/")).await).expect("a token");
    assert!(osc.is_live(token.access_token()));
    assert_eq!(error_of(&soon(returned.fetch("/")).await), "unauthenticated");
    returned.switch_app(app(&new));
    assert!(token_of(&soon(returned.fetch("/")).await).is_some());
}

#[tokio::test]
async fn a_sign_out_after_a_move_leaves_the_record_in_the_old_store() {
    let Moved { old, mut browser, .. } = Moved::from(|osc| with_store(osc, MemoryStore::new())).await;
    let mut copy = browser.clone();
    let answer = soon(browser.post_from("same-origin", "/auth/signout")).await;
    assert_eq!((answer.status(), location(&answer).as_str()), (StatusCode::SEE_OTHER, "/"));
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    copy.switch_app(app(&old));
    assert!(token_of(&soon(copy.fetch("/")).await).is_some());
}

/// Copies the entry of a key under a version. `None` keeps the version of the entry.
async fn copy(from: &impl SessionStore, to: &impl SessionStore, key: &str, version: Option<Version>) {
    let found = from.get(key).await.expect("the store works");
    let entry = found.entry.expect("an entry");
    let swap = Swap {
        expected: None,
        version: version.unwrap_or(entry.version),
        value: &entry.value,
        expires_in: entry.expires_at.duration_since(found.now).ok(),
        group: None,
    };
    let swapped = to.swap(key, swap).await.expect("the store works");
    assert!(matches!(swapped, Swapped::Done { .. }), "{swapped:?}");
}

#[tokio::test]
async fn records_that_are_copied_as_they_are_keep_users_signed_in() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let (from, to) = (RiggedStore::new(MemoryStore::new()), MemoryStore::new());
    let mut browsers = Vec::new();
    let old = with_store(&osc, from.clone());
    for _ in 0..3 {
        let mut browser = Browser::new(app(&old));
        soon(browser.sign_in(&osc)).await;
        browsers.push(browser);
    }
    let mut signed_out = browsers.pop().expect("three browsers");
    let copied_cookie = signed_out.cookies()[COOKIE].clone();
    soon(signed_out.post_from("same-origin", "/auth/signout")).await;
    // The nodes stop. A node that still ran would spend a refresh token of which the copy knows nothing.
    soon(old.shutdown(Duration::from_secs(10))).await.expect("nothing is under way");

    for key in from.created() {
        copy(&from, &to, &key, None).await;
    }
    let new = with_store(&osc, to);
    for browser in &mut browsers {
        browser.switch_app(app(&new));
        let token = token_of(&soon(browser.fetch("/")).await).expect("a token");
        let newer = soon(token.session().refresh(&token)).await.expect("a refresh");
        assert!(osc.is_live(newer.access_token()) && newer.access_token() != token.access_token());
    }
    assert_eq!(osc.live_refresh_tokens(), 2);
    // The mark of an ended session is copied too.
    signed_out.switch_app(app(&new));
    signed_out.set_cookie(COOKIE, &copied_cookie);
    assert_eq!(error_of(&soon(signed_out.fetch("/")).await), "unauthenticated");
}

#[tokio::test]
async fn a_copy_under_another_version_or_namespace_is_no_session() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let from = RiggedStore::new(MemoryStore::new());
    let old = with_store(&osc, from.clone());
    let mut browser = Browser::new(app(&old));
    soon(browser.sign_in(&osc)).await;
    let key = from.created().pop().expect("a session");
    let other_version = Some(Version::from_bytes([7; 16]));
    for (namespace, version) in [("memory", other_version), ("other", None)] {
        let logs = Logs::collect();
        let to = RiggedStore::new(MemoryStore::new()).in_namespace(namespace);
        copy(&from, &to, &key, version).await;
        browser.switch_app(app(&with_store(&osc, to)));
        assert_eq!(error_of(&soon(browser.fetch("/")).await), "unauthenticated");
        assert!(logs.text().contains("was altered, or another app wrote it"), "{}", logs.text());
    }
}

/// Returns the guide's command that copies the table from SQLite to PostgreSQL.
fn copy_command() -> String {
    let page = include_str!("../../../osc-auth-layer/src/guide/stores.md");
    let command = page.split("```sh\n").find(|block| block.starts_with("sqlite3 -csv"));
    command.and_then(|block| block.split("```").next()).expect("the command").to_owned()
}

#[tokio::test]
async fn the_guides_command_copies_the_sessions_from_sqlite_to_postgresql() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let (file, database) = (SqliteFile::new(), PostgresDatabase::create().await);
    let old = with_store(&osc, SqliteStore::from_url(&file.url()).expect("a URL"));
    let mut browsers = [Browser::new(app(&old)), Browser::new(app(&old))];
    for browser in &mut browsers {
        soon(browser.sign_in(&osc)).await;
    }
    soon(old.shutdown(Duration::from_secs(10))).await.expect("nothing is under way");
    drop(old);
    database.sql(PostgresStore::schema()).await;

    let mut command = Command::new("sh");
    command.arg("-c").arg(copy_command()).current_dir(file.directory()).env("SESSION_STORE", database.url());
    let output = soon(command.output()).await.expect("sh is there");

    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let new = with_store(&osc, PostgresStore::from_url(&database.url()).expect("a URL"));
    for browser in &mut browsers {
        browser.switch_app(app(&new));
        let token = token_of(&soon(browser.fetch("/")).await).expect("a token");
        soon(token.session().refresh(&token)).await.expect("a refresh");
        assert_eq!(soon(token.session().list()).await.expect("the store works").len(), 2);
    }
}
