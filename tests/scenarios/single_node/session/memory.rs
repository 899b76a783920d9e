//! The layer's use of memory, and its release.

use std::time::Duration;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayer;
use osc_auth_layer::test_util::{self, TestToken};
use osc_tests::{Browser, Stage, WatchedClock, app, error_of, parameter, soon};

const MINUTE: Duration = Duration::from_secs(60);

/// Returns the number of sessions in the layer's memory.
pub(super) fn held(layer: &OscAuthLayer) -> usize {
    test_util::held(layer).0
}

#[tokio::test]
async fn a_full_table_drops_the_session_unused_for_longest() {
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.max_sessions(3)).await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let mut browser = stage.browser.clone();
        browser.sign_in(&stage.osc).await;
        browsers.push(browser);
        stage.pass(2 * MINUTE);
    }
    assert_eq!(browsers[0].fetch("/").await.status(), StatusCode::OK);
    stage.pass(2 * MINUTE);

    stage.browser.sign_in(&stage.osc).await;

    assert_eq!(held(&stage.layer), 3);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    assert_eq!(error_of(&browsers[1].fetch("/").await), "unauthenticated");
    assert_eq!(browsers[0].fetch("/").await.status(), StatusCode::OK);
    assert_eq!(browsers[2].fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_thousand_sign_ins_stay_within_max_sessions() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.max_sessions(100)).await;
    for _ in 0..1000 {
        stage.layer.sign_in_for_test(TestToken::new("pat")).await;
        assert!(held(&stage.layer) <= 100);
    }
}

#[tokio::test]
async fn the_sweep_drops_what_has_expired_and_nothing_else() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.idle_timeout(10 * MINUTE)).await;
    for _ in 0..50 {
        stage.layer.sign_in_for_test(TestToken::new("pat")).await;
    }
    let mut stage = stage.sign_in().await;
    stage.clock.slept(WatchedClock::SWEEP, 1).await;
    stage.pass(5 * MINUTE);
    // The sweeper sleeps again after it has swept.
    stage.clock.slept(WatchedClock::SWEEP, 2).await;
    assert_eq!(held(&stage.layer), 51);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);

    stage.pass(5 * MINUTE);
    stage.clock.slept(WatchedClock::SWEEP, 3).await;

    assert_eq!(held(&stage.layer), 1);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    stage.pass(10 * MINUTE);
    stage.clock.slept(WatchedClock::SWEEP, 4).await;
    assert_eq!(held(&stage.layer), 0);
}

#[tokio::test]
async fn any_number_of_sign_ins_start_one_sweeper() {
    let stage = Stage::signed_in().await;
    for _ in 0..20 {
        stage.layer.sign_in_for_test(TestToken::new("pat")).await;
    }
    stage.clock.slept(WatchedClock::SWEEP, 1).await;
    stage.pass(MINUTE);
    stage.clock.slept(WatchedClock::SWEEP, 2).await;
    assert_eq!(stage.clock.sleeps(WatchedClock::SWEEP), 2);
}

#[tokio::test]
async fn signing_out_frees_the_session() {
    let mut stage = Stage::signed_in().await;
    assert_eq!(held(&stage.layer), 1);
    stage.browser.post_from("same-origin", "/auth/signout").await;
    assert_eq!(held(&stage.layer), 0);
}

#[tokio::test]
async fn a_sweeper_lost_with_its_runtime_is_replaced() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = WatchedClock::default();
    let layer = osc_tests::layer_for(&osc).clock(clock.clone()).idle_timeout(MINUTE).build().unwrap();
    let doomed = {
        let layer = layer.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(layer.sign_in_for_test(TestToken::new("pat")));
        })
    };
    doomed.join().unwrap();
    let asleep = clock.sleeps(WatchedClock::SWEEP);

    layer.sign_in_for_test(TestToken::new("pat")).await;

    clock.slept(WatchedClock::SWEEP, asleep + 1).await;
    assert_eq!(held(&layer), 2);
    clock.advance(MINUTE);
    clock.slept(WatchedClock::SWEEP, asleep + 2).await;
    assert_eq!(held(&layer), 0);
}

#[tokio::test]
async fn dropping_the_layer_frees_its_sessions_and_its_sweeper() {
    let stage = Stage::signed_in().await;
    let token = stage.token().await;
    let Stage { osc, clock, layer, browser } = stage;
    clock.slept(WatchedClock::SWEEP, 1).await;
    let service = Browser::new(app(&layer));
    drop((layer, browser));
    assert!(soon(token.session().token()).await.is_ok(), "a service keeps its sessions");
    drop(service);

    assert!(soon(token.session().token()).await.is_err());
    // The sweeper notices the drop when it next wakes. After that, only the test has the clock.
    clock.advance(MINUTE);
    clock.alone().await;
    drop(osc);
}

#[tokio::test]
async fn s72_states_used_before_the_first_session_are_forgotten() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    for _ in 0..50 {
        let mut stranger = Browser::new(app(&stage.layer));
        let state = parameter(&stranger.begin_sign_in("/auth/signin").await, "state");
        let answer = stranger.fetch(&format!("/auth/callback?error=access_denied&state={state}")).await;
        assert_eq!(error_of(&answer), "access_denied");
    }
    assert_eq!(test_util::held(&stage.layer), (0, 50));
    stage.clock.slept(WatchedClock::SWEEP, 1).await;
    stage.pass(10 * MINUTE);
    stage.clock.slept(WatchedClock::SWEEP, 2).await;
    assert_eq!(test_util::held(&stage.layer), (0, 0));
}
