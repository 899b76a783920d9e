//! The contents of an error: its kind, its status, and the platform's own text.

use std::time::Duration;

use mock_osc::{Endpoint, ErrorForm, Fault, MockOsc};
use osc_auth_layer::{ContextError, ContextErrorKind as Kind};
use osc_tests::{ADSERVER, Asked, Call, EXPIRED, MINIO, Stage, calls, soon};
use serde_json::json;

const FORMS: [ErrorForm; 5] =
    [ErrorForm::Reason, ErrorForm::Message, ErrorForm::Text, ErrorForm::Html, ErrorForm::Empty];

/// Returns true if an error of this form has readable text.
fn has_text(form: ErrorForm) -> bool {
    !matches!(form, ErrorForm::Html | ErrorForm::Empty)
}

fn answer(status: u16, form: ErrorForm, reason: &str) -> Fault {
    let (content_type, body) = match form {
        ErrorForm::Reason => ("application/json", json!({ "reason": reason }).to_string()),
        ErrorForm::Message => ("application/json", json!({ "message": reason }).to_string()),
        ErrorForm::Text => ("text/plain", reason.to_owned()),
        ErrorForm::Html => ("text/html", format!("<!doctype html><p>{reason}</p>")),
        _ => ("text/plain", String::new()),
    };
    Fault::Answer(status, content_type, body)
}

async fn failure(stage: &Stage, call: Call) -> ContextError {
    let osc = stage.context().await;
    let error = soon(call.make(&osc)).await.expect_err(call.doing);
    let text = error.to_string();
    assert!(text.starts_with("could not ") && text.contains(": "), "{text}");
    error
}

#[tokio::test]
async fn every_call_reports_kind_status_and_reason() {
    let kinds = [
        (400, Kind::Refused),
        (402, Kind::PlanRequired),
        (403, Kind::Refused),
        (404, Kind::NotFound),
        (409, Kind::Refused),
        (429, Kind::Unavailable),
        (500, Kind::Unavailable),
        (503, Kind::Unavailable),
    ];
    let stage = Stage::signed_in().await;
    soon(stage.context().await.list_instances(ADSERVER)).await.unwrap();
    for call in calls() {
        // The token is cached, so this sends no request.
        if call.endpoint == Endpoint::ServiceToken {
            continue;
        }
        for (at, (status, kind)) in kinds.into_iter().enumerate() {
            let form = FORMS[at % FORMS.len()];
            stage.osc.fault(call.endpoint, answer(status, form, "because the mock says so"));
            let is_look = call.doing.starts_with("look up");
            if is_look && kind == Kind::NotFound {
                stage.osc.clear_faults();
                continue;
            }
            let error = failure(&stage, call).await;
            stage.osc.clear_faults();
            let is_create = call.doing.starts_with("create");
            let is_json = matches!(form, ErrorForm::Reason | ErrorForm::Message);
            let is_by_name = !is_create && call.endpoint == Endpoint::Instances && call.reads;
            let doing = call.doing;
            let kind = match (is_create, status) {
                (true, 409) => Kind::NameTaken,
                // Only the service itself answers in JSON. Any other answer may come from a gateway.
                (true, 500..) if !is_json => Kind::MaybeCreated,
                _ => kind,
            };
            assert_eq!(error.kind(), kind, "{doing} {status}: {error}");
            // The client looks the instance up by name, and the list does not contain it.
            if is_by_name && kind == Kind::NotFound && !doing.starts_with("list") {
                assert_eq!(error.to_string(), format!("could not {doing}: there is no such instance"));
                continue;
            }
            assert_eq!(error.status().unwrap().as_u16(), status, "{doing}");
            let reason = has_text(form).then_some("because the mock says so");
            assert_eq!(error.reason(), reason, "{doing} {status} {form:?}");
        }
        soon(call.make(&stage.context().await)).await.unwrap();
        stage.osc.remove_instance(ADSERVER, "fresh");
        stage.osc.add_instance(ADSERVER, "demo", serde_json::Map::default());
        stage.osc.unsubscribe(MINIO);
    }
}

#[tokio::test]
async fn platform_refusals_are_distinguished_in_every_error_form() {
    for form in FORMS {
        let stage = Stage::with(MockOsc::builder().error_form(form), |layer| layer).await;
        let osc = stage.context().await;
        let demo = soon(osc.get_instance(ADSERVER, "demo")).await.unwrap().unwrap();
        let mut errors = vec![
            (
                soon(osc.create_instance(ADSERVER, "demo", json!({}))).await.map(drop),
                Kind::NameTaken,
                409,
                "the name is taken",
            ),
            (soon(osc.remove_instance(ADSERVER, "none")).await, Kind::NotFound, 404, "no such instance"),
            (soon(osc.activate_service("no-such")).await.map(drop), Kind::NotFound, 404, "no such service"),
            (soon(osc.save_secret("no-such", "a", "value")).await, Kind::NotFound, 404, "no such service"),
        ];
        let refers = json!({ "password": "{{secrets.none}}" });
        let refused = soon(osc.create_instance(ADSERVER, "mine", &refers)).await.map(drop);
        errors.push((refused, Kind::Refused, 400, "no such secret: none"));
        let refused = soon(osc.update_instance(ADSERVER, "demo", &refers)).await.map(drop);
        errors.push((refused, Kind::Refused, 400, "no such secret: none"));
        stage.osc.set_balance(0);
        let refused = soon(osc.create_instance(ADSERVER, "mine", json!({}))).await.map(drop);
        errors.push((refused, Kind::Refused, 403, "no tokens left"));
        stage.osc.remove_instance(ADSERVER, "demo");
        let gone = [
            soon(osc.update_instance(ADSERVER, &demo, json!({ "level": 1 }))).await.map(drop),
            soon(osc.restart_instance(ADSERVER, &demo)).await,
            soon(osc.instance_health(ADSERVER, &demo)).await.map(drop),
            soon(osc.instance_logs(ADSERVER, &demo)).await.map(drop),
            soon(osc.instance_ports(ADSERVER, &demo)).await.map(drop),
            soon(osc.instance_scaling(ADSERVER, &demo)).await.map(drop),
            soon(osc.scale_instance(ADSERVER, &demo, 2)).await,
        ];
        errors.extend(gone.map(|gone| (gone, Kind::NotFound, 404, "no such instance")));

        for (error, kind, status, reason) in errors {
            let error = error.unwrap_err();
            let found = (error.kind(), error.status().unwrap().as_u16(), error.reason());
            assert_eq!(found, (kind, status, has_text(form).then_some(reason)), "{form:?}: {error}");
        }
        assert!(soon(osc.get_instance(ADSERVER, "demo")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn errors_read_well() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let text = |result: Result<(), ContextError>| result.unwrap_err().to_string();

    let taken = soon(osc.create_instance(ADSERVER, "demo", json!({}))).await.map(drop);
    assert_eq!(text(taken), "could not create demo (eyevinn-test-adserver): the name is taken");
    let unsubscribed = soon(osc.list_instances(MINIO)).await.map(drop);
    assert_eq!(
        text(unsubscribed),
        "could not list the instances (minio-minio): the workspace does not subscribe to the service; activate the service first"
    );
    let unknown = soon(osc.create_instance("no-such", "mine", json!({}))).await.map(drop);
    assert_eq!(
        text(unknown),
        "could not activate the service (no-such): Open Source Cloud did not find it (OSC says: no such service)"
    );
    let missing = soon(osc.restart_instance(ADSERVER, "none")).await;
    assert_eq!(text(missing), "could not restart none (eyevinn-test-adserver): there is no such instance");
    let misnamed = soon(osc.create_instance(ADSERVER, "My Own", json!({}))).await.map(drop);
    assert_eq!(
        text(misnamed),
        "could not create My Own (eyevinn-test-adserver): a name may contain only lowercase letters and digits"
    );
    stage.osc.fault(Endpoint::Money, Fault::RetryAfter(429, "7".to_owned())).once();
    assert_eq!(
        text(soon(osc.token_balance()).await.map(drop)),
        "could not read the token balance: Open Source Cloud asks you to try again later"
    );
    stage.osc.fault(Endpoint::Deploy, Fault::Status(500)).once();
    assert_eq!(
        text(soon(osc.my_apps()).await.map(drop)),
        "could not list the apps: Open Source Cloud has an internal error; try again later (OSC says: the mock was told to fail)"
    );
    stage.osc.fault(Endpoint::Instances, Fault::LostAnswer).once();
    assert_eq!(
        text(soon(osc.create_instance(ADSERVER, "mine", json!({}))).await.map(drop)),
        "could not create mine (eyevinn-test-adserver): it may have been created; look for it in a few minutes before you create it again"
    );
    assert_eq!(stage.osc.instances(ADSERVER), ["demo", "mine"], "it has done it");
    stage.osc.stop_listening().await;
    assert_eq!(
        text(soon(osc.remove_instance(ADSERVER, "mine")).await),
        "could not remove mine (eyevinn-test-adserver): Open Source Cloud is unreachable"
    );
    stage.osc.resume_listening().await.unwrap();
    stage.token().await.session().sign_out().await;
    assert_eq!(
        text(soon(osc.subscriptions()).await.map(drop)),
        "could not read the subscriptions: the session has ended; the user has to sign in again"
    );
}

#[tokio::test]
async fn an_oversized_answer_to_an_update_is_an_error_and_no_reason_to_look() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = soon(osc.get_instance(ADSERVER, "demo")).await.unwrap().unwrap();
    let oversized = Fault::Answer(200, "application/json", " ".repeat(5 * 1024 * 1024));
    stage.osc.fault(Endpoint::Instances, Fault::AfterProcessing(Box::new(oversized))).once();
    let before = stage.osc.count(Endpoint::Instances);

    let error = soon(osc.update_instance(ADSERVER, &demo, json!({ "level": 1 }))).await.unwrap_err();

    assert_eq!(error.kind(), Kind::UnexpectedAnswer, "{error}");
    assert_eq!(stage.osc.count(Endpoint::Instances), before + 1);
}

#[tokio::test]
async fn retry_after_of_every_platform_service_is_passed_on() {
    for call in calls() {
        let stage = Stage::signed_in().await;
        stage.osc.fault(call.endpoint, Fault::RetryAfter(503, "17".to_owned()));
        let error = failure(&stage, call).await;
        let found = (error.kind(), error.retry_after());
        assert_eq!(found, (Kind::Unavailable, Some(Duration::from_secs(17))), "{}", call.doing);
    }
}

#[tokio::test]
async fn retry_after_of_the_provider_is_passed_on() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "30".to_owned()));
    let error = soon(osc.token_balance()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.retry_after().unwrap() >= Duration::from_secs(30), "{:?}", error.retry_after());
    assert_eq!(stage.asked(), Asked::nothing());
}

#[tokio::test]
async fn unsendable_arguments_are_refused_before_any_request() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let long = "a".repeat(1000);
    let mut refused = Vec::new();
    for name in ["", "Mine", "my-own", "my own", "../demo", "demo?x", "demo#x", "demo%2f", "dämo", "a\n"] {
        refused.push(soon(osc.get_instance(ADSERVER, name)).await.map(drop));
        refused.push(soon(osc.create_instance(ADSERVER, name, json!({}))).await.map(drop));
        refused.push(soon(osc.update_instance(ADSERVER, name, json!({}))).await.map(drop));
        refused.push(soon(osc.remove_instance(ADSERVER, name)).await);
        refused.push(soon(osc.restart_instance(ADSERVER, name)).await);
        refused.push(soon(osc.instance_health(ADSERVER, name)).await.map(drop));
        refused.push(soon(osc.instance_logs(ADSERVER, name)).await.map(drop));
        refused.push(soon(osc.instance_ports(ADSERVER, name)).await.map(drop));
        refused.push(soon(osc.instance_scaling(ADSERVER, name)).await.map(drop));
        refused.push(soon(osc.scale_instance(ADSERVER, name, 1)).await);
        refused.push(soon(osc.wait_until_ready(ADSERVER, name, Duration::from_secs(1), |_| {})).await);
    }
    for service in ["", "..", "a/b", "minio minio", "minio?x", "minio\n", "å", long.as_str()] {
        refused.push(soon(osc.list_instances(service)).await.map(drop));
        refused.push(soon(osc.get_instance(service, "a")).await.map(drop));
        refused.push(soon(osc.create_instance(service, "a", json!({}))).await.map(drop));
        refused.push(soon(osc.remove_instance(service, "a")).await);
        refused.push(soon(osc.activate_service(service)).await.map(drop));
        refused.push(soon(osc.service_access_token(service)).await.map(drop));
        refused.push(soon(osc.save_secret(service, "name", "value")).await);
        refused.push(soon(osc.wait_until_ready(service, "a", Duration::from_secs(1), |_| {})).await);
    }
    for options in [json!(null), json!([]), json!("name"), json!(7)] {
        refused.push(soon(osc.create_instance(ADSERVER, "a", &options)).await.map(drop));
        refused.push(soon(osc.update_instance(ADSERVER, "demo", &options)).await.map(drop));
    }
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    refused.push(soon(osc.create_instance(ADSERVER, "a", &unwritable)).await.map(drop));
    refused.push(soon(osc.save_secret(MINIO, "", "value")).await);
    refused.push(soon(osc.save_secret(MINIO, "name", "")).await);
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!((error.kind(), error.status()), (Kind::InvalidInput, None), "{error}");
        assert!(error.to_string().len() < 300 && !error.to_string().contains('\n'), "{error}");
    }
    assert_eq!(stage.asked(), Asked::nothing());
}
