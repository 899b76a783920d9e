//! Each example of the layer, as a process that a user signs in to.

mod program;

use std::fs;
use std::path::Path;

use http::{Method, StatusCode};
use osc_tests::soon;

use self::program::Example;

#[tokio::test]
async fn hello_axum_greets_the_user() {
    let example = Example::start("hello_axum").await;
    example.protects("/hello").await;
    let (status, _, home) = soon(example.browser().get("/")).await;
    assert!(status == StatusCode::OK && home.contains("Sign in"), "{status} {home}");

    let mut browser = example.signed_in().await;
    assert_eq!(soon(browser.get("/hello")).await.2, "Hello ada in adalovelace");
    let headers = [("sec-fetch-site", "same-origin")];
    let (status, ..) = soon(browser.send(Method::POST, "/auth/signout", &headers)).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(soon(browser.get("/hello")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn outbound_calls_the_api_as_the_user() {
    let example = Example::start("outbound").await;
    example.protects("/").await;
    let mut browser = example.signed_in().await;
    let (status, _, text) = soon(browser.get("/")).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "The API says: your plan is PERSONAL"));
}

#[tokio::test]
async fn test_your_app_passes() {
    assert_eq!(program::run("test_your_app").await, "both tests passed\n");
}

#[test]
fn every_example_has_a_test_and_at_most_60_lines() {
    let tests = include_str!("main.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../osc-auth-layer/examples");
    let files =
        fs::read_dir(folder).expect("the examples are there").map(|entry| entry.expect("a file").path());
    let files: Vec<_> = files.filter(|path| path.is_file()).collect();
    assert!(!files.is_empty());
    for path in files {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let starts = ["Example::start", "program::run"].map(|start| format!("{start}(\"{name}\")"));
        assert!(starts.iter().any(|start| tests.contains(start)), "{name} has no test");
        let lines = fs::read_to_string(&path).expect("text").lines().count();
        assert!(lines <= 60, "{name} has {lines} lines");
    }
}
