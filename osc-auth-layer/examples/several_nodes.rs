//! Two nodes that share their sessions, behind a load balancer. Run it:
//! `cargo run -p osc-auth-layer --all-features --example several_nodes`.
//!
//! Here the nodes are in one process and share a file. On several machines, give each the same `SESSION_STORE`, PostgreSQL or
//! Redis, and the same `CLIENT_SECRET` or `COOKIE_KEY`.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Request;
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use osc_auth_layer::OscUser;
use tower::ServiceExt;

async fn node(number: u8, store: &str) -> Result<Router, common::AnyError> {
    let auth = common::auth().await?.redirect_to_signin().store_url(store).build()?;
    let hello = async move |user: OscUser| format!("Node {number} greets {}", user.workspace());
    Ok(Router::new().route("/", get(hello)).layer(auth))
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    let store = std::env::var("SESSION_STORE").unwrap_or_else(|_| "sqlite:sessions.db".to_owned());
    let nodes = [node(1, &store).await?, node(2, &store).await?];

    // The nodes take turns, so a sign-in begins at one and ends at the other.
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let balance = async move |request: Request| {
        let turn = TURN.fetch_add(1, Ordering::Relaxed) % nodes.len();
        nodes[turn].clone().oneshot(request).await.into_response()
    };
    Ok(axum::serve(common::listen().await?, Router::new().fallback(balance)).await?)
}
