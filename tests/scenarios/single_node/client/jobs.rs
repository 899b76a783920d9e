//! Jobs: created, waited for, listed and removed.

use std::time::Duration;

use osc_auth_layer::ContextErrorKind as Kind;
use osc_auth_layer::workspace::{JobStatus, ServiceType};
use osc_tests::{ADSERVER, FFMPEG, Stage, soon};
use serde_json::json;

#[tokio::test]
async fn a_job_is_waited_for_until_it_is_done() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let ffmpeg = osc.service(FFMPEG);
    let mine = ffmpeg.job("mine");
    let made = soon(mine.create(json!({ "cmdLineArgs": "-i a b" }))).await.unwrap();
    assert_eq!(made.job_status(), Some(JobStatus::Running));
    let mut told = Vec::new();
    let watch = |status: &JobStatus| told.push(status.clone());
    let done = stage.through_looks(mine.wait_until_complete(Duration::from_secs(60), watch)).await.unwrap();
    assert_eq!(
        (done.job_status(), &done.fields["cmdLineArgs"]),
        (Some(JobStatus::Complete), &json!("-i a b"))
    );
    assert_eq!(told, [JobStatus::Running, JobStatus::Running, JobStatus::Complete]);
    assert_eq!(soon(ffmpeg.list_jobs()).await.unwrap().len(), 1);
    assert!(soon(ffmpeg.job("other").get()).await.unwrap().is_none());
    soon(mine.remove()).await.unwrap();
    assert!(soon(ffmpeg.list_jobs()).await.unwrap().is_empty());
    let gone = soon(mine.wait_until_complete(Duration::from_secs(60), |_| {})).await;
    assert_eq!(gone.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_job_ends_with_four_statuses_or_at_the_timeout() {
    for (word, expected) in [
        ("Complete", None),
        ("SuccessCriteriaMet", None),
        ("Failed", Some(Kind::Failed)),
        ("FailureTarget", Some(Kind::Failed)),
        ("Suspended", Some(Kind::TimedOut)),
        ("Pondering", Some(Kind::TimedOut)),
    ] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let mine = osc.service(FFMPEG).job("mine");
        soon(mine.create(json!({}))).await.unwrap();
        stage.osc.set_instance_field("status", json!(word));
        let waiting = mine.wait_until_complete(Duration::from_secs(60), |_| {});
        let error = stage.through_looks(waiting).await.err();
        assert_eq!(error.as_ref().map(|error| error.kind()), expected, "{word}");
        if let Some(error) = error {
            assert_eq!(error.last_status(), Some(word), "{error}");
        }
    }
}

#[tokio::test]
async fn a_service_of_instances_has_no_jobs() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let demo = adserver.job("demo");
    for refused in [
        soon(adserver.job("mine").create(json!({}))).await.map(drop),
        soon(adserver.list_jobs()).await.map(drop),
        soon(demo.get()).await.map(drop),
        soon(demo.remove()).await,
        soon(demo.wait_until_complete(Duration::from_secs(1), |_| {})).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), Kind::NotSupported);
    }
    assert_eq!(soon(osc.service(FFMPEG).list_jobs()).await.unwrap_err().kind(), Kind::NotSubscribed);
    assert_eq!(stage.osc.instances(ADSERVER), ["demo"]);
}

#[tokio::test]
async fn a_job_is_made_ends_and_is_removed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let ffmpeg = osc.service(FFMPEG);
    let mine = ffmpeg.instance("mine");
    let subscribed = soon(ffmpeg.subscribe()).await.unwrap();
    assert_eq!(subscribed.service_type, ServiceType::Job);
    let job = soon(mine.create(json!({ "cmdLineArgs": "-i a b" }))).await.unwrap();
    assert_eq!((&job.fields["status"], &job.fields["cmdLineArgs"]), (&json!("Running"), &json!("-i a b")));
    stage.pass(std::time::Duration::from_secs(3));
    let job = soon(mine.get()).await.unwrap().unwrap();
    assert_eq!(job.fields["status"], "Complete");
    soon(mine.remove()).await.unwrap();
    assert!(soon(ffmpeg.list_instances()).await.unwrap().is_empty());
}
