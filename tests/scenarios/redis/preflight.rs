//! `check()` with each thing wrong in turn at Redis.

use mock_osc::MockOsc;
use osc_auth_layer::preflight::{CheckReport, Severity, Subject};
use osc_tests::{RedisServer, assert_found, assert_nothing_found, layer_for, preflight};

const PASSWORD: &str = "hunter2-hunter2";
const USER: [&str; 5] = ["ACL", "SETUSER", "app", "on", "~osc-auth:*"];
const KEEPING: [&str; 2] = ["--appendonly", "yes"];

async fn report_at(url: &str) -> CheckReport {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let layer = layer_for(&osc).store_url(url).build().expect("the test's layer builds");
    preflight(&layer, &[PASSWORD, &osc.client_secret()]).await
}

/// Returns the report for a user with these rights.
async fn report_with(redis: &RedisServer, rights: &[&str]) -> CheckReport {
    let password = format!(">{PASSWORD}");
    redis.command(&[&USER[..], &[&password], rights].concat()).await;
    report_at(&format!("redis://app:{PASSWORD}@{}", redis.addr())).await
}

#[tokio::test]
async fn a_right_server_has_no_findings_and_no_session_is_left() {
    for (name, value) in [("appendonly", "yes"), ("save", "3600 1")] {
        let redis = RedisServer::start().await;
        redis.command(&["CONFIG", "SET", name, value]).await;
        assert_nothing_found(&report_at(&redis.url()).await);
        let keys = redis.command(&["KEYS", "osc-auth:[su]:*"]).await;
        assert_eq!(keys, "", "it removed what it wrote");
    }
}

#[tokio::test]
async fn a_server_that_keeps_nothing_is_found() {
    let redis = RedisServer::start().await;
    let report = report_at(&redis.url()).await;
    assert_found(&report, Severity::Warning, Subject::Store, "keeps nothing on its disk");
    assert!(report.to_string().contains("Set appendonly yes"), "{report}");
}

#[tokio::test]
async fn a_server_that_evicts_sessions_is_found() {
    let redis = RedisServer::with(&KEEPING).await;
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    assert_nothing_found(&report_at(&redis.url()).await);
    redis.command(&["CONFIG", "SET", "maxmemory", "100mb"]).await;
    // All sessions have an expiry, so `volatile` means them too.
    for policy in ["allkeys-lru", "volatile-ttl"] {
        redis.command(&["CONFIG", "SET", "maxmemory-policy", policy]).await;
        let report = report_at(&redis.url()).await;
        assert_found(&report, Severity::Warning, Subject::Store, &format!("(maxmemory-policy {policy})"));
        assert!(report.to_string().contains("Set maxmemory-policy noeviction"), "{report}");
    }
}

#[tokio::test]
async fn a_user_without_client_tracking_is_found() {
    let redis = RedisServer::with(&KEEPING).await;
    let report = report_with(&redis, &["+@all", "-client"]).await;
    assert_found(&report, Severity::Warning, Subject::Store, "sends no notifications of changes");
    assert!(report.to_string().contains("Allow the user CLIENT TRACKING"), "{report}");
}

#[tokio::test]
async fn commands_that_the_user_may_not_run_leave_things_unchecked() {
    let redis = RedisServer::with(&KEEPING).await;
    let documented = ["+@read", "+@write", "+@scripting", "+@connection", "+time"];
    let report = report_with(&redis, &documented).await;
    assert_found(&report, Severity::Unchecked, Subject::Store, "did not answer INFO");
    assert_nothing_found(&report_with(&redis, &["+info"]).await);

    let forgetful = RedisServer::start().await;
    let report = report_with(&forgetful, &[&documented[..], &["+info"]].concat()).await;
    assert_found(&report, Severity::Unchecked, Subject::Store, "did not answer CONFIG GET save");
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_one_finding() {
    let mut redis = RedisServer::with(&KEEPING).await;
    let report = report_with(&redis, &["+@all", "-evalsha"]).await;
    assert_found(
        &report,
        Severity::Error,
        Subject::Store,
        "denies the user in the store's URL a command or key",
    );
    let report = report_at(&format!("redis://app:{PASSWORD}-wrong@{}", redis.addr())).await;
    assert_found(&report, Severity::Error, Subject::Store, "refuses the user or password");
    redis.kill();
    let report = report_at(&redis.url()).await;
    assert_found(&report, Severity::Error, Subject::Store, "check host, port");
}
