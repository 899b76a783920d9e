//! An axum app that works in the visitor's Open Source Cloud workspace.

use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use osc_auth_layer::axum::OscForm;
use osc_auth_layer::workspace::TokenBalance;
use osc_auth_layer::{
    ConfigError, ContextError, DrainLayer, OscAuthLayer, OscAuthLayerBuilder, OscContext, OscToken,
    OscVisitor,
};
use osc_sample_app::{Answer, AnyError, App, Creation, HEADERS, SCRIPT};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tracing_subscriber::EnvFilter;

mod metrics;
#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), AnyError> {
    if let Some(listener) = osc_sample_app::listen_for_metrics().await? {
        println!("Metrics are at http://{}/metrics", listener.local_addr()?);
        tokio::spawn(metrics::serve(listener, metrics::record()?));
    }
    let auth = protecting(osc_sample_app::configure().await?)?;
    let router = router(&auth);
    let listener = osc_sample_app::listen().await?;
    println!("Open http://localhost:{}", listener.local_addr()?.port());
    osc_sample_app::start_preflight(&auth);
    let server = axum::serve(listener, router).with_graceful_shutdown(osc_sample_app::signal());
    tokio::select! {
        ended = server.into_future() => ended?,
        () = async { osc_sample_app::signal().await; osc_sample_app::patience().await } => {}
    }
    // A running refresh has used up the session's refresh token. Wait until its new tokens are stored.
    auth.shutdown(Duration::from_secs(30)).await?;
    Ok(())
}

/// Adds the public paths to the layer's settings. Every other path needs a session.
fn protecting(auth: OscAuthLayerBuilder) -> Result<OscAuthLayer, ConfigError> {
    let auth = auth.public_path("/").public_path("/healthz").public_path("/ready").public_path("/session.js");
    auth.redirect_to_signin().build()
}

fn router(auth: &OscAuthLayer) -> Router {
    // The pages name this package.
    let app = App::new(env!("CARGO_PKG_NAME"));
    let probed = auth.clone();
    Router::new()
        .route("/", get(home))
        .route("/healthz", get(async || "ok"))
        .route("/ready", get(async move || osc_sample_app::ready(&probed).await))
        .route("/session.js", get(script))
        .route("/dashboard", get(dashboard))
        .route("/note", post(note))
        .route("/account", get(account))
        .route("/account/end", post(end_session))
        .route("/account/end-all", post(sign_out_everywhere))
        .route("/services/add", post(add))
        .route("/instances/create", post(create))
        .route("/instances/progress", get(progress))
        .route("/instances/remove", post(remove))
        .route("/api/balance", get(balance))
        .route("/api/instances", get(instances))
        .route("/api/session", get(session))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .with_state(app.clone())
        // SameSite=Lax blocks the session cookie in forms from other sites, but not in forms from another
        // port of this host or from a sibling domain.
        .layer(CsrfLayer::new())
        .layer(from_fn_with_state(app, explain_forged))
        .layer(map_response(with_headers))
        // Outside of all routes, so it sees every path. It serves some of the paths itself.
        .layer(auth.clone())
        // Lets a client that is still sending a body read an early answer.
        .layer(DrainLayer::new())
}

/// The query of a page, or the fields of a form. A missing field is empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    service: String,
    name: String,
    options: String,
    note: String,
    id: String,
    /// The service that the page of the form shows.
    shown: String,
}

// A public page: the visitor may be anonymous, or unknown in an outage.
async fn home(State(app): State<App>, visitor: OscVisitor) -> Answer {
    app.home(&visitor)
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

#[derive(Deserialize)]
struct Pick {
    service: Option<String>,
}

async fn dashboard(State(app): State<App>, token: OscToken, Query(pick): Query<Pick>) -> Answer {
    app.dashboard(&token, pick.service.as_deref()).await
}

async fn progress(State(app): State<App>, token: OscToken, Query(of): Query<Fields>) -> Answer {
    app.progress(&token, &of.service, &of.name).await
}

async fn account(State(app): State<App>, token: OscToken) -> Answer {
    app.account(&token).await
}

async fn note(State(app): State<App>, token: OscToken, OscForm(form): OscForm<Fields>) -> Answer {
    app.keep_note(&token, &form.shown, &form.note).await
}

async fn add(State(app): State<App>, token: OscToken, OscForm(form): OscForm<Fields>) -> Answer {
    app.add_service(&token, &form.shown, &form.service).await
}

async fn create(State(app): State<App>, token: OscToken, OscForm(form): OscForm<Fields>) -> Answer {
    let Fields { service, name, options, .. } = &form;
    app.create(&token, Creation { service, name, options }).await
}

async fn remove(State(app): State<App>, token: OscToken, OscForm(form): OscForm<Fields>) -> Answer {
    app.remove(&token, &form.service, &form.name).await
}

async fn end_session(State(app): State<App>, token: OscToken, OscForm(form): OscForm<Fields>) -> Answer {
    app.end_session(&token, &form.id).await
}

async fn sign_out_everywhere(State(app): State<App>, token: OscToken, _: OscForm<Fields>) -> Answer {
    app.sign_out_everywhere(&token).await
}

async fn balance(osc: OscContext) -> Result<Json<TokenBalance>, ContextError> {
    Ok(Json(osc.token_balance().await?))
}

async fn instances(osc: OscContext, Query(pick): Query<Pick>) -> Result<Json<Vec<Value>>, ContextError> {
    let instances = osc.service(&pick.service.unwrap_or_default()).list_instances().await?;
    // Only these two fields, because the options may contain passwords.
    Ok(Json(instances.iter().map(|instance| json!({ "name": instance.name, "url": instance.url })).collect()))
}

async fn session(token: OscToken) -> Json<Value> {
    let expires_at = token.expires_at().duration_since(UNIX_EPOCH);
    Json(json!({ "expires_at": expires_at.unwrap_or_default().as_secs() }))
}

async fn not_found(State(app): State<App>, token: Option<OscToken>, uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        let error = json!({ "error": "not_found", "error_description": "This path does not exist." });
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    app.not_found(token.as_ref()).into_response()
}

/// Gives the refusal of a form from another site a page.
async fn explain_forged(
    State(app): State<App>,
    token: Option<OscToken>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    match response.extensions().get::<ProtectionError>() {
        Some(_) => app.forged(token.as_ref()).into_response(),
        None => response,
    }
}

async fn with_headers(response: Response) -> impl IntoResponse {
    (HEADERS, response)
}
