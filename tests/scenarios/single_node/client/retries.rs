//! The client retries some requests by itself.

use mock_osc::{Endpoint, Fault, Recorded};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_tests::{ADSERVER, Call, Stage, calls, soon};

/// Returns the method of the call's main request, and whether it is idempotent (RFC 9110 §9.2.2).
fn method(call: &Call) -> (&'static str, bool) {
    match call.doing.split(' ').next().unwrap_or_default() {
        "activate" | "get" | "save" | "create" | "restart" => ("POST", false),
        "update" => ("PATCH", false),
        "remove" => ("DELETE", true),
        "scale" => ("PUT", true),
        _ => ("GET", true),
    }
}

fn sent(stage: &Stage, call: &Call) -> Vec<Recorded> {
    let (method, _) = method(call);
    let requests = stage.osc.requests(call.endpoint).into_iter();
    requests.filter(|request| request.method == method).collect()
}

/// Makes a call whose last request is hit by the fault once.
async fn once(call: &Call, fault: Fault) -> (Stage, Result<(), osc_auth_layer::ContextError>) {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let is_looked_up = call.doing.starts_with("read the") && call.endpoint == Endpoint::Instances;
    let (method, _) = method(call);
    let plan = stage.osc.fault(call.endpoint, fault).when(move |request| request.method == method);
    plan.skip(usize::from(is_looked_up)).once();
    let result = soon(call.make(&osc)).await;
    (stage, result)
}

#[tokio::test]
async fn an_idempotent_request_whose_connection_breaks_is_sent_once_more() {
    for call in calls() {
        let (name, is_idempotent) = method(&call);
        for fault in [Fault::HangUp, Fault::LostAnswer] {
            let (stage, result) = once(&call, fault.clone()).await;
            let sent = sent(&stage, &call);
            let what = format!("{} ({name}) with {fault:?}", call.doing);
            if is_idempotent {
                result.unwrap_or_else(|error| panic!("{what}: {error}"));
                let [.., first, second] = &sent[..] else { panic!("{what}: {sent:?}") };
                assert_eq!((&first.path, &first.body), (&second.path, &second.body), "{what}");
            } else {
                result.expect_err(&what);
                assert_eq!(sent.len(), 1, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_of_the_platform_is_final() {
    for call in calls() {
        for status in [400, 403, 429, 500, 502, 503, 504] {
            let (stage, result) = once(&call, Fault::Status(status)).await;
            result.expect_err(call.doing);
            let looks =
                usize::from(call.doing.starts_with("read the") && call.endpoint == Endpoint::Instances);
            assert_eq!(sent(&stage, &call).len(), 1 + looks, "{} with {status}", call.doing);
        }
    }
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_has_removed_the_instance() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    stage.osc.fault(Endpoint::Instances, Fault::LostAnswer).when(|request| request.method == "DELETE").once();
    soon(demo.remove()).await.unwrap();
    assert!(stage.osc.instances(ADSERVER).is_empty());
    // Without a lost answer, removing a missing instance is an error.
    assert_eq!(soon(demo.remove()).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_request_that_is_lost_twice_is_not_sent_a_third_time() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    stage.osc.fault(Endpoint::Money, Fault::HangUp);
    let error = soon(osc.token_balance()).await.unwrap_err();
    assert_eq!((error.kind(), stage.osc.count(Endpoint::Money)), (Kind::Unavailable, 2));
}

#[tokio::test]
async fn a_service_that_refuses_every_token_costs_one_service_token_in_a_while() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    stage.osc.fault(Endpoint::Instances, Fault::Status(401));
    for quarter in 1..=3 {
        for _ in 0..10 {
            assert_eq!(soon(adserver.list_instances()).await.unwrap_err().kind(), Kind::Refused);
        }
        assert_eq!(stage.asked().tokens, 1 + quarter);
        stage.pass(std::time::Duration::from_secs(16));
    }
    stage.osc.clear_faults();
    soon(adserver.list_instances()).await.unwrap();
}
