use std::time::Duration;

use mock_osc::{LogForm, MockOsc};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::*;
use crate::user::*;

const JOBS: &str = "eyevinn-ffmpeg-s3";
const START: Duration = Duration::from_secs(2);

async fn get(api: &Api, tail: &str) -> Value {
    api.call(Method::GET, tail, &Value::Null).await.json().await.unwrap()
}

async fn health(api: &Api, instance: &Value) -> Value {
    let answer = api.follow(Method::GET, instance, "health", "x-jwt", &Value::Null).await;
    answer.json::<Value>().await.unwrap()["status"].clone()
}

#[tokio::test]
async fn an_instance_may_never_run() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.fail_instances(true);
    let made: Value = api.call(Method::POST, "", &json!({ "name": "mine" })).await.json().await.unwrap();
    assert_eq!(health(&api, &made).await, "starting");
    user.osc.advance(START);
    assert_eq!(health(&api, &made).await, "failed");
    user.osc.fail_instances(false);
    assert_eq!(health(&api, &made).await, "failed");
    let demo = get(&api, "/demo").await;
    assert_eq!(health(&api, &demo).await, "running");
    let scale = api.follow(Method::GET, &made, "scale", "authorization", &Value::Null).await;
    assert_eq!(scale.json::<Value>().await.unwrap()["actualReplicas"], 0);

    assert_eq!(api.follow(Method::POST, &made, "restart", "x-jwt", &Value::Null).await.status(), 204);
    user.osc.advance(START);
    assert_eq!(health(&api, &made).await, "running");
}

#[tokio::test]
async fn health_status_can_be_any_value() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let demo = get(&api, "/demo").await;
    for status in [json!("unknown"), json!(7), Value::Null] {
        user.osc.set_instance_status(status.clone());
        assert_eq!(health(&api, &demo).await, status);
    }
    user.osc.set_instance_status(None);
    assert_eq!(health(&api, &demo).await, "running");
}

#[tokio::test]
async fn an_instance_starts_for_as_long_as_was_set() {
    let user = User::new(MockOsc::builder().instance_start(Duration::ZERO).start().await.unwrap()).await;
    let api = user.api(SERVICE).await;
    let made: Value = api.call(Method::POST, "", &json!({ "name": "mine" })).await.json().await.unwrap();
    assert_eq!(health(&api, &made).await, "running");
    user.osc.set_instance_start(Duration::from_secs(3600));
    assert_eq!(health(&api, &made).await, "starting");
}

#[tokio::test]
async fn a_link_can_lead_anywhere_or_be_left_out() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let right = get(&api, "/demo").await;
    user.osc.set_link("health", json!("//evil.example/health/demo"));
    user.osc.set_link("restart", None);
    user.osc.set_link("self", json!(7));
    let links = &get(&api, "").await[0]["_links"];
    assert_eq!(links["health"], json!({ "href": "//evil.example/health/demo" }));
    assert_eq!((links.get("restart"), &links["self"]), (None, &json!({ "href": 7 })));
    assert_eq!(links["logs"], right["_links"]["logs"]);
    user.osc.clear_links();
    assert_eq!(get(&api, "/demo").await, right);
    user.osc.set_instance_links(false);
    assert_eq!(get(&api, "/demo").await.get("_links"), None);
}

#[tokio::test]
async fn instance_fields_can_be_overridden() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let right = get(&api, "/demo").await;
    user.osc.set_instance_field("url", json!(["no", "url"]));
    user.osc.set_instance_field("resources", None);
    let shown = get(&api, "/demo").await;
    assert_eq!((&shown["url"], shown.get("resources")), (&json!(["no", "url"]), None));
    user.osc.clear_instance_fields();
    assert_eq!(get(&api, "/demo").await, right);
}

#[tokio::test]
async fn logs_come_as_rows_as_text_or_as_text_in_json() {
    let user = User::new(MockOsc::builder().log_form(LogForm::Text).start().await.unwrap()).await;
    let api = user.api(SERVICE).await;
    let demo = get(&api, "/demo").await;
    user.osc.set_logs(&["one", "two <b>"]);
    let logs = || async {
        let answer = api.follow(Method::GET, &demo, "logs", "x-jwt", &Value::Null).await;
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, answer.text().await.unwrap())
    };
    assert_eq!(logs().await, ("text/plain".to_owned(), "one\ntwo <b>".to_owned()));
    user.osc.set_log_form(LogForm::JsonText);
    assert_eq!(logs().await, ("application/json".to_owned(), r#""one\ntwo <b>""#.to_owned()));
    user.osc.set_log_form(LogForm::Rows);
    assert_eq!(logs().await, ("application/json".to_owned(), r#"["one","two <b>"]"#.to_owned()));
}

#[tokio::test]
async fn another_app_makes_and_removes_instances() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let fields = Map::from_iter([("Option".to_owned(), json!("x"))]);
    user.osc.add_instance(SERVICE, "theirs", fields);
    let shown = get(&api, "/theirs").await;
    assert_eq!((&shown["name"], &shown["Option"]), (&json!("theirs"), &json!("x")));
    assert_eq!(health(&api, &shown).await, "starting");
    assert!(user.osc.remove_instance(SERVICE, "theirs"));
    assert!(!user.osc.remove_instance(SERVICE, "theirs"));
    assert_eq!(api.call(Method::GET, "/theirs", &Value::Null).await.status(), 404);
}

#[tokio::test]
async fn a_change_is_kept_and_must_not_refer_to_a_secret_that_is_not_there() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let demo = get(&api, "/demo").await;
    let patch = |changes| api.follow(Method::PATCH, &demo, "self", "x-jwt", changes);
    let refers = json!({ "Key": "{{secrets.key}}" });
    assert_eq!(patch(&refers).await.status(), 400);
    assert_eq!(user.osc.instance(SERVICE, "demo").unwrap().get("Key"), None);

    let secret = json!({ "secretName": "key", "secretData": "hidden" });
    user.call(Method::POST, &format!("/deploy/mysecrets/{SERVICE}"), &secret).await;
    assert_eq!(patch(&refers).await.json::<Value>().await.unwrap()["Key"], "***");
    assert_eq!(user.osc.instance(SERVICE, "demo").unwrap()["Key"], "{{secrets.key}}");
    assert_eq!(user.osc.instance(SERVICE, "nothing"), None);
}

#[tokio::test]
async fn a_job_runs_and_is_complete() {
    let user = User::new(start().await).await;
    user.osc.subscribe(JOBS);
    let api = user.api(JOBS).await;
    let made: Value = api.call(Method::POST, "", &json!({ "name": "mine" })).await.json().await.unwrap();
    assert_eq!(made["status"], "Running");
    user.osc.fail_instances(true);
    api.call(Method::POST, "", &json!({ "name": "other" })).await;
    user.osc.advance(START);
    assert_eq!(get(&api, "/mine").await["status"], "Complete");
    assert_eq!(get(&api, "").await[1]["status"], "Failed");
    let demo = get(&user.api(SERVICE).await, "/demo").await;
    assert_eq!(demo.get("status"), None);
}

#[tokio::test]
async fn a_job_ends_under_any_status() {
    let user = User::new(start().await).await;
    user.osc.subscribe(JOBS);
    let api = user.api(JOBS).await;
    api.call(Method::POST, "", &json!({ "name": "mine" })).await;
    for status in [json!("SuccessCriteriaMet"), json!("FailureTarget"), json!(7), Value::Null] {
        user.osc.set_job_status(status.clone());
        assert_eq!(get(&api, "/mine").await["status"], status);
        assert_eq!(get(&user.api(SERVICE).await, "/demo").await.get("status"), None);
    }
    user.osc.set_job_status(None);
    assert_eq!(get(&api, "/mine").await["status"], "Running");
    assert_eq!(api.call(Method::DELETE, "/mine", &Value::Null).await.status(), 204);
    assert_eq!(get(&api, "").await, json!([]));
}

#[tokio::test]
async fn logs_can_be_asked_for_since_some_seconds() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let demo = get(&api, "/demo").await;
    let url =
        |query: &str| format!("{}{}{query}", user.osc.platform(), text(&demo["_links"]["logs"], "href"));
    let logs = async |query: &str| api.send(Method::GET, &url(query), "x-jwt", &Value::Null).await;
    let rows = async |query: &str| logs(query).await.json::<Value>().await.unwrap();
    assert_eq!(rows("?sinceSeconds=3600").await, json!(["started", "listening"]));
    user.osc.advance(Duration::from_secs(3000));
    assert_eq!(rows("?sinceSeconds=60").await, json!([]));
    user.osc.set_logs(&["one", "two"]);
    user.osc.advance(Duration::from_secs(100));
    user.osc.add_log("three");
    for (query, expected) in [
        ("", json!(["one", "two", "three"])),
        ("?sinceSeconds=200", json!(["one", "two", "three"])),
        ("?sinceSeconds=50", json!(["three"])),
    ] {
        assert_eq!(rows(query).await, expected, "{query}");
    }
    for odd in ["?sinceSeconds=", "?sinceSeconds=-1", "?sinceSeconds=soon"] {
        assert_eq!(logs(odd).await.status(), 400, "{odd}");
    }
}

#[tokio::test]
async fn an_instance_has_an_address_outside_and_one_inside() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let demo = get(&api, "/demo").await;
    let follow = async |rel| {
        let answer = api.follow(Method::GET, &demo, rel, "x-jwt", &Value::Null).await;
        answer.json::<Value>().await.unwrap()
    };
    let ports = follow("ports").await;
    assert!(ports[0]["externalIp"].is_string() && ports[0]["externalPort"].is_u64(), "{ports}");
    let inside = follow("internalEndpoint").await;
    assert!(text(&inside, "serviceDns").starts_with("demo.adalovelace"), "{inside}");
    assert_eq!((&inside["ports"], &inside["publicAccess"]), (&json!([8080]), &json!(true)));
}
