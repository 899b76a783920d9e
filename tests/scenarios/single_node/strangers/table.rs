//! Sign-ins with a full table of sessions.

use std::time::Duration;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::test_util::{TestClock, TestToken};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{Stage, instructions, instructions_argument};
use tokio::runtime::Runtime;

/// Two sizes of the table, in both of which all parts are full.
const SMALL: usize = 4_096;
const LARGE: usize = 4 * SMALL;

/// Callgrind counts the instructions in this function.
#[inline(never)]
fn sign_in(layer: &OscAuthLayer, runtime: &Runtime) {
    runtime.block_on(layer.sign_in_for_test(TestToken::new("pat")));
}

fn be_counted(sessions: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let layer =
        OscAuthLayer::builder(OAuthClient::public("cli")).clock(TestClock::new()).max_sessions(sessions);
    let layer = layer.build().expect("it builds");
    for _ in 0..sessions {
        runtime.block_on(layer.sign_in_for_test(TestToken::new("pat")));
    }
    (0..100).for_each(|_| sign_in(&layer, &runtime));
}

#[test]
fn s75_sign_in_cost_at_a_full_table_does_not_depend_on_its_size() {
    if let Some(sessions) = instructions_argument() {
        return be_counted(sessions);
    }
    let counts = instructions(concat!(module_path!(), "::sign_in"), [SMALL, LARGE]);
    let [small, large] = counts.map(|counts| {
        assert_eq!(counts.len(), 100);
        counts.into_iter().max().expect("a hundred")
    });
    assert!(large <= small * 2, "{small} at {SMALL} sessions, {large} at {LARGE}");
}

/// The sessions in three quarters of the table are used every minute. In each minute, new sign-ins take an
/// eighth of the table.
#[tokio::test]
async fn s75_a_full_table_evicts_no_active_session() {
    const MOST: usize = 1_000;
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.max_sessions(MOST)).await;
    let mut there = Vec::new();
    for _ in 0..MOST * 3 / 4 {
        there.push(stage.browser_with(TestToken::new("pat")).await);
    }
    for minute in 0..6 {
        for browser in &mut there {
            assert_eq!(browser.fetch("/").await.status(), StatusCode::OK, "in minute {minute}");
        }
        for _ in 0..MOST / 8 {
            stage.layer.sign_in_for_test(TestToken::new("pat")).await;
        }
        stage.pass(Duration::from_secs(60));
    }
}
