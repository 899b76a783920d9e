//! An axum app that works in the visitor's Open Source Cloud workspace.

use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use osc_auth_layer::workspace::TokenBalance;
use osc_auth_layer::{
    ContextError, DrainLayer, OscContext, OscSession, OscToken, OscUser, OscVisitor, SessionError,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::csrf::CsrfLayer;
use tracing_subscriber::EnvFilter;

use app::creations::Creations;
use app::dashboard::{Dashboard, Refused};
use app::notes::Notes;
use app::setup::{AnyError, configure, listen};
use app::{account, pages, stop};

#[path = "../../app/mod.rs"]
mod app;

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
    let auth = configure().await?.public_path("/").public_path("/healthz").public_path("/session.js");
    let auth = auth.redirect_to_signin().build()?;
    let router = Router::new()
        .route("/", get(home))
        .route("/healthz", get(async || "ok"))
        .route("/session.js", get(script))
        .route("/dashboard", get(dashboard))
        .route("/note", post(note))
        .route(account::PATH, get(account_page))
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
        .with_state(Kept::default())
        // SameSite=Lax blocks the session cookie in forms from other sites, but not in forms from another
        // port of this host or from a sibling domain.
        .layer(CsrfLayer::new().with_rejection_response(|_| forged()))
        .layer(map_response(with_headers))
        // Outside of all routes, so it sees every path. It serves some of the paths itself.
        .layer(auth.clone())
        // Lets a client that is still sending a body read an early answer.
        .layer(DrainLayer::new());

    let listener = listen().await?;
    println!("Open http://localhost:{}", listener.local_addr()?.port());
    let server = axum::serve(listener, router).with_graceful_shutdown(stop::signal());
    tokio::select! {
        ended = server.into_future() => ended?,
        () = async { stop::signal().await; stop::patience().await } => {}
    }
    // A running refresh has used up the session's refresh token. Wait until its new tokens are stored.
    auth.shutdown(Duration::from_secs(30)).await;
    Ok(())
}

#[derive(Deserialize)]
struct Pick {
    service: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    service: String,
    name: String,
    options: String,
}

/// The state of this process, for all visitors.
#[derive(Clone, Default)]
struct Kept {
    creations: Creations,
    notes: Notes,
}

// A public page: the visitor may be anonymous, or unknown in an outage.
async fn home(visitor: OscVisitor) -> Html<String> {
    Html(pages::home(&visitor))
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], pages::SCRIPT)
}

#[derive(Deserialize)]
struct Note {
    note: String,
}

async fn note(State(kept): State<Kept>, user: OscUser, Form(Note { note }): Form<Note>) -> Redirect {
    kept.notes.keep(&user, &note);
    Redirect::to("/dashboard")
}

async fn account_page(token: OscToken) -> Result<Html<String>, ErrorPage> {
    Ok(Html(account::page(&token).await?))
}

#[derive(Deserialize)]
struct SessionId {
    id: String,
}

async fn end_session(
    session: OscSession,
    Form(SessionId { id }): Form<SessionId>,
) -> Result<Redirect, ErrorPage> {
    // Only the user's own sessions have an id that this ends.
    session.end(&id).await?;
    Ok(Redirect::to(account::PATH))
}

async fn sign_out_everywhere(session: OscSession) -> Result<Redirect, ErrorPage> {
    session.sign_out_everywhere().await?;
    Ok(Redirect::to("/"))
}

async fn dashboard(
    State(kept): State<Kept>,
    token: OscToken,
    Query(pick): Query<Pick>,
) -> Result<Html<String>, ErrorPage> {
    let dashboard =
        Dashboard::load(&token, &kept.creations, &kept.notes, pick.service.as_deref(), None).await?;
    Ok(Html(dashboard.render()))
}

async fn add(osc: OscContext, Form(pick): Form<Pick>) -> Result<Redirect, ErrorPage> {
    let service = osc.activate_service(pick.service.unwrap_or_default().trim()).await?;
    Ok(Redirect::to(&pages::dashboard_path(&service.service_id)))
}

async fn create(
    State(kept): State<Kept>,
    token: OscToken,
    Form(Target { service, name, options }): Form<Target>,
) -> Result<Response, ErrorPage> {
    match kept.creations.begin(token.context(), &service, &name, &options).await {
        Ok(()) => Ok(Redirect::to(&pages::progress_path(&service, &name)).into_response()),
        Err(error) => {
            let refused = Some(Refused { name: &name, options: &options, error: error.clone() });
            let page = Dashboard::load(&token, &kept.creations, &kept.notes, Some(&service), refused).await;
            // The dashboard cannot be loaded either. The first error is the one to show.
            let Ok(page) = page else { return Err(error.into()) };
            Ok((error.response_status(), Html(page.render())).into_response())
        }
    }
}

async fn progress(
    State(kept): State<Kept>,
    osc: OscContext,
    Query(Target { service, name, .. }): Query<Target>,
) -> Result<Response, ErrorPage> {
    let progress = kept.creations.progress(&osc, &service, &name).await?;
    Ok(match pages::progress(&service, &name, &progress) {
        Some(page) => Html(page).into_response(),
        None => Redirect::to(&pages::dashboard_path(&service)).into_response(),
    })
}

async fn remove(
    State(kept): State<Kept>,
    osc: OscContext,
    Form(Target { service, name, .. }): Form<Target>,
) -> Result<Redirect, ErrorPage> {
    osc.remove_instance(&service, &name).await?;
    kept.creations.forget(&osc, &service, &name);
    Ok(Redirect::to(&pages::dashboard_path(&service)))
}

async fn balance(osc: OscContext) -> Result<Json<TokenBalance>, ContextError> {
    Ok(Json(osc.token_balance().await?))
}

async fn instances(osc: OscContext, Query(pick): Query<Pick>) -> Result<Json<Vec<Value>>, ContextError> {
    let instances = osc.list_instances(&pick.service.unwrap_or_default()).await?;
    // Only these two fields, because the options may contain passwords.
    Ok(Json(instances.iter().map(|instance| json!({ "name": instance.name, "url": instance.url })).collect()))
}

async fn session(token: OscToken) -> Json<Value> {
    let expires_at = token.expires_at().duration_since(UNIX_EPOCH);
    Json(json!({ "expires_at": expires_at.unwrap_or_default().as_secs() }))
}

async fn not_found(uri: Uri) -> Response {
    let text = "This page does not exist.";
    match uri.path().starts_with("/api/") {
        true => {
            let error = json!({ "error": "not_found", "error_description": text });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
        false => ErrorPage(StatusCode::NOT_FOUND, text.to_owned()).into_response(),
    }
}

fn forged() -> Response {
    ErrorPage(StatusCode::FORBIDDEN, pages::FORGED.to_owned()).into_response()
}

async fn with_headers(response: Response) -> impl IntoResponse {
    (pages::HEADERS, response)
}

struct ErrorPage(StatusCode, String);

impl From<ContextError> for ErrorPage {
    fn from(error: ContextError) -> Self {
        Self(error.response_status(), pages::sentence(&error))
    }
}

impl From<SessionError> for ErrorPage {
    fn from(error: SessionError) -> Self {
        Self(account::status_of(&error), pages::sentence(&error))
    }
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> Response {
        (self.0, Html(pages::error(self.0, &self.1))).into_response()
    }
}
