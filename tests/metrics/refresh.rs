//! Refreshes with every cause and outcome.

use std::time::Duration;

use futures_util::future::join_all;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::TestToken;
use osc_tests::{AHEAD, EXPIRED, Nodes, Op, Stage, Trouble, error_of, soon, token_of};
use serde_json::json;

pub(crate) async fn drive() {
    refreshed_for_every_cause().await;
    without_a_refresh_token().await;
    refused().await;
    failed_by_the_provider().await;
    failed_by_the_store().await;
    of_a_session_that_ends().await;
    of_a_node_that_waits().await;
}

async fn refreshed_for_every_cause() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let token = stage.token().await;
    stage.pass(AHEAD);
    // The refresh goes on beside the request.
    let current = soon(async {
        loop {
            let current = stage.token().await;
            if current.access_token() != token.access_token() {
                return current;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let newer = soon(current.session().refresh(&current)).await.expect("the provider refreshes");
    assert_ne!(current.access_token(), newer.access_token());
    // A shutdown lets no refresh begin.
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
    stage.pass(Duration::from_secs(60));
    assert!(soon(newer.session().refresh(&newer)).await.is_err());
}

async fn without_a_refresh_token() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut browser = stage.browser_with(TestToken::new("opaque")).await;
    stage.pass(EXPIRED);
    assert_eq!(error_of(&soon(browser.fetch("/")).await), "session_ended");
}

async fn refused() {
    let mut stage = Stage::signed_in().await;
    stage.osc.revoke_refresh_tokens();
    stage.pass(EXPIRED);
    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");

    let mut stage = Stage::signed_in().await;
    stage.osc.set_claim("userId", json!("grace"));
    stage.pass(EXPIRED);
    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
}

async fn failed_by_the_provider() {
    let stage = Stage::signed_in().await;
    let token = stage.token().await;
    stage.pass(EXPIRED);
    for fault in [Fault::Status(503), Fault::OAuth("invalid_client")] {
        let _fault = stage.osc.fault(Endpoint::Token, fault);
        let mut browser = stage.browser.clone();
        let answer = stage.clock.through_second_tries(async { browser.fetch("/").await }).await;
        assert_eq!(error_of(&answer), "temporarily_unavailable");
        // The layer waits before it asks again.
        assert!(soon(token.session().refresh(&token)).await.is_err());
        stage.osc.clear_faults();
        stage.pass(Duration::from_secs(600));
    }
}

async fn failed_by_the_store() {
    let nodes = Nodes::notified(1).await;
    nodes.pass(EXPIRED);
    nodes.node(0).store.trouble_next(Op::Lease, Trouble::Fails, 1);
    assert_eq!(error_of(&nodes.fetch(0).await), "temporarily_unavailable");
}

async fn of_a_session_that_ends() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let (hold, request) = stage.held_up("/").await;
    stage.browser.clone().post_from("same-origin", "/auth/signout").await;
    hold.release();
    assert_eq!(error_of(&soon(request).await), "unauthenticated");
}

async fn of_a_node_that_waits() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    nodes.pass(EXPIRED);
    let (hold, first) = nodes.held_up(0).await;
    let other = nodes.waiting(1);
    soon(nodes.looks(1, 1)).await;
    hold.release();
    let answers = nodes.through(Nodes::LOOKS, join_all([first, other])).await;
    assert!(answers.iter().all(|answer| token_of(answer).is_some()));
}
