//! Sessions in a file, so that a restart signs nobody out. Run it:
//! `cargo run -p osc-auth-layer --all-features --example sqlite`.

mod common;

use std::time::Duration;

use axum::{Router, routing::get};
use osc_auth_layer::OscUser;

async fn hello(user: OscUser) -> String {
    format!("Hello {}! Restart the app and reload this page.", user.workspace())
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    // In your app: OscAuthLayer::from_env()? and SESSION_STORE=sqlite:sessions.db
    let auth = common::auth().await?.redirect_to_signin().store_url("sqlite:sessions.db").build()?;
    let app = Router::new().route("/", get(hello)).layer(auth.clone());

    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(common::listen().await?, app).with_graceful_shutdown(ctrl_c).await?;
    // A refresh in flight has used up the old refresh token, so the new one has to reach the file.
    auth.shutdown(Duration::from_secs(30)).await?;
    Ok(())
}
