//! Waiting until an instance runs, on the layer's clock.

use std::time::Duration;

use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::workspace::InstanceHealth;
use osc_auth_layer::{ContextError, ContextErrorKind as Kind};
use osc_tests::{ADSERVER, LOOK, Stage, soon};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Drives the wait until its `times`th pause of this length begins.
pub(super) async fn until_pause<F: Future<Output = Result<(), ContextError>> + Unpin>(
    stage: &Stage,
    waiting: &mut F,
    pause: Duration,
    times: usize,
) {
    tokio::select! {
        biased;
        over = waiting => panic!("it did not wait: {over:?}"),
        _ = stage.clock.slept(pause..=pause, times) => {}
    }
}

#[tokio::test]
async fn every_look_is_reported_until_the_instance_runs() {
    let stage = Stage::with(MockOsc::builder().instance_start(3 * SECOND), |layer| layer).await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let made = adserver.known_instance(&soon(adserver.instance("mine").create(json!({}))).await.unwrap());
    let mut told = Vec::new();
    let watch = |health: &InstanceHealth| told.push(health.status.clone());
    stage.through_looks(made.wait_until_ready(TIMEOUT, watch)).await.unwrap();
    assert_eq!(told, ["starting", "starting", "starting", "running"]);
    assert_eq!(stage.asked().instances, 1 + 4, "an instance that was read is not looked up again");
}

#[tokio::test]
async fn a_running_instance_is_not_waited_for() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let mut told = Vec::new();
    soon(osc.service(ADSERVER).instance("demo").wait_until_ready(Duration::from_millis(1), |health| {
        told.push(health.is_running());
    }))
    .await
    .unwrap();
    assert_eq!((told, stage.clock.sleeps(LOOK)), (vec![true], 0));
    assert_eq!(stage.asked().instances, 2);
}

#[tokio::test]
async fn health_that_appears_late_is_waited_for() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let of_health = |request: &mock_osc::Recorded| request.path.contains("/health/");
    stage.osc.fault(Endpoint::Instances, Fault::Status(404)).when(of_health).times(3);
    stage
        .through_looks(osc.service(ADSERVER).instance("demo").wait_until_ready(TIMEOUT, |_| {}))
        .await
        .unwrap();
    assert_eq!(stage.clock.sleeps(LOOK), 3);
}

#[tokio::test]
async fn the_wait_goes_on_through_an_outage_of_the_platform() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let found = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
    let demo = adserver.known_instance(&found);
    soon(demo.restart()).await.unwrap();
    let mut told = Vec::new();
    let watch = |health: &InstanceHealth| told.push(health.status.clone());
    let mut waiting = Box::pin(demo.wait_until_ready(TIMEOUT, watch));
    until_pause(&stage, &mut waiting, SECOND, 1).await;
    stage.osc.stop_listening().await;
    stage.pass(SECOND);
    until_pause(&stage, &mut waiting, SECOND, 2).await;
    stage.osc.resume_listening().await.unwrap();
    for fault in
        [Fault::Status(503), Fault::HangUp, Fault::HalfAnswer, Fault::RetryAfter(429, "1".to_owned())]
    {
        stage.osc.fault(Endpoint::Instances, fault).once();
    }
    stage.pass(SECOND);
    stage.through_looks(waiting).await.unwrap();
    assert_eq!(told, ["starting", "running"]);
}

#[tokio::test]
async fn the_wait_begins_also_in_an_outage() {
    for endpoint in [Endpoint::Catalog, Endpoint::ServiceToken, Endpoint::Instances] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.fault(endpoint, Fault::Status(500)).times(3);
        stage
            .through_looks(osc.service(ADSERVER).instance("demo").wait_until_ready(TIMEOUT, |_| {}))
            .await
            .unwrap();
        assert_eq!(stage.clock.sleeps(LOOK), 3, "{endpoint:?}");
    }
}

#[tokio::test]
async fn retry_after_delays_the_next_look() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let found = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
    let demo = adserver.known_instance(&found);
    stage.osc.fault(Endpoint::Instances, Fault::RetryAfter(429, "17".to_owned())).once();
    let looks = stage.asked().instances;
    let mut waiting = Box::pin(demo.wait_until_ready(TIMEOUT, |_| {}));
    for second in 1..=17 {
        until_pause(&stage, &mut waiting, SECOND, second).await;
        assert_eq!(stage.asked().instances, looks + 1, "after {second} seconds");
        stage.pass(SECOND);
    }
    soon(waiting).await.unwrap();
    assert_eq!(stage.asked().instances, looks + 2);
}

#[tokio::test]
async fn a_refusal_is_not_waited_out() {
    for (fault, kind) in [(Fault::Status(403), Kind::Refused), (Fault::Html, Kind::UnexpectedAnswer)] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.fault(Endpoint::Instances, fault);
        let error =
            soon(osc.service(ADSERVER).instance("demo").wait_until_ready(TIMEOUT, |_| {})).await.unwrap_err();
        assert_eq!((error.kind(), stage.clock.sleeps(LOOK)), (kind, 0));
    }
}

#[tokio::test]
async fn a_sign_out_ends_the_wait() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    soon(demo.restart()).await.unwrap();
    let mut waiting = Box::pin(demo.wait_until_ready(TIMEOUT, |_| {}));
    until_pause(&stage, &mut waiting, SECOND, 1).await;
    soon(osc.session().unwrap().sign_out()).await;
    let asked = stage.asked();
    stage.pass(SECOND);
    assert_eq!(soon(waiting).await.unwrap_err().kind(), Kind::SessionEnded);
    assert_eq!(stage.asked(), asked);
}

#[tokio::test]
async fn a_sign_out_ends_a_wait_with_a_long_retry_after() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    stage.osc.fault(Endpoint::Instances, Fault::RetryAfter(503, "3000".to_owned()));
    let hour = 3600 * SECOND;
    let mut waiting = Box::pin(demo.wait_until_ready(hour, |_| {}));
    until_pause(&stage, &mut waiting, SECOND, 1).await;
    soon(osc.session().unwrap().sign_out()).await;
    let asked = stage.asked();
    stage.pass(SECOND);
    assert_eq!(soon(waiting).await.unwrap_err().kind(), Kind::SessionEnded);
    assert_eq!(stage.asked(), asked);
}

#[tokio::test]
async fn a_wait_that_is_dropped_asks_no_more() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    soon(demo.restart()).await.unwrap();
    let mut waiting = Box::pin(demo.wait_until_ready(TIMEOUT, |_| {}));
    until_pause(&stage, &mut waiting, SECOND, 1).await;
    drop(waiting);
    let asked = stage.asked();
    for _ in 0..5 {
        stage.pass(SECOND);
        // Any requests of a forgotten wait would have arrived before this one.
        soon(osc.token_balance()).await.unwrap();
    }
    assert_eq!(stage.asked().instances, asked.instances);
}

#[tokio::test]
async fn a_wait_outlasts_the_tokens() {
    let stage = Stage::with(MockOsc::builder().service_token_ttl(120 * SECOND), |layer| layer).await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    stage.osc.set_instance_start(3 * 3600 * SECOND);
    let made = adserver.known_instance(&soon(adserver.instance("mine").create(json!({}))).await.unwrap());
    let mut waiting = Box::pin(made.wait_until_ready(4 * 3600 * SECOND, |_| {}));
    for look in 1..=18 {
        until_pause(&stage, &mut waiting, SECOND, look).await;
        stage.pass(600 * SECOND);
    }
    soon(waiting).await.unwrap();
    assert!(stage.refreshes() >= 2, "{}", stage.refreshes());
}
