//! A single-page app: a public page, and an API that needs a session. Run it:
//! `cargo run -p osc-auth-layer --all-features --example spa`.

mod common;

use axum::response::Html;
use axum::{Json, Router, routing::get};
use osc_auth_layer::OscUser;
use serde_json::{Value, json};

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>Single-page app</title>
<p id="state">One moment…</p>
<a id="signin" hidden>Sign in</a>
<form id="signout" method="post" hidden><button>Sign out</button></form>
<script type="module">
  const [state, signin, signout] = ['state', 'signin', 'signout'].map((id) => document.getElementById(id));
  const session = await (await fetch('/auth/session')).json(); // never 401
  if (session.signed_in) {
    const answer = await fetch('/api/me');
    state.textContent = answer.ok ? `Signed in to ${(await answer.json()).workspace}` : 'Reload this page.';
    signout.action = session.signout;
    signout.hidden = false;
  } else if (session.signed_in === false) {
    state.textContent = 'Not signed in';
    signin.href = session.signin; // leads back to this page
    signin.hidden = false;
  } else {
    state.textContent = `An outage. Reload this page in ${session.retry_after} seconds.`;
  }
</script>"#;

async fn me(user: OscUser) -> Json<Value> {
    Json(json!({ "workspace": user.workspace(), "user": user.user_id() }))
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    // In your app: OscAuthLayer::builder_from_env()?.public_path("/").build()?
    let auth = common::auth().await?.public_path("/").build()?;
    let app = Router::new().route("/", get(async || Html(PAGE))).route("/api/me", get(me)).layer(auth);
    Ok(axum::serve(common::listen().await?, app).await?)
}
