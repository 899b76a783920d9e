//! Ended sessions leave nothing behind: no entry in the table, no task, no connection.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Browser, EXPIRED, Stage, WatchedClock, app, callback, error_of, parameter, soon};
use tokio::runtime::Handle;

use super::memory::held;

const OF_EACH: usize = 20;
/// A session whose cookie reached no browser is revoked after this time.
const UNCLAIMED_FOR: Duration = Duration::from_secs(12);
const IDLE: Duration = Duration::from_secs(2 * 60 * 60);
const ABSOLUTE: Duration = Duration::from_secs(5 * 60 * 60);

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits for a condition that has no event.
async fn comes_true(what: impl Fn() -> bool) {
    soon(async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Runs sessions from start to end, and checks that nothing of them is left.
async fn leaves_nothing(live_and_end: impl AsyncFnOnce(&Stage)) {
    let timing =
        |layer: osc_auth_layer::OscAuthLayerBuilder| layer.idle_timeout(IDLE).absolute_timeout(ABSOLUTE);
    let stage = Stage::before_sign_in(MockOsc::builder(), timing).await;
    stage.osc.stop_listening().await;
    let before = tasks();
    stage.osc.resume_listening().await.expect("its port is still its own");

    live_and_end(&stage).await;

    assert_eq!(held(&stage.layer), 0);
    comes_true(|| stage.layer.tasks_under_way() == 0).await;
    let Stage { osc, clock, layer, browser } = stage;
    osc.stop_listening().await;
    // Two tasks may remain: the sweeper and the one that watches idle connections to the provider.
    comes_true(|| tasks() <= before + 2).await;
    drop((layer, browser));
    clock.advance(Duration::from_secs(60));
    clock.alone().await;
    comes_true(|| tasks() <= before).await;
}

/// Returns signed-in browsers, each with the code that identifies its grant at the provider.
async fn visitors(stage: &Stage) -> Vec<(Browser, String)> {
    let mut visitors = Vec::new();
    for _ in 0..OF_EACH {
        let mut browser = Browser::new(app(&stage.layer));
        let callback = callback(&mut browser, &stage.osc).await;
        assert_eq!(browser.navigate(&callback).await.status(), StatusCode::SEE_OTHER);
        visitors.push((browser, parameter(&callback, "code")));
    }
    assert_eq!(held(&stage.layer), OF_EACH);
    visitors
}

async fn sign_out(visitors: Vec<(Browser, String)>) {
    for (mut browser, _) in visitors {
        browser.post_from("same-origin", "/auth/signout").await;
    }
}

/// Runs sweeps for half an hour. After that, they accept that the clock has jumped ahead.
async fn sweep(stage: &Stage) {
    for _ in 0..31 {
        let so_far = stage.clock.sleeps(WatchedClock::SWEEP);
        stage.pass(Duration::from_secs(60));
        stage.clock.slept(WatchedClock::SWEEP, so_far + 1).await;
    }
}

#[tokio::test]
async fn signed_out_sessions_leave_nothing() {
    leaves_nothing(async |stage| sign_out(visitors(stage).await).await).await;
}

#[tokio::test]
async fn replaced_sessions_leave_nothing() {
    leaves_nothing(async |stage| {
        let mut visitors = visitors(stage).await;
        for (browser, _) in &mut visitors {
            browser.sign_in(&stage.osc).await;
        }
        assert_eq!(held(&stage.layer), OF_EACH);
        sign_out(visitors).await;
    })
    .await;
}

#[tokio::test]
async fn abandoned_sign_ins_leave_nothing() {
    leaves_nothing(async |stage| {
        for _ in 0..OF_EACH {
            let mut browser = Browser::new(app(&stage.layer));
            let callback = callback(&mut browser, &stage.osc).await;
            let hold = stage.osc.hold(Endpoint::Token);
            assert!(Box::pin(browser.navigate(&callback)).now_or_never().is_none());
            soon(hold.arrived(1)).await;
        }
        // A second click could still arrive for each of them.
        stage.clock.slept(UNCLAIMED_FOR..=UNCLAIMED_FOR, OF_EACH).await;
        stage.clock.advance(UNCLAIMED_FOR);
        soon(stage.osc.wait_for_requests(Endpoint::Revoke, OF_EACH)).await;
        assert_eq!(stage.osc.live_refresh_tokens(), 0);
    })
    .await;
}

#[tokio::test]
async fn idle_sessions_leave_nothing() {
    leaves_nothing(async |stage| {
        let _visitors = visitors(stage).await;
        stage.pass(IDLE);
        sweep(stage).await;
    })
    .await;
}

#[tokio::test]
async fn too_old_sessions_leave_nothing() {
    leaves_nothing(async |stage| {
        let mut visitors = visitors(stage).await;
        let mut age = Duration::ZERO;
        while age < ABSOLUTE {
            for answer in join_all(visitors.iter_mut().map(|(browser, _)| browser.fetch("/"))).await {
                assert_eq!(answer.status(), StatusCode::OK);
            }
            stage.pass(IDLE / 2);
            age += IDLE / 2;
        }
        sweep(stage).await;
        assert!(stage.refreshes() >= 4 * OF_EACH);
    })
    .await;
}

#[tokio::test]
async fn sessions_ended_by_the_provider_leave_nothing() {
    leaves_nothing(async |stage| {
        let mut visitors = visitors(stage).await;
        stage.pass(EXPIRED);
        for (browser, code) in &mut visitors {
            assert!(stage.osc.revoke_grant(code));
            assert_eq!(error_of(&browser.fetch("/").await), "session_ended");
        }
        stage.pass(IDLE);
        sweep(stage).await;
    })
    .await;
}

#[tokio::test]
async fn abandoned_requests_in_an_outage_leave_nothing() {
    leaves_nothing(async |stage| {
        let mut visitors = visitors(stage).await;
        stage.pass(EXPIRED);
        stage.osc.fault(Endpoint::Token, Fault::Status(503));
        for (browser, _) in &mut visitors {
            assert!(Box::pin(browser.fetch("/")).now_or_never().is_none());
        }
        // Each retries once after a pause.
        comes_true(|| {
            stage.clock.advance(Duration::from_millis(100));
            stage.layer.tasks_under_way() == 0
        })
        .await;
        stage.osc.clear_faults();
        stage.pass(Duration::from_secs(60));
        for (browser, _) in &mut visitors {
            assert_eq!(browser.fetch("/").await.status(), StatusCode::OK, "an outage ends no session");
        }
        sign_out(visitors).await;
    })
    .await;
}
