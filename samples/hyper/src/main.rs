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

use app::dashboard::Dashboard;
use app::platform::Platform;
use app::{pages, stop};
use web::{Failure, Reply, field, html, json, see_other, target};

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
    let (auth, platform) = configure().await?;
    let auth = auth.public_path("/").public_path("/healthz");
    let auth = auth.redirect_to_signin().build()?;
    let service = ServiceBuilder::new()
        .layer(auth.clone())
        // SameSite=Lax keeps the session out of forms posted from other sites, but not out of
        // those from another port of this host or from a sibling domain.
        .layer(CsrfLayer::new())
        .service(service_fn(move |request| answer(platform.clone(), request)));

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

async fn configure() -> Result<(Builder, Platform), AnyError> {
    #[cfg(feature = "mock")]
    if env::var("CLIENT_ID").unwrap_or_default().is_empty() {
        // Leaked, as it has to live as long as the process.
        let mock = Box::leak(Box::new(MockOsc::builder().start().await?));
        let issuer = mock.issuer();
        println!("CLIENT_ID is not set: using a mock of Open Source Cloud at {issuer}, and no other setting");
        let (id, secret) = (mock.client_id(), mock.client_secret());
        let client = osc_auth_layer::Client::confidential(id, secret);
        let auth = OscAuthLayer::builder(client).issuer(issuer);
        return Ok((auth, Platform::at(&mock.platform())?));
    }
    let auth = OscAuthLayer::builder_from_env()?;
    // In Redis, sessions outlive this process and are shared with the app's other nodes.
    let auth = match env::var("REDIS_URL").unwrap_or_default().trim() {
        "" => auth,
        url => auth.store(RedisStore::new(url)?),
    };
    Ok((auth, Platform::from_env()?))
}

async fn answer(osc: Platform, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let is_api = request.uri().path().starts_with("/api/");
    let mut reply = match route(&osc, request).await {
        Ok(reply) => reply,
        Err(Failure(status, why)) if is_api => json(status, &json!({ "error": why })),
        Err(Failure(status, why)) => html(status, pages::error(status, &why)),
    };
    for (name, value) in pages::HEADERS {
        let value = HeaderValue::from_static(value);
        reply.headers_mut().insert(name, value);
    }
    Ok(reply)
}

async fn route(osc: &Platform, request: Request<Incoming>) -> Result<Reply, Failure> {
    // Put there by the layer. Only on a public path it may be missing.
    let token = request.extensions().get::<OscToken>().cloned();
    let query = request.uri().query().unwrap_or_default().as_bytes();
    match (request.method().as_str(), request.uri().path(), token) {
        ("GET" | "HEAD", "/", token) => Ok(html(StatusCode::OK, pages::home(token.is_some()))),
        ("GET" | "HEAD", "/healthz", _) => Ok(Response::new("ok".into())),
        ("GET" | "HEAD", "/dashboard", Some(token)) => {
            let picked = field(query, "service");
            let dashboard = Dashboard::load(osc, &token, picked.as_deref(), None).await?;
            Ok(html(StatusCode::OK, dashboard.render()))
        }
        ("POST", "/instances/create", Some(token)) => create(osc, &token, request).await,
        ("POST", "/instances/remove", Some(token)) => remove(osc, &token, request).await,
        ("GET" | "HEAD", "/api/balance", Some(token)) => {
            Ok(json(StatusCode::OK, &osc.balance(&token).await?))
        }
        ("GET" | "HEAD", "/api/instances", Some(token)) => {
            let service = field(query, "service").unwrap_or_default();
            let service = osc.subscription(&token, &service).await?;
            Ok(json(StatusCode::OK, &osc.instances(&token, &service).await?))
        }
        ("GET" | "HEAD", "/api/session", Some(token)) => {
            let expires_at = token.expires_at().duration_since(UNIX_EPOCH);
            let expires_at = expires_at.unwrap_or_default().as_secs();
            Ok(json(StatusCode::OK, &json!({ "expires_at": expires_at })))
        }
        _ => Err(Failure(StatusCode::NOT_FOUND, "This page does not exist.".to_owned())),
    }
}

async fn create(osc: &Platform, token: &OscToken, request: Request<Incoming>) -> Result<Reply, Failure> {
    let (service, name) = target(request).await?;
    let subscription = osc.subscription(token, &service).await?;
    match osc.create(token, &subscription, &name).await {
        Ok(()) => Ok(see_other(&pages::dashboard_path(&service))),
        Err(error) => {
            let status = error.status();
            let refused = Some((name.as_str(), error));
            let page = Dashboard::load(osc, token, Some(&service), refused).await?;
            Ok(html(status, page.render()))
        }
    }
}

async fn remove(osc: &Platform, token: &OscToken, request: Request<Incoming>) -> Result<Reply, Failure> {
    let (service, name) = target(request).await?;
    let subscription = osc.subscription(token, &service).await?;
    osc.remove(token, &subscription, &name).await?;
    Ok(see_other(&pages::dashboard_path(&service)))
}
