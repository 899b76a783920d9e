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
    soon(stage.context().await.service(ADSERVER).list_instances()).await.unwrap();
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
        let adserver = osc.service(ADSERVER);
        let mine = adserver.instance("mine");
        let found = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
        let demo = adserver.known_instance(&found);
        let mut errors = vec![
            (
                soon(adserver.instance("demo").create(json!({}))).await.map(drop),
                Kind::NameTaken,
                409,
                "the name is taken",
            ),
            (soon(adserver.instance("none").remove()).await, Kind::NotFound, 404, "no such instance"),
            (
                soon(osc.service("no-such").subscribe()).await.map(drop),
                Kind::NotFound,
                404,
                "no such service",
            ),
            (
                soon(osc.service("no-such").secret("a").save("value")).await,
                Kind::NotFound,
                404,
                "no such service",
            ),
        ];
        let refers = json!({ "password": "{{secrets.none}}" });
        let refused = soon(mine.create(&refers)).await.map(drop);
        errors.push((refused, Kind::Refused, 400, "no such secret: none"));
        let refused = soon(adserver.instance("demo").update(&refers)).await.map(drop);
        errors.push((refused, Kind::Refused, 400, "no such secret: none"));
        stage.osc.set_balance(0);
        let refused = soon(mine.create(json!({}))).await.map(drop);
        errors.push((refused, Kind::Refused, 403, "no tokens left"));
        stage.osc.remove_instance(ADSERVER, "demo");
        let gone = [
            soon(demo.update(json!({ "level": 1 }))).await.map(drop),
            soon(demo.restart()).await,
            soon(demo.health()).await.map(drop),
            soon(demo.logs()).await.map(drop),
            soon(demo.ports()).await.map(drop),
            soon(demo.scaling()).await.map(drop),
            soon(demo.scale(2)).await,
        ];
        errors.extend(gone.map(|gone| (gone, Kind::NotFound, 404, "no such instance")));

        for (error, kind, status, reason) in errors {
            let error = error.unwrap_err();
            let found = (error.kind(), error.status().unwrap().as_u16(), error.reason());
            assert_eq!(found, (kind, status, has_text(form).then_some(reason)), "{form:?}: {error}");
        }
        assert!(soon(adserver.instance("demo").get()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn errors_read_well() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let mine = adserver.instance("mine");
    let text = |result: Result<(), ContextError>| result.unwrap_err().to_string();

    let taken = soon(adserver.instance("demo").create(json!({}))).await.map(drop);
    assert_eq!(text(taken), "could not create demo (eyevinn-test-adserver): the name is taken");
    let unsubscribed = soon(osc.service(MINIO).list_instances()).await.map(drop);
    assert_eq!(
        text(unsubscribed),
        "could not list the instances (minio-minio): the workspace does not subscribe to the service; activate the service first"
    );
    let unknown = soon(osc.service("no-such").instance("mine").create(json!({}))).await.map(drop);
    assert_eq!(
        text(unknown),
        "could not activate the service (no-such): Open Source Cloud did not find it (OSC says: no such service)"
    );
    let missing = soon(adserver.instance("none").restart()).await;
    assert_eq!(text(missing), "could not restart none (eyevinn-test-adserver): there is no such instance");
    let misnamed = soon(adserver.instance("My Own").create(json!({}))).await.map(drop);
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
        text(soon(mine.create(json!({}))).await.map(drop)),
        "could not create mine (eyevinn-test-adserver): it may have been created; look for it in a few minutes before you create it again"
    );
    assert_eq!(stage.osc.instances(ADSERVER), ["demo", "mine"], "it has done it");
    stage.osc.stop_listening().await;
    assert_eq!(
        text(soon(mine.remove()).await),
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
    let adserver = osc.service(ADSERVER);
    let found = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
    let demo = adserver.known_instance(&found);
    let oversized = Fault::Answer(200, "application/json", " ".repeat(5 * 1024 * 1024));
    stage.osc.fault(Endpoint::Instances, Fault::AfterProcessing(Box::new(oversized))).once();
    let before = stage.osc.count(Endpoint::Instances);

    let error = soon(demo.update(json!({ "level": 1 }))).await.unwrap_err();

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
    let adserver = osc.service(ADSERVER);
    let minio = osc.service(MINIO);
    let long = "a".repeat(1000);
    let mut refused = Vec::new();
    for name in ["", "Mine", "my-own", "my own", "../demo", "demo?x", "demo#x", "demo%2f", "dämo", "a\n"] {
        let instance = adserver.instance(name);
        refused.push(soon(instance.get()).await.map(drop));
        refused.push(soon(instance.create(json!({}))).await.map(drop));
        refused.push(soon(instance.update(json!({}))).await.map(drop));
        refused.push(soon(instance.remove()).await);
        refused.push(soon(instance.restart()).await);
        refused.push(soon(instance.health()).await.map(drop));
        refused.push(soon(instance.logs()).await.map(drop));
        refused.push(soon(instance.ports()).await.map(drop));
        refused.push(soon(instance.scaling()).await.map(drop));
        refused.push(soon(instance.scale(1)).await);
        refused.push(soon(instance.wait_until_ready(Duration::from_secs(1), |_| {})).await);
    }
    for service in ["", "..", "a/b", "minio minio", "minio?x", "minio\n", "å", long.as_str()] {
        let service = osc.service(service);
        refused.push(soon(service.list_instances()).await.map(drop));
        refused.push(soon(service.instance("a").get()).await.map(drop));
        refused.push(soon(service.instance("a").create(json!({}))).await.map(drop));
        refused.push(soon(service.instance("a").remove()).await);
        refused.push(soon(service.subscribe()).await.map(drop));
        refused.push(soon(service.access_token()).await.map(drop));
        refused.push(soon(service.secret("name").save("value")).await);
        refused.push(soon(service.instance("a").wait_until_ready(Duration::from_secs(1), |_| {})).await);
    }
    for options in [json!(null), json!([]), json!("name"), json!(7)] {
        refused.push(soon(adserver.instance("a").create(&options)).await.map(drop));
        refused.push(soon(adserver.instance("demo").update(&options)).await.map(drop));
    }
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    refused.push(soon(adserver.instance("a").create(&unwritable)).await.map(drop));
    refused.push(soon(minio.secret("").save("value")).await);
    refused.push(soon(minio.secret("name").save("")).await);
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!((error.kind(), error.status()), (Kind::InvalidInput, None), "{error}");
        assert!(error.to_string().len() < 300 && !error.to_string().contains('\n'), "{error}");
    }
    assert_eq!(stage.asked(), Asked::nothing());
}
