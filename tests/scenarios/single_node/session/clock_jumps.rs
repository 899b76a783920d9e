//! s45: the clock jumps ahead and back, as clocks of virtual machines do.

use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::Clock;
use osc_tests::{EXPIRED, Stage, WatchedClock, error_of, location, path_of, retry_after, soon, token_of};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn back(stage: &Stage, by: Duration) {
    stage.clock.set(stage.clock.now() - by);
}

#[tokio::test]
async fn s45_a_pending_sign_in_survives_a_clock_set_back() {
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let authorize = stage.browser.begin_sign_in("/auth/signin?return_to=/there").await;
    back(&stage, 5 * HOUR);
    let callback = stage.osc.approve(&authorize).await.unwrap();
    assert_eq!(location(&stage.browser.navigate(path_of(&callback)).await), "/there");
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    // The clock returns to the right time.
    stage.clock.advance(5 * HOUR);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s45_a_clock_jump_ahead_costs_a_refresh_but_no_session() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.clock.advance(20 * HOUR);
    let new = stage.token().await;
    assert_ne!(new.access_token(), old.access_token());
    assert!(stage.osc.is_live(new.access_token()));
    assert!(new.expires_at() > stage.clock.now());
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn s45_a_clock_that_jumps_a_day_ahead_and_back_ends_no_session() {
    let mut stage = Stage::signed_in().await;
    stage.clock.slept(WatchedClock::SWEEP, 1).await;
    stage.clock.advance(30 * HOUR);
    for sweep in 2..12 {
        stage.clock.slept(WatchedClock::SWEEP, sweep).await;
        stage.clock.advance(MINUTE);
    }
    back(&stage, 30 * HOUR);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s45_a_clock_set_back_refreshes_once_in_the_background() {
    let mut stage = Stage::signed_in().await;
    let old = stage.token().await;
    // By more than the idle timeout.
    back(&stage, 30 * HOUR);
    let hold = stage.osc.hold(Endpoint::Token);
    for _ in 0..10 {
        let answer = stage.browser.fetch("/").now_or_never().expect("it waits");
        assert_eq!(token_of(&answer).expect("a token").access_token(), old.access_token());
    }
    soon(hold.arrived(1)).await;
    hold.release();
    let new = soon(old.session().refresh(&old)).await.expect("a token");
    let left = new.expires_at().duration_since(stage.clock.now()).unwrap();
    assert_eq!(left.as_millis().div_ceil(1000), 3600, "counted from the present time");
    for _ in 0..10 {
        assert_eq!(stage.token().await.access_token(), new.access_token());
    }
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn s45_small_corrections_of_the_clock_cost_nothing() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    for _ in 0..5 {
        back(&stage, Duration::from_secs(30));
        assert_eq!(stage.token().await.access_token(), old.access_token());
        stage.clock.advance(Duration::from_secs(30));
    }
    tokio::task::yield_now().await;
    assert!(soon(stage.layer.shutdown(Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.refreshes(), 0);
}

#[tokio::test]
async fn s45_a_clock_set_back_restarts_idle_time_and_ends_no_session() {
    let mut stage = Stage::with(MockOsc::builder().token_ttl(1000 * HOUR), |layer| layer).await;
    stage.clock.advance(12 * HOUR);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    back(&stage, 12 * HOUR);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    stage.clock.advance(24 * HOUR - MINUTE);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    stage.clock.advance(24 * HOUR);
    assert_eq!(error_of(&stage.fetch("/").await), "unauthenticated");
}

#[tokio::test]
async fn s45_a_clock_set_back_does_not_prolong_the_backoff() {
    let mut stage = Stage::signed_in().await;
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "200".to_owned())).once();
    stage.pass(EXPIRED + MINUTE);
    let answer = stage.fetch("/").await;
    assert_eq!(error_of(&answer), "temporarily_unavailable");
    assert!(retry_after(&answer) >= Duration::from_secs(200));

    back(&stage, Duration::from_secs(30));

    assert!(stage.osc.is_live(stage.token().await.access_token()));
    assert_eq!(stage.refreshes(), 2);
}

#[tokio::test]
async fn s45_a_clock_jump_ahead_ends_the_backoff() {
    let mut stage = Stage::signed_in().await;
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "200".to_owned())).once();
    stage.pass(EXPIRED);
    assert_eq!(error_of(&stage.fetch("/").await), "temporarily_unavailable");
    stage.clock.advance(5 * HOUR);
    assert!(stage.osc.is_live(stage.token().await.access_token()));
}

#[tokio::test]
async fn s45_extreme_clocks_cause_no_panic() {
    let mut stage = Stage::signed_in().await;
    let now = stage.clock.now();
    // The last is the end of a signed 64-bit count of seconds, which the system uses.
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs());
    let ends = [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH - HOUR, now + 24 * 365 * 5000 * HOUR, last];
    for end in ends {
        stage.clock.set(end);
        let answer = stage.clock.clone().through_second_tries(stage.browser.fetch("/")).await;
        assert!(matches!(answer.status(), StatusCode::OK | StatusCode::UNAUTHORIZED), "{end:?}: {answer:?}");
        let answer = stage.browser.clone().sign_in(&stage.osc).await;
        assert!(
            matches!(answer.status(), StatusCode::SEE_OTHER | StatusCode::BAD_REQUEST),
            "{end:?}: {answer:?}"
        );
    }
    stage.clock.set(now);
    stage.browser.sign_in(&stage.osc).await;
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}
