//! Every fault of the platform gives an error of the right kind, and the next call works.

use std::time::Duration;

use futures_util::future::join_all;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_tests::{ADSERVER, Call, MINIO, Stage, calls, soon};
use serde_json::{Value, json};

/// Longer than any valid answer of the platform.
const TOO_LONG: usize = 5 * 1024 * 1024;

fn faults() -> Vec<(Fault, Kind)> {
    let text = |status, text: &str| Fault::Answer(status, "application/json", text.to_owned());
    vec![
        (Fault::Status(500), Kind::Unavailable),
        (Fault::Status(502), Kind::Unavailable),
        (Fault::RetryAfter(503, "soon".to_owned()), Kind::Unavailable),
        (Fault::RetryAfter(429, "99999999999999999999".to_owned()), Kind::Unavailable),
        (Fault::Status(400), Kind::Refused),
        (Fault::Status(401), Kind::Refused),
        (Fault::Status(403), Kind::Refused),
        (Fault::Status(418), Kind::Refused),
        (Fault::Status(304), Kind::UnexpectedAnswer),
        (Fault::HangUp, Kind::Unavailable),
        (Fault::LostAnswer, Kind::Unavailable),
        (Fault::HalfAnswer, Kind::Unavailable),
        (Fault::Html, Kind::UnexpectedAnswer),
        (Fault::Empty, Kind::UnexpectedAnswer),
        (Fault::MalformedJson, Kind::UnexpectedAnswer),
        (Fault::WrongTypes, Kind::UnexpectedAnswer),
        (Fault::Huge, Kind::UnexpectedAnswer),
        (text(200, &"x".repeat(TOO_LONG)), Kind::UnexpectedAnswer),
        (text(200, &"[".repeat(200_000)), Kind::UnexpectedAnswer),
        (text(200, "null"), Kind::UnexpectedAnswer),
        (text(200, "7"), Kind::UnexpectedAnswer),
        (text(500, &"x".repeat(TOO_LONG)), Kind::UnexpectedAnswer),
        (text(400, &"{\"reason\":".repeat(100_000)), Kind::Refused),
    ]
}

/// Returns the kind of a create's error. After some faults, the instance may exist.
fn of_create(fault: &Fault, kind: Kind) -> Kind {
    match fault {
        Fault::Status(500..) | Fault::RetryAfter(503, _) => Kind::MaybeCreated,
        Fault::HangUp | Fault::LostAnswer | Fault::HalfAnswer => Kind::MaybeCreated,
        Fault::Answer(200 | 500, ..) => Kind::MaybeCreated,
        fault if is_nonsense(fault) => Kind::MaybeCreated,
        _ => kind,
    }
}

/// Returns true if the fault is a success with an unusable body.
fn is_nonsense(fault: &Fault) -> bool {
    match fault {
        Fault::Answer(status, _, body) => *status == 200 && body.len() < TOO_LONG,
        Fault::Html | Fault::Empty | Fault::MalformedJson | Fault::WrongTypes | Fault::Huge => true,
        _ => false,
    }
}

async fn fails_and_recovers(call: Call, endpoint: Endpoint, fault: Fault, kind: Kind) {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    stage.osc.fault(endpoint, fault.clone());

    let error = soon(call.make(&osc)).await;

    let what = format!("{} with {fault:?} at {endpoint:?}", call.doing);
    let what: String = what.chars().take(300).collect();
    match error {
        Err(error) => {
            assert_eq!(error.kind(), kind, "{what}: {error}");
            assert!(error.to_string().len() < 600, "{what}: {error}");
        }
        Ok(()) => panic!("{what}: no error"),
    }
    stage.osc.clear_faults();
    match soon(call.make(&osc)).await {
        Ok(()) => {}
        // A request without an answer may have taken effect.
        Err(error) if endpoint == call.endpoint => {
            assert!(matches!(fault, Fault::LostAnswer | Fault::HalfAnswer), "{what}: {error}");
            let doing = call.doing.split(' ').next().unwrap_or_default();
            let carried_out = [("create", Kind::NameTaken), ("remove", Kind::NotFound)];
            assert!(carried_out.contains(&(doing, error.kind())), "{what}: {error}");
        }
        Err(error) => panic!("{what}: still {error}"),
    }
}

/// Returns the calls whose errors come from `endpoint` and which read its answer.
fn at(endpoint: Endpoint, fault: &Fault) -> impl Iterator<Item = Call> {
    let is_nonsense = is_nonsense(fault);
    calls().into_iter().filter(move |call| call.endpoint == endpoint && (call.reads || !is_nonsense))
}

#[tokio::test]
async fn each_endpoint_fault_is_reported_and_the_next_call_works() {
    for endpoint in [Endpoint::Catalog, Endpoint::ServiceToken, Endpoint::Money, Endpoint::Deploy] {
        for (fault, kind) in faults() {
            for call in at(endpoint, &fault) {
                fails_and_recovers(call, endpoint, fault.clone(), kind).await;
            }
        }
    }
}

#[tokio::test]
async fn each_instance_fault_is_reported_and_the_next_call_works() {
    for (fault, kind) in faults() {
        for call in at(Endpoint::Instances, &fault) {
            // A log may hold any text, and a 204 has no body to break.
            let is_log = call.doing.starts_with("read the logs") && is_nonsense(&fault);
            let is_whole = call.doing.starts_with("remove") && matches!(fault, Fault::HalfAnswer);
            if !is_log && !is_whole {
                let kind = if call.doing.starts_with("create") { of_create(&fault, kind) } else { kind };
                fails_and_recovers(call, Endpoint::Instances, fault.clone(), kind).await;
            }
        }
    }
}

#[tokio::test]
async fn each_lookup_fault_is_reported_and_the_next_call_works() {
    let on_the_way = ["list the instances", "create fresh", "remove demo"];
    for (fault, kind) in faults() {
        for call in calls() {
            if on_the_way.iter().any(|way| call.doing.starts_with(way)) {
                fails_and_recovers(call, Endpoint::Catalog, fault.clone(), kind).await;
                fails_and_recovers(call, Endpoint::ServiceToken, fault.clone(), kind).await;
            }
        }
    }
}

#[tokio::test]
async fn an_activation_whose_answer_is_lost_is_found_to_have_been_carried_out() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let mine = osc.service(MINIO).instance("mine");
    stage.osc.fault(Endpoint::Catalog, Fault::LostAnswer).when(|request| request.method == "POST").once();
    let error = soon(mine.create(json!({}))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("may have been carried out"), "{error}");
    soon(mine.create(json!({}))).await.unwrap();
    assert_eq!(stage.asked().activations, 1);
}

#[tokio::test]
async fn a_full_outage_is_reported_and_the_next_call_works() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    soon(osc.service(ADSERVER).list_instances()).await.unwrap();
    stage.osc.stop_listening().await;
    for call in calls() {
        // The token is cached.
        if call.endpoint != Endpoint::ServiceToken {
            assert_eq!(soon(call.make(&osc)).await.unwrap_err().kind(), Kind::Unavailable, "{}", call.doing);
        }
    }
    stage.osc.resume_listening().await.unwrap();
    for call in calls() {
        soon(call.make(&osc)).await.unwrap();
    }
}

#[tokio::test]
async fn an_endless_answer_times_out() {
    let never = calls().into_iter().map(|call| async move {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.fault(call.endpoint, Fault::Endless(Duration::from_millis(100)));
        // The client waits at most half a minute for an answer.
        let answer = tokio::time::timeout(Duration::from_secs(55), call.make(&osc)).await;
        let error = answer.unwrap_or_else(|_| panic!("{} hangs", call.doing)).unwrap_err();
        let (kind, text) = match call.doing.starts_with("create") {
            true => (Kind::MaybeCreated, "it may have been created"),
            false => (Kind::Unavailable, "did not answer"),
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(stage.osc.count(call.endpoint), 1, "{}: nobody waits twice as long", call.doing);
    });
    join_all(never).await;
}

#[tokio::test]
async fn only_changing_calls_report_a_possible_effect() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    stage.osc.fault(Endpoint::Instances, Fault::LostAnswer);
    let removal = soon(adserver.instance("demo").remove()).await.unwrap_err().to_string();
    assert!(
        removal.ends_with("Open Source Cloud did not answer; the request may have been carried out"),
        "{removal}"
    );
    let list = soon(adserver.list_instances()).await.unwrap_err().to_string();
    assert!(list.ends_with("Open Source Cloud did not answer"), "{list}");
}

#[tokio::test]
async fn a_malformed_token_service_answer_gives_no_token() {
    for token in
        [json!(""), json!("two words"), json!("a\r\nx-pat-jwt: b"), json!("ü"), json!(7), Value::Null]
    {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let adserver = osc.service(ADSERVER);
        stage.osc.set_service_token_field("token", token.clone());
        for _ in 0..2 {
            let error = soon(adserver.list_instances()).await.unwrap_err();
            assert_eq!(error.kind(), Kind::UnexpectedAnswer, "{token}");
        }
        stage.osc.set_service_token_field("token", None);
        assert_eq!(soon(adserver.list_instances()).await.unwrap_err().kind(), Kind::UnexpectedAnswer);
        assert_eq!(stage.asked().instances, 0, "{token}");
        stage.osc.clear_service_token_fields();
        soon(adserver.list_instances()).await.unwrap();
    }
}

#[tokio::test]
async fn malformed_entries_of_other_services_are_skipped() {
    for (field, value) in [("apiUrl", None), ("apiUrl", Some(json!(7))), ("serviceId", None)] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.subscribe(MINIO);
        stage.osc.set_subscription_field(MINIO, field, value.clone());
        assert_eq!(
            soon(osc.service(ADSERVER).list_instances()).await.unwrap().len(),
            1,
            "{field}: {value:?}"
        );
        assert_eq!(soon(osc.service(MINIO).list_instances()).await.unwrap_err().kind(), Kind::NotSubscribed);
        assert_eq!(soon(osc.subscriptions()).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_unknown_service_type_does_not_block_its_use() {
    for kind in [None, Some(Value::Null), Some(json!("workflow")), Some(json!(7))] {
        let stage = Stage::with(MockOsc::builder(), |layer| layer).await;
        let osc = stage.context().await;
        stage.osc.set_subscription_field(ADSERVER, "serviceType", kind.clone());
        assert_eq!(soon(osc.service(ADSERVER).list_instances()).await.unwrap().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn empty_instance_fields_count_as_missing() {
    for (field, value) in
        [("url", None), ("url", Some(Value::Null)), ("_links", None), ("_links", Some(Value::Null))]
    {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.set_instance_field(field, value.clone());
        assert_eq!(
            soon(osc.service(ADSERVER).list_instances()).await.unwrap()[0].name,
            "demo",
            "{field}: {value:?}"
        );
    }
}
