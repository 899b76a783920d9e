//! A hyper app that works in the visitor's Open Source Cloud workspace.

use std::convert::Infallible;
use std::env;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
#[cfg(feature = "mock")]
use mock_osc::MockOsc;
use osc_auth_layer::{Builder, OscAuthLayer, OscToken, RedisStore};
use serde_json::json;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_http::csrf::CsrfLayer;
use tracing_subscriber::EnvFilter;

use app::creations::Creations;
use app::dashboard::{Dashboard, Refused};
use app::{pages, stop};
use web::{Failure, Form, Reply, html, json, read, see_other};

#[path = "../../app/mod.rs"]
mod app;
mod web;

type AnyError = Box<dyn std::error::Error>;

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
    let auth = configure().await?.public_path("/").public_path("/healthz");
    let auth = auth.redirect_to_signin().build()?;
    let creations = Creations::default();
    let service = ServiceBuilder::new()
        .layer(auth.clone())
        .map_response(with_headers)
        // SameSite=Lax keeps the session out of forms posted from other sites, but not out of
        // those from another port of this host or from a sibling domain.
        .layer(CsrfLayer::new().with_rejection_response(|_| forged()))
        .service(service_fn(move |request| answer(creations.clone(), request)));

    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener =
        TcpListener::bind(&bind).await.map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    println!("Open http://localhost:{}", listener.local_addr()?.port());

    let mut server = auto::Builder::new(TokioExecutor::new());
    // Without a timer nothing ends a connection that never sends its headers.
    server.http1().timer(TokioTimer::new());
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop::signal());
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: wait for one instead of spinning.
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
    // A refresh in flight has spent the session's refresh token; let it keep what it gets.
    auth.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

async fn configure() -> Result<Builder, AnyError> {
    #[cfg(feature = "mock")]
    if env::var("CLIENT_ID").unwrap_or_default().is_empty() {
        // Leaked, as it has to live as long as the process.
        let mock = Box::leak(Box::new(MockOsc::builder().start().await?));
        let issuer = mock.issuer();
        println!(
            "CLIENT_ID is not set: using a mock of Open Source Cloud at {issuer}, and of the settings only BIND"
        );
        let client = osc_auth_layer::Client::confidential(mock.client_id(), mock.client_secret());
        return Ok(OscAuthLayer::builder(client).issuer(issuer).platform(mock.platform()));
    }
    let auth = OscAuthLayer::builder_from_env()?;
    // In Redis, sessions outlive this process and are shared with the app's other nodes.
    Ok(match env::var("REDIS_URL").unwrap_or_default().trim() {
        "" => auth,
        url => auth.store(RedisStore::new(url)?),
    })
}

async fn answer(creations: Creations, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let is_api = request.uri().path().starts_with("/api/");
    Ok(match route(&creations, request).await {
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

async fn route(creations: &Creations, request: Request<Incoming>) -> Result<Reply, Failure> {
    // Put there by the layer. Only on a public path it may be missing.
    let token = request.extensions().get::<OscToken>().cloned();
    let query = Form::new(request.uri().query().unwrap_or_default());
    match (request.method().as_str(), request.uri().path(), token) {
        ("GET" | "HEAD", "/", token) => Ok(html(StatusCode::OK, pages::home(token.is_some()))),
        ("GET" | "HEAD", "/healthz", _) => Ok(Response::new("ok".into())),
        ("GET" | "HEAD", "/dashboard", Some(token)) => {
            let dashboard = Dashboard::load(&token, creations, query.get("service"), None).await?;
            Ok(html(StatusCode::OK, dashboard.render()))
        }
        ("POST", "/services/add", Some(token)) => {
            let form = read(request).await?;
            let service = token.context().activate_service(form.text("service").trim()).await?;
            Ok(see_other(&pages::dashboard_path(&service.service_id)))
        }
        ("POST", "/instances/create", Some(token)) => create(creations, &token, read(request).await?).await,
        ("GET" | "HEAD", "/instances/progress", Some(token)) => {
            let (service, name) = (query.text("service"), query.text("name"));
            let progress = creations.progress(&token.context(), service, name).await?;
            Ok(match pages::progress(service, name, &progress) {
                Some(page) => html(StatusCode::OK, page),
                None => see_other(&pages::dashboard_path(service)),
            })
        }
        ("POST", "/instances/remove", Some(token)) => {
            let (form, osc) = (read(request).await?, token.context());
            let (service, name) = (form.text("service"), form.text("name"));
            osc.remove_instance(service, name).await?;
            creations.forget(&osc, service, name);
            Ok(see_other(&pages::dashboard_path(service)))
        }
        ("GET" | "HEAD", "/api/balance", Some(token)) => {
            Ok(json(StatusCode::OK, &token.context().token_balance().await?))
        }
        ("GET" | "HEAD", "/api/instances", Some(token)) => {
            let instances = token.context().list_instances(query.text("service")).await?;
            // Not the whole of them: their options may hold passwords.
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

async fn create(creations: &Creations, token: &OscToken, form: Form) -> Result<Reply, Failure> {
    let (service, name, options) = (form.text("service"), form.text("name"), form.text("options"));
    match creations.begin(token.context(), service, name, options).await {
        Ok(()) => Ok(see_other(&pages::progress_path(service, name))),
        Err(error) => {
            let refused = Some(Refused { name, options, error: error.clone() });
            let page = Dashboard::load(token, creations, Some(service), refused).await;
            // Without a dashboard to put it on, the reason is still the one to tell.
            let Ok(page) = page else { return Err(error.into()) };
            Ok(html(error.response_status(), page.render()))
        }
    }
}
