use mock_osc::{ErrorForm, MockOsc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

#[tokio::test]
async fn a_refusal_has_the_form_that_was_set() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let page = "<!doctype html><title>409 Conflict</title><p>the name is taken</p>";
    for (form, content_type, body) in [
        (ErrorForm::Reason, "application/json", r#"{"reason":"the name is taken"}"#),
        (ErrorForm::Message, "application/json", r#"{"message":"the name is taken"}"#),
        (ErrorForm::Text, "text/plain", "the name is taken"),
        (ErrorForm::Html, "text/html", page),
        (ErrorForm::Empty, "", ""),
    ] {
        user.osc.set_error_form(form);
        let refused = api.call(Method::POST, "", &json!({ "name": "demo" })).await;
        assert_eq!(refused.status(), StatusCode::CONFLICT);
        let told =
            refused.headers().get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!((told.as_str(), refused.text().await.unwrap().as_str()), (content_type, body));
    }
}

#[tokio::test]
async fn the_form_is_that_of_every_platform_service() {
    let osc = MockOsc::builder().error_form(ErrorForm::Text).start().await.unwrap();
    for path in ["catalog/mysubscriptions", "money/mytokencount", "api-minio-minio/minioinstance"] {
        let refused = http().get(format!("{}/{path}", osc.platform())).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(refused.text().await.unwrap().starts_with("invalid "), "{path}");
    }
}

#[tokio::test]
async fn html_error_pages_escape_client_input() {
    let user = User::new(MockOsc::builder().error_form(ErrorForm::Html).start().await.unwrap()).await;
    let body = json!({ "name": "a", "Key": "{{secrets.<b>}}" });
    let refused = user.api(SERVICE).await.call(Method::POST, "", &body).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("no such secret: &lt;b&gt;"));
}

#[tokio::test]
async fn a_body_must_be_announced_as_json() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let send = |content_type: &'static str| {
        let request = http().post(&api.url).header("x-jwt", format!("Bearer {}", api.sat));
        request.header("content-type", content_type).body(r#"{"name":"mine"}"#).send()
    };
    assert_eq!(send("text/plain").await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(user.osc.instances(SERVICE), ["demo"]);
    let made = send("Application/JSON; charset=utf-8").await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_zero_initial_balance_refuses_creation() {
    let user = User::new(MockOsc::builder().balance(0).start().await.unwrap()).await;
    assert_eq!(user.json("/money/mytokencount").await, json!({ "tokens": 0 }));
    let refused = user.api(SERVICE).await.call(Method::POST, "", &json!({ "name": "mine" })).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.json::<Value>().await.unwrap(), json!({ "reason": "no tokens left" }));
}
