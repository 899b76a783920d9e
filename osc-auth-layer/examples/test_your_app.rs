//! Tests of an app, with the mock of OSC. Run it: `cargo run -p osc-auth-layer --all-features --example test_your_app`.

use std::{error::Error, time::Duration};

use axum::body::{Body, to_bytes};
use axum::{Router, http::Request, routing::get};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::{TestClock, TestToken};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder, OscUser};
use tower::ServiceExt;

/// The app under test. `main` of your app calls the same function.
fn app(auth: OscAuthLayer) -> Router {
    let greet = async |user: OscUser| format!("Hello {}!", user.user_id().unwrap_or("colleague"));
    Router::new().route("/", get(greet)).layer(auth)
}

fn auth_with(osc: &MockOsc) -> OscAuthLayerBuilder {
    let auth = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()));
    auth.issuer(osc.issuer()).public_url("http://localhost:3000")
}

async fn ask(app: &Router, request: Request<Body>) -> Result<(u16, String), Box<dyn Error>> {
    let answer = app.clone().oneshot(request).await?;
    let (status, body) = (answer.status().as_u16(), to_bytes(answer.into_body(), 10_000).await?);
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[cfg_attr(test, tokio::test)]
async fn each_user_is_greeted_and_a_stranger_is_refused() -> Result<(), Box<dyn Error>> {
    let osc = MockOsc::builder().start().await?;
    let app = app(auth_with(&osc).allowed_workspaces(["adalovelace"]).build()?);
    let ada = osc.sign_in_as("ada", &app).await?;
    assert_eq!(ask(&app, ada.get("/").body(Body::empty())?).await?, (200, "Hello ada!".to_owned()));
    let refused = osc.sign_in_as("grace", &app).await.expect_err("grace has another workspace");
    assert_eq!(refused.status(), Some(403), "{refused}");
    Ok(())
}

#[cfg_attr(test, tokio::test)]
async fn a_session_outlives_a_failing_provider() -> Result<(), Box<dyn Error>> {
    let (osc, clock) = (MockOsc::builder().start().await?, TestClock::new());
    let auth = auth_with(&osc).clock(clock.clone()).build()?;
    let cookie = auth.sign_in_for_test(TestToken::from_answer(osc.grant_for("ada"))).await;
    clock.advance(Duration::from_secs(3601)); // the token has expired
    let _fault = osc.fault(Endpoint::Token, Fault::Status(503)).once();
    let request = Request::get("/").header("cookie", cookie);
    assert_eq!(ask(&app(auth), request.body(Body::empty())?).await?.0, 200); // the layer tried again
    Ok(())
}

#[cfg(not(test))]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    each_user_is_greeted_and_a_stranger_is_refused().await?;
    a_session_outlives_a_failing_provider().await?;
    println!("both tests passed");
    Ok(())
}
