//! Sessions that end for every reason, and their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Browser, EXPIRED, Stage, WatchedClock, app, callback, error_of, soon};

use crate::total;

const MINUTE: Duration = Duration::from_secs(60);
const ENDED: &str = "osc_auth_sessions_ended_total";
const HELD: &str = "osc_auth_sessions";

pub(crate) async fn drive(metrics: &PrometheusHandle) {
    by_user_and_app().await;
    replaced_and_refused(metrics).await;
    undelivered(metrics).await;
    expired_and_evicted(metrics).await;
}

/// Waits until the count of ended sessions has grown. No event tells of it, but all work is done in this thread.
async fn ended(metrics: &PrometheusHandle, before: f64) {
    soon(async {
        while total(metrics, ENDED) <= before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn by_user_and_app() {
    let stage = Stage::signed_in().await;
    for _ in 0..2 {
        Browser::new(app(&stage.layer)).sign_in(&stage.osc).await;
    }
    let token = stage.token().await;
    let session = token.session();
    let others = soon(session.list()).await.expect("the sessions");
    let other = others.iter().find(|info| info.id() != session.id()).expect("another one");
    assert!(soon(session.end(other.id())).await.expect("it ends"));
    let key = token.user().and_then(|user| user.key()).expect("a key");
    soon(stage.layer.sessions_of(key).end_all()).await.expect("they end");
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
}

async fn replaced_and_refused(metrics: &PrometheusHandle) {
    let allowed = Arc::new(AtomicBool::new(true));
    let rule = allowed.clone();
    let may_enter = move |_: &_| rule.load(Ordering::SeqCst);
    let mut stage = Stage::with(MockOsc::builder(), |layer| layer.authorize(may_enter)).await;
    let before = total(metrics, ENDED);
    stage.browser.sign_in(&stage.osc).await;
    ended(metrics, before).await;
    allowed.store(false, Ordering::SeqCst);
    stage.pass(EXPIRED);
    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
}

async fn undelivered(metrics: &PrometheusHandle) {
    const UNCLAIMED_FOR: Duration = Duration::from_secs(12);
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let path = callback(&mut stage.browser, &stage.osc).await;
    let hold = stage.osc.hold(Endpoint::Token);
    let mut browser = stage.browser.clone();
    let mut request = Box::pin(async move { browser.navigate(&path).await });
    assert!(request.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    drop(request);
    hold.release();
    stage.clock.slept(UNCLAIMED_FOR..=UNCLAIMED_FOR, 1).await;
    let before = total(metrics, ENDED);
    stage.clock.advance(UNCLAIMED_FOR);
    ended(metrics, before).await;
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
}

async fn expired_and_evicted(metrics: &PrometheusHandle) {
    let held_before = total(metrics, HELD);
    let stage = Stage::with(MockOsc::builder(), |layer| layer.max_sessions(1).idle_timeout(MINUTE)).await;
    assert_eq!(total(metrics, HELD), held_before + 1.0);
    let before = total(metrics, ENDED);
    stage.pass(MINUTE / 2);
    Browser::new(app(&stage.layer)).sign_in(&stage.osc).await;
    ended(metrics, before).await;
    assert_eq!(total(metrics, HELD), held_before + 1.0, "one had to make room for the other");

    stage.clock.slept(WatchedClock::SWEEP, 1).await;
    let before = total(metrics, ENDED);
    for _ in 0..2 {
        let sweeps = stage.clock.sleeps(WatchedClock::SWEEP);
        stage.pass(MINUTE);
        stage.clock.slept(WatchedClock::SWEEP, sweeps + 1).await;
    }
    ended(metrics, before).await;
    assert_eq!(total(metrics, HELD), held_before);
    let another = Stage::signed_in().await;
    assert_eq!(total(metrics, HELD), held_before + 1.0);
    assert!(soon(another.layer.shutdown(EXPIRED)).await.is_ok());
    drop(another);
    assert_eq!(total(metrics, HELD), held_before, "the table is gone");
}
