//! Lists and creates instances in the user's workspace. Run it:
//! `cargo run -p osc-auth-layer --all-features --example workspace`.

mod common;

use std::time::Duration;

use axum::response::{Html, Redirect};
use axum::{Router, routing::get};
use osc_auth_layer::axum::OscForm;
use osc_auth_layer::{ContextError, ContextErrorKind, OscContext, OscToken, PageHtml};
use serde::Deserialize;
use serde_json::json;
use tower_http::csrf::CsrfLayer;

const MINIO: &str = "minio-minio";

async fn list(token: OscToken, osc: OscContext) -> Result<Html<String>, ContextError> {
    let instances = match osc.service(MINIO).list_instances().await {
        // The first create of a workspace subscribes to the service.
        Err(error) if error.kind() == ContextErrorKind::NotSubscribed => Vec::new(),
        listed => listed?,
    };
    let names: String =
        instances.iter().map(|instance| format!("<li>{}</li>", PageHtml::escape(&instance.name))).collect();
    let key = token.page_key(); // a page of Ada's does not act for Grace
    Ok(Html(format!(
        r#"<ul>{names}</ul>
        <form method="post"><input type="hidden" name="osc_user" value="{key}">
        <input name="name" pattern="[a-z0-9]+" required placeholder="Name">
        <input name="password" type="password" autocomplete="new-password" minlength="8" required placeholder="Its password">
        <button>Create</button></form>"#
    )))
}

#[derive(Deserialize)]
struct New {
    name: String,
    password: String,
}

async fn create(osc: OscContext, OscForm(new): OscForm<New>) -> Result<Redirect, ContextError> {
    let minio = osc.service(MINIO);
    let secret = minio.secret(&format!("{}password", new.name));
    secret.save(&new.password).await?;
    let options = json!({ "RootUser": "admin", "RootPassword": secret.reference() });
    minio.instance(&new.name).create_or_adopt(options, Duration::from_secs(20)).await?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    let auth = common::auth().await?.redirect_to_signin().build()?; // your app: OscAuthLayer::builder_from_env()?
    let app = Router::new().route("/", get(list).post(create)).layer(CsrfLayer::new()).layer(auth);
    Ok(axum::serve(common::listen().await?, app).await?)
}
