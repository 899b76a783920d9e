//! The app's own pages. Each protected page shows the address at which the app was asked for it.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream, StreamExt};
use osc_auth_layer::{OscSession, OscToken, OscUser, Page, PageHtml};
use serde_json::{Value, json};
use tokio::sync::watch;

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");
/// The samples' script, so that the matrix tests what app authors copy.
const SESSION_SCRIPT: &str = include_str!("../../samples/app/src/session.js");

/// The state of the app: the forms that it received and the event streams that are open.
#[derive(Clone, Default)]
pub(crate) struct Events {
    saved: Arc<AtomicUsize>,
    streams: watch::Sender<u64>,
}

impl Events {
    pub(crate) fn saved(&self) -> usize {
        self.saved.load(Ordering::SeqCst)
    }

    pub(crate) fn end_streams(&self) {
        self.streams.send_modify(|generation| *generation += 1);
    }
}

pub(crate) fn routes(events: Events) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/open/{file}", get(page))
        .route("/open/npm/{file}", get(package))
        .route("/session.js", get(session_script))
        .route("/save", post(save))
        .route("/part", get(part))
        .route("/api/data", get(data).post(save_data))
        .route("/stream", get(stream))
        .route("/personal", get(no_store))
        .route("/personal/cached", get(personal))
        .fallback(deep)
        .with_state(events)
}

async fn home(token: Option<OscToken>) -> Html<String> {
    let user = token.as_ref().and_then(OscToken::user);
    layout(
        "Home",
        &user.map_or_else(|| "<p id=\"nobody\">Not signed in</p>".to_owned(), |user| signed_in(&user)),
    )
}

/// Any other address. It is a deep link, whatever its path. One of the pages loads it into a frame of Turbo.
async fn deep(user: OscUser, uri: Uri) -> Html<String> {
    let here = escape(uri.path_and_query().map_or("", |target| target.as_str()));
    let name = escape(user.user_id().unwrap_or_default());
    let frame = format!("<turbo-frame id=\"frame\">A frame for {name}</turbo-frame>");
    layout("Deep", &format!("<p id=\"here\">{here}</p>{}{frame}", signed_in(&user)))
}

/// A page that no cache may keep.
async fn no_store(user: OscUser, uri: Uri) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], personal(user, uri).await)
}

/// A page with the script of the samples.
async fn personal(user: OscUser, uri: Uri) -> Html<String> {
    let here = escape(uri.path());
    let who = json!({ "user": user.user_id(), "workspace": user.workspace() }).to_string();
    let place = format!("<p id=\"session\" data-here=\"{here}\" data-user=\"{}\"></p>", escape(&who));
    layout("Personal", &format!("{}{place}<script src=\"/session.js\"></script>", signed_in(&user)))
}

async fn save(State(events): State<Events>, _: OscUser) -> Redirect {
    events.saved.fetch_add(1, Ordering::SeqCst);
    Redirect::to("/saved")
}

async fn save_data(State(events): State<Events>, _: OscUser) -> Json<Value> {
    events.saved.fetch_add(1, Ordering::SeqCst);
    Json(json!({ "saved": true }))
}

async fn part(user: OscUser) -> Html<String> {
    Html(format!("<b id=\"part\">A part for {}</b>", escape(user.user_id().unwrap_or_default())))
}

async fn data(user: OscUser) -> Json<Value> {
    Json(json!({ "user": user.user_id() }))
}

/// Sends one event, and stays open until the session ends.
async fn stream(
    State(events): State<Events>,
    session: OscSession,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut streams = events.streams.subscribe();
    // The browser comes back soon, so that the test is short.
    let tick = Event::default().retry(Duration::from_millis(100)).data("tick");
    let ended = async move { _ = streams.changed().await };
    let stream = stream::iter([Ok(tick)]).chain(stream::pending()).take_until(Box::pin(ended));
    Sse::new(session.until_ended(stream))
}

async fn page(Path(file): Path<String>) -> Response {
    serve(PathBuf::from(BROWSER).join("pages"), &file).await
}

async fn package(Path(file): Path<String>) -> Response {
    let folder = match &*file {
        "htmx.js" => "htmx2/dist",
        "htmx.min.js" => "htmx4/dist",
        _ => "@hotwired/turbo/dist",
    };
    serve(PathBuf::from(BROWSER).join("node_modules").join(folder), &file).await
}

async fn serve(folder: PathBuf, file: &str) -> Response {
    let content_type =
        if file.ends_with(".js") { "text/javascript; charset=utf-8" } else { "text/html; charset=utf-8" };
    // A service worker from this folder may control the whole app.
    let headers = [("content-type", content_type), ("service-worker-allowed", "/")];
    let is_plain = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    match tokio::fs::read(folder.join(file)).await {
        Ok(content) if is_plain => (headers, content).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn session_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SESSION_SCRIPT)
}

/// Renders a page of the layer. Its first link is the app's own.
pub(crate) fn own_page(page: &Page) -> String {
    let links = page.actions().iter().map(|action| {
        format!("<a href=\"{}\">{}</a>", PageHtml::escape(action.href()), PageHtml::escape(action.label()))
    });
    let links: String = links.collect();
    let script = page.script().map(|script| format!("<script>{script}</script>")).unwrap_or_default();
    layout(page.title(), &format!("<h1 id=\"own\"><a href=\"/\">Own page</a></h1>{links}{script}")).0
}

fn signed_in(user: &OscUser) -> String {
    let user = escape(user.user_id().unwrap_or_default());
    format!(
        "<p id=\"user\">{user}</p><form method=\"post\" action=\"/auth/signout\"><button>Sign out</button></form>"
    )
}

fn layout(title: &str, body: &str) -> Html<String> {
    Html(format!("<!doctype html><meta charset=\"utf-8\"><title>{title}</title>{body}"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
