use std::time::Duration;

use mock_osc::{Delay, Endpoint, ErrorForm, Fault};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

async fn create(api: &Api, name: &str) -> Response {
    api.call(Method::POST, "", &json!({ "name": name })).await
}

async fn names(api: &Api) -> Vec<String> {
    let list: Value = api.call(Method::GET, "", &Value::Null).await.json().await.unwrap();
    list.as_array().unwrap().iter().map(|instance| text(instance, "name")).collect()
}

async fn status(api: &Api, tail: &str) -> u16 {
    api.call(Method::GET, tail, &Value::Null).await.status().as_u16()
}

fn content_type(answer: &Response) -> &str {
    answer.headers()["content-type"].to_str().unwrap()
}

#[tokio::test]
async fn a_creation_that_timed_out_turns_up_after_some_requests() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.set_creation_timeout(Delay::Requests(3));
    let lost = create(&api, "mine").await;
    assert_eq!((lost.status().as_u16(), content_type(&lost)), (504, "text/html"));
    assert!(lost.text().await.unwrap().contains("504 Gateway Time-out"));
    assert_eq!(user.osc.instances(SERVICE), ["demo", "mine"]);
    assert_eq!(create(&api, "mine").await.status(), 409);
    assert_eq!(names(&api).await, ["demo"]);
    assert_eq!(status(&api, "/mine").await, 404);
    // Requests for another instance do not count.
    assert_eq!(status(&api, "/demo").await, 200);
    assert_eq!(names(&api).await, ["demo"]);
    assert_eq!(names(&api).await, ["demo", "mine"]);
    let mine: Value = api.call(Method::GET, "/mine", &Value::Null).await.json().await.unwrap();
    let health = api.follow(Method::GET, &mine, "health", "x-jwt", &Value::Null).await;
    assert_eq!(health.json::<Value>().await.unwrap()["status"], "starting");

    user.osc.set_creation_timeout(None);
    assert_eq!(create(&api, "next").await.status(), 201);
}

#[tokio::test]
async fn a_creation_that_timed_out_turns_up_after_some_time() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.set_creation_timeout(Delay::Time(Duration::from_secs(180)));
    assert_eq!(create(&api, "mine").await.status(), 504);
    for _ in 0..5 {
        assert_eq!((names(&api).await, status(&api, "/mine").await), (vec!["demo".to_owned()], 404));
    }
    user.osc.advance(Duration::from_secs(180));
    assert_eq!(names(&api).await, ["demo", "mine"]);
}

#[tokio::test]
async fn a_taken_name_is_refused_in_every_way() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    for status in [400, 403, 409, 422] {
        let reason = "An instance called demo exists";
        user.osc.set_name_taken(status, reason);
        for (form, body) in [
            (ErrorForm::Reason, json!({ "reason": reason }).to_string()),
            (ErrorForm::Message, json!({ "message": reason }).to_string()),
            (ErrorForm::Text, reason.to_owned()),
        ] {
            user.osc.set_error_form(form);
            let refused = create(&api, "demo").await;
            assert_eq!((refused.status().as_u16(), refused.text().await.unwrap()), (status, body));
        }
    }
}

#[tokio::test]
async fn a_success_can_hold_a_reason_and_no_instance() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.fault(Endpoint::Instances, Fault::Reason(201, "no capacity")).once();
    let answer = create(&api, "mine").await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "reason": "no capacity" }));
    assert_eq!(user.osc.instances(SERVICE), ["demo"]);
}

#[tokio::test]
async fn a_plan_can_leave_a_service_out() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.set_included(SERVICE, false);
    let refused = create(&api, "mine").await;
    assert_eq!(refused.status(), 402);
    assert!(text(&refused.json().await.unwrap(), "reason").contains("plan"));
    assert_eq!((user.osc.instances(SERVICE), status(&api, "/demo").await), (vec!["demo".to_owned()], 200));
    user.osc.set_included(SERVICE, true);
    assert_eq!(create(&api, "mine").await.status(), 201);
}

#[tokio::test]
async fn a_fresh_instance_answers_401_for_a_while() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.set_locked_when_fresh(Delay::Requests(2));
    let mine: Value = create(&api, "mine").await.json().await.unwrap();
    let locked = api.follow(Method::GET, &mine, "health", "x-jwt", &Value::Null).await;
    assert_eq!((locked.status().as_u16(), content_type(&locked)), (401, "text/html"));
    assert!(names(&api).await.contains(&"mine".to_owned()));
    assert_eq!([status(&api, "/mine").await, status(&api, "/mine").await], [401, 200]);

    user.osc.set_locked_when_fresh(Delay::Time(Duration::from_secs(60)));
    create(&api, "other").await;
    user.osc.set_locked_when_fresh(None);
    assert_eq!((status(&api, "/demo").await, status(&api, "/other").await), (200, 401));
    user.osc.advance(Duration::from_secs(60));
    assert_eq!(status(&api, "/other").await, 200);
}

#[tokio::test]
async fn an_instance_that_turns_up_late_is_fresh_then() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.set_creation_timeout(Delay::Time(Duration::from_secs(180)));
    user.osc.set_locked_when_fresh(Delay::Time(Duration::from_secs(60)));
    create(&api, "mine").await;
    user.osc.advance(Duration::from_secs(180));
    assert_eq!(status(&api, "/mine").await, 401);
    user.osc.advance(Duration::from_secs(60));
    assert_eq!(status(&api, "/mine").await, 200);
}

#[tokio::test]
async fn an_instance_leaves_out_credentials_it_was_made_with() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.set_instance_field("RootPassword", None);
    let body = json!({ "name": "mine", "RootUser": "root", "RootPassword": "hidden" });
    let made: Value = api.call(Method::POST, "", &body).await.json().await.unwrap();
    assert_eq!((&made["RootUser"], made.get("RootPassword")), (&json!("root"), None));
    assert_eq!(user.osc.instance(SERVICE, "mine").unwrap()["RootPassword"], "hidden");
}
