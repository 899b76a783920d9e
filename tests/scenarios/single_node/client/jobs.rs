//! Jobs: created, waited for, listed and removed.

use std::time::Duration;

use osc_auth_layer::ContextErrorKind as Kind;
use osc_auth_layer::workspace::JobStatus;
use osc_tests::{ADSERVER, FFMPEG, Stage, soon};
use serde_json::json;

#[tokio::test]
async fn a_job_is_waited_for_until_it_is_done() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let made = soon(osc.create_job(FFMPEG, "mine", json!({ "cmdLineArgs": "-i a b" }))).await.unwrap();
    assert_eq!(made.job_status(), Some(JobStatus::Running));
    let mut told = Vec::new();
    let watch = |status: &JobStatus| told.push(status.clone());
    let done =
        stage.through_looks(osc.wait_for_job(FFMPEG, "mine", Duration::from_secs(60), watch)).await.unwrap();
    assert_eq!(
        (done.job_status(), &done.fields["cmdLineArgs"]),
        (Some(JobStatus::Complete), &json!("-i a b"))
    );
    assert_eq!(told, [JobStatus::Running, JobStatus::Running, JobStatus::Complete]);
    assert_eq!(soon(osc.list_jobs(FFMPEG)).await.unwrap().len(), 1);
    assert!(soon(osc.get_job(FFMPEG, "other")).await.unwrap().is_none());
    soon(osc.remove_job(FFMPEG, "mine")).await.unwrap();
    assert!(soon(osc.list_jobs(FFMPEG)).await.unwrap().is_empty());
    let gone = soon(osc.wait_for_job(FFMPEG, "mine", Duration::from_secs(60), |_| {})).await;
    assert_eq!(gone.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_job_ends_with_four_statuses_or_at_the_deadline() {
    for (word, expected) in [
        ("Complete", None),
        ("SuccessCriteriaMet", None),
        ("Failed", Some(Kind::Failed)),
        ("FailureTarget", Some(Kind::Failed)),
        ("Suspended", Some(Kind::DeadlineExceeded)),
        ("Pondering", Some(Kind::DeadlineExceeded)),
    ] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        soon(osc.create_job(FFMPEG, "mine", json!({}))).await.unwrap();
        stage.osc.set_instance_field("status", json!(word));
        let waiting = osc.wait_for_job(FFMPEG, "mine", Duration::from_secs(60), |_| {});
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
    for refused in [
        soon(osc.create_job(ADSERVER, "mine", json!({}))).await.map(drop),
        soon(osc.list_jobs(ADSERVER)).await.map(drop),
        soon(osc.get_job(ADSERVER, "demo")).await.map(drop),
        soon(osc.remove_job(ADSERVER, "demo")).await,
        soon(osc.wait_for_job(ADSERVER, "demo", Duration::from_secs(1), |_| {})).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), Kind::NotSupported);
    }
    assert_eq!(soon(osc.list_jobs(FFMPEG)).await.unwrap_err().kind(), Kind::NotSubscribed);
    assert_eq!(stage.osc.instances(ADSERVER), ["demo"]);
}
