use mock_osc::MockOsc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

const OTHER: &str = "minio-minio";

async fn listed(user: &User) -> Vec<String> {
    let list = user.json("/catalog/mysubscriptions").await;
    list.as_array().unwrap().iter().map(|entry| text(entry, "serviceId")).collect()
}

async fn activate(user: &User) {
    let body = json!({ "services": [OTHER] });
    assert_eq!(user.call(Method::POST, "/catalog/mysubscriptions", &body).await.status(), 200);
}

async fn service_token(user: &User) -> u16 {
    let body = json!({ "serviceId": OTHER });
    user.call(Method::POST, "/token/servicetoken", &body).await.status().as_u16()
}

#[tokio::test]
async fn the_list_can_be_late_with_a_new_subscription() {
    let user = User::new(MockOsc::builder().late_subscriptions(2).start().await.unwrap()).await;
    activate(&user).await;
    assert_eq!(user.osc.subscriptions(), [SERVICE, OTHER]);
    for _ in 0..2 {
        assert_eq!(listed(&user).await, [SERVICE]);
        assert_eq!(service_token(&user).await, 200);
        activate(&user).await;
    }
    assert_eq!(listed(&user).await, [SERVICE, OTHER]);

    assert!(user.osc.unsubscribe(OTHER));
    user.osc.set_late_subscriptions(0);
    activate(&user).await;
    assert_eq!(listed(&user).await, [SERVICE, OTHER]);
}

#[tokio::test]
async fn a_subscription_ends_with_its_tokens_and_its_instances_stay() {
    let user = User::new(start().await).await;
    let (api, null) = (user.api(SERVICE).await, Value::Null);
    let path = format!("/catalog/mysubscriptions/{SERVICE}");
    let gone = user.call(Method::DELETE, &path, &json!({ "services": [SERVICE] })).await;
    assert_eq!(gone.status(), 204);
    assert!(!gone.headers().contains_key("content-type"));
    assert_eq!(user.call(Method::DELETE, &path, &null).await.status(), 404);
    assert_eq!(user.call(Method::DELETE, "/catalog/mysubscriptions/nothing", &null).await.status(), 404);
    assert_eq!(listed(&user).await, [""; 0]);
    assert_eq!(api.call(Method::GET, "", &null).await.status(), 401);
    let again = user.call(Method::POST, "/token/servicetoken", &json!({ "serviceId": SERVICE })).await;
    assert_eq!(again.status(), 403);

    user.osc.subscribe(SERVICE);
    assert_eq!(user.api(SERVICE).await.call(Method::GET, "/demo", &null).await.status(), 200);
}

#[tokio::test]
async fn console_changes_are_visible_at_once() {
    let user = User::new(start().await).await;
    user.osc.subscribe(OTHER);
    assert_eq!(listed(&user).await, [SERVICE, OTHER]);
    let api = user.api(OTHER).await;
    assert!(user.osc.unsubscribe(OTHER));
    assert!(!user.osc.unsubscribe(OTHER));
    assert_eq!(listed(&user).await, [SERVICE]);
    assert_eq!(api.call(Method::GET, "", &Value::Null).await.status(), 401);
    let of_another_service = user.api(SERVICE).await;
    user.osc.subscribe(OTHER);
    user.osc.unsubscribe(OTHER);
    assert_eq!(of_another_service.call(Method::GET, "", &Value::Null).await.status(), 200);
}

#[tokio::test]
async fn subscription_entries_can_have_any_url_and_lack_fields() {
    let user = User::new(start().await).await;
    user.osc.subscribe(OTHER);
    let right = user.json("/catalog/mysubscriptions").await;
    user.osc.set_api_url(OTHER, "https://evil.example/x");
    user.osc.set_subscription_field(SERVICE, "apiUrl", None);
    user.osc.set_subscription_field(SERVICE, "serviceType", json!(7));
    assert_eq!(
        user.json("/catalog/mysubscriptions").await,
        json!([
            { "serviceId": SERVICE, "serviceType": 7, "tenantId": "eyevinn" },
            {
                "serviceId": OTHER, "serviceType": "instance", "tenantId": "eyevinn",
                "apiUrl": "https://evil.example/x",
            },
        ])
    );
    user.osc.clear_subscription_fields();
    assert_eq!(user.json("/catalog/mysubscriptions").await, right);
}

#[tokio::test]
#[should_panic(expected = "the mock has no service \"minio\"")]
async fn a_misspelt_service_fails_the_test() {
    start().await.set_api_url("minio", "https://evil.example/x");
}
