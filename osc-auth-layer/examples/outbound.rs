//! Calls an API of one's own as the user. Run it: `cargo run -p osc-auth-layer --all-features --example outbound`.

mod common;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Router, routing::get};
use osc_auth_layer::outbound::OutboundClient;
use osc_auth_layer::{ContextErrorKind, OscContext, OscSession, Outbound, OutboundError};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Apis {
    http: OutboundClient,
    plan: String,
}

/// The app's page. The client attaches the session's fresh token.
async fn plan(
    session: OscSession,
    State(apis): State<Apis>,
) -> Result<String, OutboundError<reqwest::Error>> {
    let response = apis.http.send(&session, apis.http.get(&apis.plan)).await?;
    Ok(format!("The API says: {}", response.text().await?))
}

/// The API, a server of its own. It asks OSC about the token, because the token's claims prove nothing.
async fn api(State(platform): State<Option<String>>, headers: HeaderMap) -> Result<String, StatusCode> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    let osc = OscContext::builder(token);
    let osc = if let Some(base) = platform { osc.platform(base) } else { osc };
    let osc = osc.build().map_err(|_| StatusCode::UNAUTHORIZED)?;
    match osc.plan().await {
        Ok(plan) => Ok(format!("your plan is {plan}")),
        Err(error) if error.kind() == ContextErrorKind::InvalidToken => Err(StatusCode::UNAUTHORIZED),
        Err(_) => Err(StatusCode::BAD_GATEWAY),
    }
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    // In your app: OscAuthLayer::from_env()?
    let auth = common::auth().await?.build()?;
    let own = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", own.local_addr()?);
    let api = Router::new().route("/plan", get(api)).with_state(common::platform().await?);
    tokio::spawn(async move { axum::serve(own, api).await });

    let apis = Apis { http: Outbound::to([&origin])?.client()?, plan: format!("{origin}/plan") };
    let app = Router::new().route("/", get(plan)).layer(auth).with_state(apis);
    Ok(axum::serve(common::listen().await?, app).await?)
}
