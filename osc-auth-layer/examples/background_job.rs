//! A job that goes on after its request, until the user signs out. Run it:
//! `cargo run -p osc-auth-layer --all-features --example background_job`.

mod common;

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Html;
use axum::{Router, routing::get};
use osc_auth_layer::axum::OscForm;
use osc_auth_layer::{ContextErrorKind, OscSession, OscToken};
use serde::Deserialize;
use tower_http::csrf::CsrfLayer;

async fn page(token: OscToken) -> Html<String> {
    let key = token.page_key(); // a page of Ada's does not act for Grace
    Html(format!(
        r#"<form method="post"><input type="hidden" name="osc_user" value="{key}"><button>Start a job</button></form>
        <form method="post" action="/auth/signout"><button>Sign out</button></form>"#
    ))
}

#[derive(Deserialize)]
struct Job {} // the fields of the form

async fn start(session: OscSession, OscForm(Job {}): OscForm<Job>) -> (StatusCode, &'static str) {
    tokio::spawn(work(session)); // outlives the request
    (StatusCode::ACCEPTED, "The job has begun. Look at the terminal.")
}

/// Reads the workspace's balance each second. Each call takes a fresh token, and counts as use of the session.
async fn work(session: OscSession) {
    let osc = session.context();
    for step in 1.. {
        match osc.token_balance().await {
            Ok(balance) => println!("step {step}: {} tokens left", balance.tokens),
            Err(error) if error.kind() == ContextErrorKind::SessionEnded => break,
            Err(error) => println!("step {step}: {error}"), // an outage, for example: the session is kept
        }
        tokio::select! {
            () = session.ended() => break,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
    println!("The session has ended, so the job stops.");
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    let auth = common::auth().await?.redirect_to_signin().build()?; // your app: OscAuthLayer::builder_from_env()?
    let app = Router::new().route("/", get(page).post(start)).layer(CsrfLayer::new()).layer(auth);
    Ok(axum::serve(common::listen().await?, app).await?)
}
