//! The examples whose sessions outlive a process, or are shared by several nodes.

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{Browser, NodeSetup, SqliteFile, soon};

use crate::kept_open::with_client;
use crate::visit::{refuses_strangers, sign_out, signed_in, text};

#[tokio::test]
async fn sqlite_keeps_the_session_over_a_kill() {
    let (osc, file) = (MockOsc::builder().start().await.expect("the mock starts"), SqliteFile::new());
    let setup = with_client(NodeSetup::example("sqlite"), &osc).in_directory(file.directory());
    let mut example = setup.start().await;
    refuses_strangers(&example, "/", StatusCode::SEE_OTHER).await;
    let mut browser = Browser::new(example.app());
    soon(browser.sign_in(&osc)).await;
    let greeting = text(&mut browser, "/").await;
    assert!(greeting.starts_with("Hello adalovelace!"), "{greeting}");
    let cookies = browser.cookies().clone();

    soon(example.restart()).await; // by SIGKILL
    browser.switch_app(example.app());
    assert_eq!(text(&mut browser, "/").await, greeting);
    assert_eq!(browser.cookies(), &cookies);
    assert_eq!(osc.count_grants("authorization_code"), 1, "nobody signed in again");
    assert!(file.path().exists());

    sign_out(&mut browser).await;
    soon(example.restart()).await;
    browser.switch_app(example.app());
    for (name, value) in &cookies {
        browser.set_cookie(name, value);
    }
    assert_eq!(soon(browser.fetch("/")).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn several_nodes_greet_the_same_session() {
    let file = SqliteFile::new();
    let example = NodeSetup::example("several_nodes").in_directory(file.directory()).start().await;
    let mut browser = signed_in(&example, "ada/adalovelace").await;
    let mut greetings = [text(&mut browser, "/").await, text(&mut browser, "/").await];
    greetings.sort();
    assert_eq!(greetings, ["Node 1 greets adalovelace", "Node 2 greets adalovelace"]);

    sign_out(&mut browser).await;
    refuses_strangers(&example, "/", StatusCode::SEE_OTHER).await;
}
