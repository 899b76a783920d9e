//! How a wait ends if the instance never runs: failed, removed, refused, or at the timeout. The timeout's
//! error contains the last status.

use std::sync::Mutex;
use std::time::Duration;

use mock_osc::{Endpoint, Fault};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_auth_layer::workspace::{InstanceHealth, InstanceStatus};
use osc_tests::{ADSERVER, FFMPEG, LOOK, Stage, soon};
use serde_json::json;

use super::waiting::until_pause;

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_failed_instance_ends_the_wait() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    stage.osc.fail_instances(true);
    let made = adserver.known_instance(&soon(adserver.instance("mine").create(json!({}))).await.unwrap());
    let mut told = Vec::new();
    let watch = |health: &InstanceHealth| told.push(health.status.clone());
    let error = stage.through_looks(made.wait_until_ready(TIMEOUT, watch)).await.unwrap_err();
    assert_eq!((error.kind(), error.last_status()), (Kind::Failed, Some("failed")));
    assert_eq!(
        error.to_string(),
        "could not wait for mine (eyevinn-test-adserver): it has failed; waiting longer does not help"
    );
    assert_eq!(told, [InstanceStatus::Starting, InstanceStatus::Starting, InstanceStatus::Failed]);
}

#[tokio::test]
async fn the_wait_timeout_reports_the_last_status() {
    for status in ["starting", "stopped", "unknown", "hibernating"] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let adserver = osc.service(ADSERVER);
        stage.osc.set_instance_status(json!(status));
        let made = adserver.known_instance(&soon(adserver.instance("mine").create(json!({}))).await.unwrap());
        let looks = Mutex::new(0);
        let watch = |_: &InstanceHealth| *looks.lock().unwrap() += 1;
        let error = stage.through_looks(made.wait_until_ready(TIMEOUT, watch)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (Kind::TimedOut, None));
        assert_eq!(error.last_status(), Some(status));
        assert_eq!(
            error.to_string(),
            format!(
                "could not wait for mine (eyevinn-test-adserver): it was not running in time; its last status was {status}"
            )
        );
        assert!((59..=61).contains(&*looks.lock().unwrap()), "{looks:?}");
    }
}

#[tokio::test]
async fn the_timeout_also_says_why_the_latest_look_failed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    soon(demo.restart()).await.unwrap();
    let mut waiting = Box::pin(demo.wait_until_ready(TIMEOUT, |_| {}));
    until_pause(&stage, &mut waiting, SECOND, 1).await;
    stage.osc.fault(Endpoint::Instances, Fault::Status(503));
    stage.pass(SECOND);
    let error = stage.through_looks(waiting).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TimedOut);
    let text = "it was not running in time; its last status was starting; \
                the last check failed: Open Source Cloud has an internal error; try again later";
    assert!(error.to_string().ends_with(text), "{error}");
}

#[tokio::test]
async fn refused_tokens_of_an_api_are_retried_for_a_minute() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let made = adserver.known_instance(&soon(adserver.instance("mine").create(json!({}))).await.unwrap());
    let tokens = stage.asked().tokens;
    let of_health = |request: &mock_osc::Recorded| request.path.contains("/health/");
    // A look costs one request, or two with a new token.
    stage.osc.fault(Endpoint::Instances, Fault::Status(401)).when(of_health).times(50);
    stage.through_looks(made.wait_until_ready(10 * TIMEOUT, |_| {})).await.unwrap();
    assert!((40..60).contains(&stage.clock.sleeps(LOOK)), "{}", stage.clock.sleeps(LOOK));
    let asked = stage.asked().tokens - tokens;
    assert!(asked <= 4, "{asked} service access tokens in a minute");
}

#[tokio::test]
async fn an_api_that_refuses_its_tokens_for_longer_ends_the_wait() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    soon(demo.restart()).await.unwrap();
    let mut waiting = Box::pin(demo.wait_until_ready(10 * TIMEOUT, |_| {}));
    until_pause(&stage, &mut waiting, SECOND, 1).await;
    stage.osc.fault(Endpoint::Instances, Fault::Status(401));
    stage.pass(SECOND);
    let error = stage.through_looks(waiting).await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (Kind::Refused, 401));
    assert_eq!(error.last_status(), Some("starting"));
    assert!(error.to_string().ends_with("; its last status was starting"), "{error}");
    assert!((59..=62).contains(&stage.clock.sleeps(LOOK)), "{}", stage.clock.sleeps(LOOK));
}

#[tokio::test]
async fn the_timeout_ends_also_a_look_that_is_not_answered() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let hold = stage.osc.hold(Endpoint::Instances);
    let demo = osc.service(ADSERVER).instance("demo");
    let mut waiting = Box::pin(demo.wait_until_ready(TIMEOUT, |_| panic!("it was not looked at")));
    let arrived = async { soon(hold.arrived(1)).await };
    tokio::select! { biased; over = &mut waiting => panic!("{over:?}"), () = arrived => {} }
    stage.pass(TIMEOUT);
    let error = soon(waiting).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TimedOut);
    assert!(error.to_string().ends_with("its last status was unknown"), "{error}");
}

#[tokio::test]
async fn an_instance_that_is_removed_meanwhile_is_not_found() {
    for links in [true, false] {
        let stage = Stage::signed_in().await;
        stage.osc.set_instance_links(links);
        let osc = stage.context().await;
        let mine = osc.service(ADSERVER).instance("mine");
        soon(mine.create(json!({}))).await.unwrap();
        let mut waiting = Box::pin(mine.wait_until_ready(TIMEOUT, |_| {}));
        until_pause(&stage, &mut waiting, SECOND, 1).await;
        stage.osc.remove_instance(ADSERVER, "mine");
        stage.pass(SECOND);
        let error = stage.through_looks(waiting).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(
            error.to_string(),
            "could not wait for mine (eyevinn-test-adserver): there is no such instance; its last status was starting"
        );
    }
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let error =
        soon(osc.service(ADSERVER).instance("none").wait_until_ready(TIMEOUT, |_| {})).await.unwrap_err();
    assert_eq!((error.kind(), stage.clock.sleeps(LOOK)), (Kind::NotFound, 0));
}

#[tokio::test]
async fn a_job_that_never_says_running_is_given_up_at_the_timeout() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let mine = osc.service(FFMPEG).instance("mine");
    for status in [json!("Complete"), json!("Running "), json!("RUNNING")] {
        stage.osc.set_instance_status(status.clone());
        soon(mine.create(json!({}))).await.unwrap();
        let waited = stage.through_looks(mine.wait_until_ready(3 * SECOND, |_| {})).await;
        assert_eq!(waited.unwrap_err().kind(), Kind::TimedOut, "{status}");
        soon(mine.remove()).await.unwrap();
    }
}
