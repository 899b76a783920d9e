//! A successful status whose body holds a reason instead of the expected data.

use std::time::Duration;

use mock_osc::{Endpoint, Fault};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_auth_layer::workspace::Creation;
use osc_tests::{ADSERVER, Stage, calls, soon, use_instance};
use serde_json::json;

#[tokio::test]
async fn a_success_with_a_reason_instead_of_data_is_a_refusal() {
    let body = json!({ "reason": "the cluster is full" }).to_string();
    for call in calls() {
        // A log may hold any text, and the service access token is cached.
        if call.doing.starts_with("read the logs") || call.endpoint == Endpoint::ServiceToken {
            continue;
        }
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        soon(osc.service(ADSERVER).list_instances()).await.unwrap();
        stage.osc.fault(call.endpoint, Fault::Answer(200, "application/json", body.clone()));
        let error = soon(call.make(&osc)).await.expect_err(call.doing);
        let found = (error.kind(), error.status().unwrap().as_u16(), error.reason());
        assert_eq!(found, (Kind::Refused, 200, Some("the cluster is full")), "{}: {error}", call.doing);
    }
}

#[tokio::test]
async fn an_instance_with_an_option_of_that_name_is_an_instance() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let mine = osc.service(ADSERVER).instance("mine");
    let options = json!({ "reason": "because" });
    let made = mine.create_or_adopt(&options, Duration::from_secs(60));
    let Creation::Created(made) = soon(made).await.unwrap() else { panic!("adopted") };
    assert_eq!(made.fields["reason"], "because");
    soon(use_instance(&mine)).await.unwrap();
}
