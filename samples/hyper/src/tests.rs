//! A model for the tests of your app: users sign in at a mock of OSC, and their requests go to the service, without a socket.

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use mock_osc::MockOsc;
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use tower::ServiceExt;

use crate::{protecting, service};

async fn start() -> (MockOsc, OscAuthLayer) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let auth = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .platform(osc.platform())
        .public_url("http://localhost:3000");
    (osc, protecting(auth).expect("the settings are right"))
}

/// Sends a request to the app. Returns the status and the page.
async fn ask(auth: &OscAuthLayer, request: http::request::Builder) -> (StatusCode, String) {
    let request = request.body(String::new()).expect("a request");
    let answer = service(auth.clone()).oneshot(request).await.expect("the app cannot fail");
    let status = answer.status();
    let page = answer.into_body().collect().await.expect("the page is complete");
    (status, String::from_utf8_lossy(&page.to_bytes()).into_owned())
}

#[tokio::test]
async fn each_user_sees_their_own_workspace() {
    let (osc, auth) = start().await;
    for visitor in [("ada", "team"), ("ada", "adalovelace"), ("grace", "gracehopper")] {
        let user = osc.sign_in_as(visitor, &service(auth.clone())).await.expect("the user signs in");
        let (status, page) = ask(&auth, user.get("/dashboard")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains(&format!("Dashboard of {}", visitor.1)), "{page}");
    }
}

#[tokio::test]
async fn a_visitor_sees_public_pages_only() {
    let (_osc, auth) = start().await;
    assert_eq!(ask(&auth, Request::get("/")).await.0, StatusCode::OK);
    assert_eq!(ask(&auth, Request::get("/api/balance")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_sign_out_ends_the_session() {
    let (osc, auth) = start().await;
    let ada = osc.sign_in_as("ada", &service(auth.clone())).await.expect("ada signs in");
    assert_eq!(ask(&auth, ada.get("/api/balance")).await.0, StatusCode::OK);
    assert_eq!(ask(&auth, ada.post("/auth/signout")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(ask(&auth, ada.get("/api/balance")).await.0, StatusCode::UNAUTHORIZED);
}
