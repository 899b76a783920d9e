//! A hyper app that works in the visitor's Open Source Cloud workspace.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderValue, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use osc_auth_layer::{DrainLayer, OscToken, OscVisitor, SessionError};
use serde_json::json;
use tower::{ServiceBuilder, service_fn};
use tower_http::csrf::CsrfLayer;
use tracing_subscriber::EnvFilter;

use app::creations::Creations;
use app::dashboard::{Dashboard, Refused};
use app::notes::Notes;
use app::setup::{AnyError, configure, listen};
use app::{account, pages, stop};
use web::{Failure, Form, Incoming, Reply, html, json, read, script, see_other};

#[path = "../../app/mod.rs"]
mod app;
mod web;

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
    let kept = Kept::default();
    let service = ServiceBuilder::new()
        // Lets a client that is still sending a body read an early answer.
        .layer(DrainLayer::new())
        .layer(auth.clone())
        .map_response(with_headers)
        // SameSite=Lax blocks the session cookie in forms from other sites, but not in forms from another
        // port of this host or from a sibling domain.
        .layer(CsrfLayer::new().with_rejection_response(|_| forged()))
        .service(service_fn(move |request| answer(kept.clone(), request)));

    let listener = listen().await?;
    println!("Open http://localhost:{}", listener.local_addr()?.port());

    let mut server = auto::Builder::new(TokioExecutor::new());
    // Without a timer, a connection that never sends its headers would stay open for ever.
    server.http1().timer(TokioTimer::new());
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop::signal());
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Most likely the process is out of file descriptors. Wait for one instead of spinning.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => {}
        () = stop::patience() => {}
    }
    // A running refresh has used up the session's refresh token. Wait until its new tokens are stored.
    auth.shutdown(Duration::from_secs(30)).await;
    Ok(())
}

/// The state of this process, for all visitors.
#[derive(Clone, Default)]
struct Kept {
    creations: Creations,
    notes: Notes,
}

async fn answer(kept: Kept, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let is_api = request.uri().path().starts_with("/api/");
    Ok(match route(&kept, request).await {
        Ok(reply) => reply,
        Err(Failure { status, error, text }) if is_api => {
            json(status, &json!({ "error": error, "error_description": text }))
        }
        Err(Failure { status, text, .. }) => html(status, pages::error(status, &pages::sentence(&text))),
    })
}

fn forged() -> Reply {
    html(StatusCode::FORBIDDEN, pages::error(StatusCode::FORBIDDEN, pages::FORGED))
}

fn with_headers<B>(mut response: Response<B>) -> Response<B> {
    for (name, value) in pages::HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn route(kept: &Kept, request: Request<Incoming>) -> Result<Reply, Failure> {
    // The layer adds the token. It can be missing on public paths only.
    let token = request.extensions().get::<OscToken>().cloned();
    let query = Form::new(request.uri().query().unwrap_or_default());
    match (request.method().as_str(), request.uri().path(), token) {
        ("GET" | "HEAD", "/", _) => {
            // In an outage the visitor of a public page is unknown.
            let visitor = OscVisitor::of(request.extensions());
            Ok(html(StatusCode::OK, pages::home(&visitor)))
        }
        ("GET" | "HEAD", "/session.js", _) => Ok(script(pages::SCRIPT)),
        ("GET" | "HEAD", "/healthz", _) => Ok(Response::new("ok".into())),
        ("GET" | "HEAD", "/dashboard", Some(token)) => {
            let dashboard =
                Dashboard::load(&token, &kept.creations, &kept.notes, query.get("service"), None).await?;
            Ok(html(StatusCode::OK, dashboard.render()))
        }
        ("GET" | "HEAD", account::PATH, Some(token)) => {
            Ok(html(StatusCode::OK, account::page(&token).await?))
        }
        ("POST", "/account/end", Some(token)) => {
            // Only the user's own sessions have an id that this ends.
            token.session().end(read(request).await?.text("id")).await?;
            Ok(see_other(account::PATH))
        }
        ("POST", "/account/end-all", Some(token)) => {
            token.session().sign_out_everywhere().await?;
            Ok(see_other("/"))
        }
        ("POST", "/services/add", Some(token)) => {
            let form = read(request).await?;
            let service = token.context().activate_service(form.text("service").trim()).await?;
            Ok(see_other(&pages::dashboard_path(&service.service_id)))
        }
        ("POST", "/note", Some(token)) => {
            let user = token.user().ok_or_else(unknown_user)?;
            kept.notes.keep(&user, read(request).await?.text("note"));
            Ok(see_other("/dashboard"))
        }
        ("POST", "/instances/create", Some(token)) => create(kept, &token, read(request).await?).await,
        ("GET" | "HEAD", "/instances/progress", Some(token)) => {
            let (service, name) = (query.text("service"), query.text("name"));
            let progress = kept.creations.progress(&token.context(), service, name).await?;
            Ok(match pages::progress(service, name, &progress) {
                Some(page) => html(StatusCode::OK, page),
                None => see_other(&pages::dashboard_path(service)),
            })
        }
        ("POST", "/instances/remove", Some(token)) => {
            let (form, osc) = (read(request).await?, token.context());
            let (service, name) = (form.text("service"), form.text("name"));
            osc.remove_instance(service, name).await?;
            kept.creations.forget(&osc, service, name);
            Ok(see_other(&pages::dashboard_path(service)))
        }
        ("GET" | "HEAD", "/api/balance", Some(token)) => {
            Ok(json(StatusCode::OK, &token.context().token_balance().await?))
        }
        ("GET" | "HEAD", "/api/instances", Some(token)) => {
            let instances = token.context().list_instances(query.text("service")).await?;
            // Only these two fields, because the options may contain passwords.
            let instances = instances.iter();
            let instances = instances.map(|instance| json!({ "name": instance.name, "url": instance.url }));
            Ok(json(StatusCode::OK, &instances.collect::<Vec<_>>()))
        }
        ("GET" | "HEAD", "/api/session", Some(token)) => {
            let expires_at = token.expires_at().duration_since(UNIX_EPOCH);
            let expires_at = expires_at.unwrap_or_default().as_secs();
            Ok(json(StatusCode::OK, &json!({ "expires_at": expires_at })))
        }
        _ => Err(Failure::new(StatusCode::NOT_FOUND, "not_found", "This page does not exist.")),
    }
}

fn unknown_user() -> Failure {
    let text = "This app cannot tell who you are. The app's log says why.";
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "user_unknown", text)
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::new(account::status_of(&error), "session_unavailable", error.to_string())
    }
}

async fn create(kept: &Kept, token: &OscToken, form: Form) -> Result<Reply, Failure> {
    let (service, name, options) = (form.text("service"), form.text("name"), form.text("options"));
    match kept.creations.begin(token.context(), service, name, options).await {
        Ok(()) => Ok(see_other(&pages::progress_path(service, name))),
        Err(error) => {
            let refused = Some(Refused { name, options, error: error.clone() });
            let page = Dashboard::load(token, &kept.creations, &kept.notes, Some(service), refused).await;
            // The dashboard cannot be loaded either. The first error is the one to show.
            let Ok(page) = page else { return Err(error.into()) };
            Ok(html(error.response_status(), page.render()))
        }
    }
}
