use std::time::Duration;

use mock_osc::Delay;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

const SECRETS: &str = "/deploy/mysecrets/eyevinn-test-adserver";

#[tokio::test]
async fn secrets_are_stored_listed_changed_and_removed() {
    let user = User::new(start().await).await;
    let osc = &user.osc;
    let status = async |method, tail: &str, body| {
        user.call(method, &format!("{SECRETS}{tail}"), &body).await.status().as_u16()
    };
    assert_eq!(user.json(SECRETS).await, json!([]));
    let secret = |name: &str| json!({ "secretName": name, "secretData": "hidden" });
    assert_eq!(status(Method::POST, "", secret("key")).await, 200);
    assert_eq!(status(Method::POST, "", secret("again")).await, 200);
    let entry = |name: &str| json!({ "serviceId": SERVICE, "secretName": name });
    assert_eq!(user.json(SECRETS).await, json!([entry("again"), entry("key")]));
    assert_eq!(user.json("/deploy/mysecrets/minio-minio").await, json!([]));

    assert_eq!(status(Method::PUT, "/key", json!({ "secretData": "changed" })).await, 200);
    assert_eq!(osc.secret(SERVICE, "key").as_deref(), Some("changed"));
    assert_eq!(osc.secret(SERVICE, "again").as_deref(), Some("hidden"));
    assert_eq!(status(Method::PUT, "/none", json!({ "secretData": "changed" })).await, 404);
    assert_eq!(status(Method::PUT, "/key", json!({})).await, 400);
    assert_eq!(osc.secret(SERVICE, "none"), None);

    assert_eq!(status(Method::DELETE, "/key", Value::Null).await, 204);
    assert_eq!(status(Method::DELETE, "/key", Value::Null).await, 404);
    assert_eq!(user.json(SECRETS).await, json!([entry("again")]));
    let unknown = user.call(Method::GET, "/deploy/mysecrets/nothing", &Value::Null).await;
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn a_plan_has_any_name() {
    let user = User::new(mock_osc::MockOsc::builder().plan("FREE").start().await.unwrap()).await;
    assert_eq!(user.json("/money/mytenantplan").await, json!({ "planType": "FREE" }));
    user.osc.default_workspace().set_plan("GALACTIC");
    assert_eq!(user.json("/money/mytenantplan").await, json!({ "planType": "GALACTIC" }));
}

#[tokio::test]
async fn a_suspended_instance_is_listed_elsewhere_until_it_resumes() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let status = async |tail| api.call(Method::GET, tail, &Value::Null).await.status().as_u16();
    let resume = async |service: &str, name: &str| {
        let path = format!("/deploy/mysuspended/{service}/{name}/resume");
        user.call(Method::POST, &path, &Value::Null).await.status().as_u16()
    };
    assert_eq!(user.json("/deploy/mysuspended").await, json!([]));
    assert_eq!(resume(SERVICE, "demo").await, 404);
    assert!(user.osc.default_workspace().suspend_instance(SERVICE, "demo"));
    assert!(!user.osc.default_workspace().suspend_instance(SERVICE, "none"));

    assert_eq!(
        user.json("/deploy/mysuspended").await,
        json!([{ "serviceId": SERVICE, "instanceName": "demo" }])
    );
    let list: Value = api.call(Method::GET, "", &Value::Null).await.json().await.unwrap();
    assert_eq!((list, status("/demo").await), (json!([]), 404));
    assert_eq!(api.call(Method::POST, "", &json!({ "name": "demo" })).await.status(), 409);

    assert_eq!([resume(SERVICE, "none").await, resume("nothing", "demo").await], [404, 404]);
    user.osc.set_locked_when_fresh(Delay::Time(Duration::from_secs(60)));
    assert_eq!([resume(SERVICE, "demo").await, resume(SERVICE, "demo").await], [200, 404]);
    assert_eq!(user.json("/deploy/mysuspended").await, json!([]));
    assert_eq!(status("/demo").await, 401);
    user.osc.advance(Duration::from_secs(60));
    assert_eq!(status("/demo").await, 200);
}
