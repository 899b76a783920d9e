//! A model for the tests of your app: users sign in at a mock of OSC, and their requests go to the router, without a socket.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use mock_osc::{Endpoint, Fault, MockOsc, SignedIn};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscToken};
use tower::ServiceExt;

use crate::{protecting, router};

async fn start() -> (MockOsc, Router) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let auth = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .platform(osc.platform())
        .public_url("http://localhost:3000");
    let app = router(&protecting(auth).expect("the settings are right"));
    (osc, app)
}

/// Sends a request. Returns the status and the page.
async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = app.clone().oneshot(request).await.expect("a router cannot fail");
    let status = answer.status();
    let page = to_bytes(answer.into_body(), 1_000_000).await.expect("the page is complete");
    (status, String::from_utf8_lossy(&page).into_owned())
}

async fn dashboard(app: &Router, user: &SignedIn) -> (StatusCode, String) {
    ask(app, user.get("/dashboard").body(Body::empty()).expect("a request")).await
}

/// Posts a form of this page.
async fn post(app: &Router, user: &SignedIn, page: &str, path: &str, fields: &[(&str, &str)]) -> StatusCode {
    let (_, key) = page.split_once(&format!("name=\"{}\" value=\"", OscToken::PAGE_FIELD)).expect("a key");
    let (key, _) = key.split_once('"').expect("the end of the key");
    let form = user.post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair(OscToken::PAGE_FIELD, key).extend_pairs(fields);
    ask(app, form.body(Body::from(body.finish())).expect("a request")).await.0
}

#[tokio::test]
async fn each_user_sees_their_own_workspace() {
    let (osc, app) = start().await;
    for visitor in [("ada", "team"), ("ada", "adalovelace"), ("grace", "gracehopper")] {
        let user = osc.sign_in_as(visitor, &app).await.expect("the user signs in");
        let (status, page) = dashboard(&app, &user).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains(&format!("Dashboard of {}", visitor.1)), "{page}");
    }
}

#[tokio::test]
async fn a_form_changes_the_workspace_of_its_own_user_only() {
    let (osc, app) = start().await;
    let ada = osc.sign_in_as("ada", &app).await.expect("ada signs in");
    let grace = osc.sign_in_as("grace", &app).await.expect("grace signs in");
    let (_, page) = dashboard(&app, &ada).await;
    let remove = &[("service", "eyevinn-test-adserver"), ("name", "demo")];
    assert!(osc.workspace("gracehopper").instances("eyevinn-test-adserver").contains(&"demo".to_owned()));

    assert_eq!(post(&app, &grace, &page, "/instances/remove", remove).await, StatusCode::CONFLICT);
    assert_eq!(post(&app, &ada, &page, "/instances/remove", remove).await, StatusCode::SEE_OTHER);
    assert!(osc.workspace("adalovelace").instances("eyevinn-test-adserver").is_empty());
    assert!(!osc.workspace("gracehopper").instances("eyevinn-test-adserver").is_empty());
}

#[tokio::test]
async fn an_outage_of_the_platform_gets_a_page() {
    let (osc, app) = start().await;
    let ada = osc.sign_in_as("ada", &app).await.expect("ada signs in");
    let _outage = osc.fault(Endpoint::Catalog, Fault::Status(503));
    let (status, page) = dashboard(&app, &ada).await;
    assert!(status.is_server_error() && page.contains("<h1>"), "{status} {page}");
    osc.clear_faults();
    assert_eq!(dashboard(&app, &ada).await.0, StatusCode::OK);
}
