//! Whatever the platform answers, and whether it answers at all: an error of the right kind, and the next call works.

use std::time::Duration;

use futures_util::future::join_all;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_tests::{ADSERVER, Call, MINIO, Stage, calls, soon};
use serde_json::{Value, json};

/// More than any answer of the platform that makes sense.
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

/// The kind of a create's error: some faults leave open whether there is an instance now.
fn of_create(fault: &Fault, kind: Kind) -> Kind {
    match fault {
        Fault::Status(500..) | Fault::RetryAfter(503, _) => Kind::MaybeCreated,
        Fault::HangUp | Fault::LostAnswer | Fault::HalfAnswer => Kind::MaybeCreated,
        Fault::Answer(200 | 500, ..) => Kind::MaybeCreated,
        fault if is_nonsense(fault) => Kind::MaybeCreated,
        _ => kind,
    }
}

/// Whether the fault is a success whose body makes no sense.
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
        // What got no answer may have been carried out.
        Err(error) if endpoint == call.endpoint => {
            assert!(matches!(fault, Fault::LostAnswer | Fault::HalfAnswer), "{what}: {error}");
            let doing = call.doing.split(' ').next().unwrap_or_default();
            let carried_out = [("create", Kind::NameTaken), ("remove", Kind::NotFound)];
            assert!(carried_out.contains(&(doing, error.kind())), "{what}: {error}");
        }
        Err(error) => panic!("{what}: still {error}"),
    }
}

/// The calls whose errors come from `endpoint`, and which have something to make of its answer.
fn at(endpoint: Endpoint, fault: &Fault) -> impl Iterator<Item = Call> {
    let is_nonsense = is_nonsense(fault);
    calls().into_iter().filter(move |call| call.endpoint == endpoint && (call.reads || !is_nonsense))
}

#[tokio::test]
async fn each_fault_at_the_endpoint_of_a_call_is_told_and_over_with_it() {
    for endpoint in [Endpoint::Catalog, Endpoint::ServiceToken, Endpoint::Money, Endpoint::Deploy] {
        for (fault, kind) in faults() {
            for call in at(endpoint, &fault) {
                fails_and_recovers(call, endpoint, fault.clone(), kind).await;
            }
        }
    }
}

#[tokio::test]
async fn each_fault_at_an_instance_is_told_and_over_with_it() {
    for (fault, kind) in faults() {
        for call in at(Endpoint::Instances, &fault) {
            // Any text may be a log, and 204 has no half.
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
async fn each_fault_on_the_way_to_an_instance_is_told_and_over_with_it() {
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
    stage.osc.fault(Endpoint::Catalog, Fault::LostAnswer).when(|request| request.method == "POST").once();
    let error = soon(osc.create_instance(MINIO, "mine", json!({}))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("may have done it"), "{error}");
    soon(osc.create_instance(MINIO, "mine", json!({}))).await.unwrap();
    assert_eq!(stage.asked().activations, 1);
}

#[tokio::test]
async fn an_outage_of_everything_is_told_and_over_with_it() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    soon(osc.list_instances(ADSERVER)).await.unwrap();
    stage.osc.stop_listening().await;
    for call in calls() {
        // Its token is kept.
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
async fn an_answer_that_never_ends_is_given_up() {
    let never = calls().into_iter().map(|call| async move {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.fault(call.endpoint, Fault::Endless(Duration::from_millis(100)));
        // Time enough for the half minute that an answer may take.
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
async fn only_of_what_changes_something_it_is_said_that_it_may_have_been_done() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    stage.osc.fault(Endpoint::Instances, Fault::LostAnswer);
    let removal = soon(osc.remove_instance(ADSERVER, "demo")).await.unwrap_err().to_string();
    assert!(removal.ends_with("Open Source Cloud did not answer, but may have done it"), "{removal}");
    let list = soon(osc.list_instances(ADSERVER)).await.unwrap_err().to_string();
    assert!(list.ends_with("Open Source Cloud did not answer"), "{list}");
}

#[tokio::test]
async fn what_the_token_service_gives_in_place_of_a_token_is_no_token() {
    for token in
        [json!(""), json!("two words"), json!("a\r\nx-pat-jwt: b"), json!("ü"), json!(7), Value::Null]
    {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.set_service_token_field("token", token.clone());
        for _ in 0..2 {
            let error = soon(osc.list_instances(ADSERVER)).await.unwrap_err();
            assert_eq!(error.kind(), Kind::UnexpectedAnswer, "{token}");
        }
        stage.osc.set_service_token_field("token", None);
        assert_eq!(soon(osc.list_instances(ADSERVER)).await.unwrap_err().kind(), Kind::UnexpectedAnswer);
        assert_eq!(stage.asked().instances, 0, "{token}");
        stage.osc.clear_service_token_fields();
        soon(osc.list_instances(ADSERVER)).await.unwrap();
    }
}

#[tokio::test]
async fn an_entry_of_another_service_that_makes_no_sense_is_passed_over() {
    for (field, value) in [("apiUrl", None), ("apiUrl", Some(json!(7))), ("serviceId", None)] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.subscribe(MINIO);
        stage.osc.set_subscription_field(MINIO, field, value.clone());
        assert_eq!(soon(osc.list_instances(ADSERVER)).await.unwrap().len(), 1, "{field}: {value:?}");
        assert_eq!(soon(osc.list_instances(MINIO)).await.unwrap_err().kind(), Kind::NotSubscribed);
        assert_eq!(soon(osc.subscriptions()).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_type_of_service_that_is_not_known_keeps_nobody_from_it() {
    for kind in [None, Some(Value::Null), Some(json!("workflow")), Some(json!(7))] {
        let stage = Stage::with(MockOsc::builder(), |layer| layer).await;
        let osc = stage.context().await;
        stage.osc.set_subscription_field(ADSERVER, "serviceType", kind.clone());
        assert_eq!(soon(osc.list_instances(ADSERVER)).await.unwrap().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn fields_of_an_instance_that_are_empty_are_as_good_as_missing() {
    for (field, value) in
        [("url", None), ("url", Some(Value::Null)), ("_links", None), ("_links", Some(Value::Null))]
    {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.set_instance_field(field, value.clone());
        assert_eq!(soon(osc.list_instances(ADSERVER)).await.unwrap()[0].name, "demo", "{field}: {value:?}");
    }
}
