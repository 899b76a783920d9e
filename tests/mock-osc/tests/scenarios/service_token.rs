use std::time::{Duration, SystemTime};

use mock_osc::{ExpiryForm, MockOsc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

async fn service_token(user: &User) -> Value {
    let body = json!({ "serviceId": SERVICE });
    user.call(Method::POST, "/token/servicetoken", &body).await.json().await.unwrap()
}

async fn status(user: &User, sat: &str) -> u16 {
    let api = Api { sat: sat.to_owned(), ..user.api(SERVICE).await };
    api.call(Method::GET, "", &Value::Null).await.status().as_u16()
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn expiry_is_written_in_every_configured_unit() {
    let user = User::new(start().await).await;
    let ttl = 3600;
    for (form, around, unit) in [
        (ExpiryForm::Seconds, unix_now() + ttl, 1),
        (ExpiryForm::Milliseconds, (unix_now() + ttl) * 1000, 1000),
        (ExpiryForm::SecondsLeft, ttl, 1),
        (ExpiryForm::MillisecondsLeft, ttl * 1000, 1000),
    ] {
        user.osc.set_expiry_form(form);
        let expiry = service_token(&user).await["expiry"].as_u64().unwrap();
        assert!((around..around + 60 * unit).contains(&expiry), "{form:?}: {expiry}");
    }
    user.osc.set_expiry_form(ExpiryForm::Absent);
    assert_eq!(service_token(&user).await.get("expiry"), None);

    let user =
        User::new(MockOsc::builder().expiry_form(ExpiryForm::SecondsLeft).start().await.unwrap()).await;
    assert_eq!(service_token(&user).await["expiry"], ttl);
}

#[tokio::test]
async fn fields_beside_the_token_can_be_anything() {
    let user = User::new(start().await).await;
    user.osc.set_service_token_field("expiry", json!("soon"));
    user.osc.set_service_token_field("serviceId", None);
    let answer = service_token(&user).await;
    assert_eq!((&answer["expiry"], answer.get("serviceId")), (&json!("soon"), None));
    user.osc.clear_service_token_fields();
    assert_eq!(service_token(&user).await["serviceId"], SERVICE);
}

#[tokio::test]
async fn service_tokens_can_be_opaque() {
    let user = User::new(MockOsc::builder().opaque_service_tokens().start().await.unwrap()).await;
    let opaque = text(&service_token(&user).await, "token");
    assert!(!opaque.contains('.'), "{opaque}");
    assert_eq!(status(&user, &opaque).await, 200);
    assert!(user.osc.issued_tokens().contains(&opaque));
    user.osc.set_opaque_service_tokens(false);
    assert_eq!(text(&service_token(&user).await, "token").split('.').count(), 3);
}

#[tokio::test]
async fn a_token_lives_as_long_as_was_set() {
    let builder = MockOsc::builder().service_token_ttl(Duration::from_secs(20));
    let user = User::new(builder.start().await.unwrap()).await;
    let first = text(&service_token(&user).await, "token");
    user.osc.set_service_token_ttl(Duration::from_secs(60));
    let second = text(&service_token(&user).await, "token");
    assert_eq!(status(&user, &first).await, 200);
    user.osc.advance(Duration::from_secs(30));
    assert_eq!((status(&user, &first).await, status(&user, &second).await), (401, 200));
}

#[tokio::test]
async fn each_access_token_gets_so_many_tokens_a_minute() {
    let user = User::new(start().await).await;
    let colleague = User { osc: user.osc.clone(), pat: user.osc.personal_access_token("ada") };
    let ask = async |user: &User| {
        let body = json!({ "serviceId": SERVICE });
        user.call(Method::POST, "/token/servicetoken", &body).await.status().as_u16()
    };
    user.osc.set_service_token_limit(2);
    assert_eq!([ask(&user).await, ask(&user).await, ask(&user).await], [200, 200, 429]);
    assert_eq!(ask(&colleague).await, 200);
    user.osc.advance(Duration::from_secs(60));
    assert_eq!([ask(&user).await, ask(&user).await, ask(&user).await], [200, 200, 429]);
    user.osc.set_service_token_limit(None);
    assert_eq!(ask(&user).await, 200);
}
