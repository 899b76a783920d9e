//! Each refusal of the layer, with each status.

use axum::Router;
use axum::routing::{get, post};
use http::{Method, StatusCode};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::axum::OscForm;
use osc_auth_layer::{OscToken, OscUser};
use osc_tests::{Browser, EXPIRED, Stage, boxed, error_of, layer, layer_for, refusal, soon};
use serde_json::{Value, json};

pub(crate) async fn drive() {
    to_strangers().await;
    to_other_users().await;
    in_an_outage_with_a_status_of_the_app().await;
    at_another_host().await;
}

async fn to_strangers() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let redirecting = layer_for(&osc).redirect_to_signin().build().expect("the test's layer builds");
    let mut browser = Browser::new(osc_tests::app(&redirecting));
    assert_eq!(browser.navigate("/").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(error_of(&browser.fetch("/").await), "unauthenticated");
    let grpc = browser.send(Method::POST, "/", &[("content-type", "application/grpc")]).await;
    assert_eq!(grpc.status(), StatusCode::OK);
    assert_eq!(refusal(&browser.post_from("same-origin", "/auth/signin").await).1, "method_not_allowed");
    assert_eq!(refusal(&browser.post_from("cross-site", "/auth/signout").await).1, "forbidden");
    assert_eq!(refusal(&browser.navigate("/auth/signin?a=%").await).1, "invalid_request");
}

async fn to_other_users() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let routes = Router::new()
        .route("/page", get(async |token: OscToken| token.page_key()))
        .route("/buy", post(async |_: OscForm<Value>| "bought"))
        .route("/user", get(async |user: OscUser| user.workspace().to_owned()));
    let mut browser = Browser::new(boxed(routes.layer(layer(&osc))));
    browser.sign_in(&osc).await;
    let key = String::from_utf8(browser.fetch("/page").await.body().to_vec()).expect("text");
    osc.set_claim("userId", json!("grace"));
    browser.sign_in(&osc).await;
    let answer = browser.submit("/buy", &[(OscToken::PAGE_FIELD, &key)]).await;
    assert_eq!(refusal(&answer).1, "other_user");
    osc.set_claim("tenantId", None);
    browser.sign_in(&osc).await;
    assert_eq!(error_of(&browser.fetch("/user").await), "user_unknown");
}

async fn in_an_outage_with_a_status_of_the_app() {
    let configure =
        |layer: osc_auth_layer::OscAuthLayerBuilder| layer.outage_status(StatusCode::GATEWAY_TIMEOUT);
    let stage = Stage::with(MockOsc::builder(), configure).await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::OAuth("invalid_client"));
    let answer = soon(stage.browser.clone().fetch("/")).await;
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
}

async fn at_another_host() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    osc.set_metadata_field("issuer", json!("https://evil.example"));
    let mut browser = Browser::new(osc_tests::app(&layer(&osc)));
    assert_eq!(refusal(&browser.navigate("/auth/signin").await), (500, "misconfigured".to_owned()));
}
