//! A hyper app that works in the visitor's Open Source Cloud workspace.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use osc_auth_layer::{
    ConfigError, ContextError, DrainBody, DrainLayer, OscAuthLayer, OscAuthLayerBuilder, OscToken, OscVisitor,
};
use osc_sample_app::{Answer, AnyError, App, Creation, HEADERS, SCRIPT};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tracing_subscriber::EnvFilter;

use web::{Form, Incoming, Reply, json, read, script, text};

#[cfg(test)]
mod tests;
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
    let auth = protecting(osc_sample_app::configure().await?)?;
    let service = service(auth.clone());
    let listener = osc_sample_app::listen().await?;
    println!("Open http://localhost:{}", listener.local_addr()?.port());
    osc_sample_app::start_preflight(&auth);

    let mut server = auto::Builder::new(TokioExecutor::new());
    // Without a timer, a connection that never sends its headers would stay open for ever.
    server.http1().timer(TokioTimer::new());
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(osc_sample_app::signal());
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
        () = osc_sample_app::patience() => {}
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

/// Returns the app, for requests of a server or of a test.
fn service<B: Incoming>(
    auth: OscAuthLayer,
) -> impl Service<
    Request<B>,
    Response = Response<impl Body<Data = Bytes, Error = Infallible> + Send>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send {
    // The pages name this package.
    let app = App::new(env!("CARGO_PKG_NAME"));
    let probed = auth.clone();
    ServiceBuilder::new()
        // Lets a client that is still sending a body read an early answer.
        .layer(DrainLayer::new())
        .layer(auth)
        .map_response(with_headers)
        .service(service_fn(move |request: Request<DrainBody<B>>| {
            answer(app.clone(), probed.clone(), request)
        }))
}

async fn answer<B: Incoming>(
    app: App,
    auth: OscAuthLayer,
    request: Request<DrainBody<B>>,
) -> Result<Reply, Infallible> {
    if request.method().is_safe() && request.uri().path() == "/ready" {
        return Ok(text(osc_sample_app::ready(&auth).await));
    }
    // The layer adds the token. It can be missing on public paths only.
    let token = request.extensions().get::<OscToken>().cloned();
    // SameSite=Lax blocks the session cookie in forms from other sites, but not in forms from another
    // port of this host or from a sibling domain.
    let guarded = CsrfLayer::new().layer(service_fn(|request| route(&app, token.clone(), request)));
    let reply = guarded.oneshot(request).await?;
    Ok(match reply.extensions().get::<ProtectionError>() {
        Some(_) => app.forged(token.as_ref()).map(Into::into),
        None => reply,
    })
}

fn with_headers<B>(mut response: Response<B>) -> Response<B> {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn route<B: Incoming>(
    app: &App,
    token: Option<OscToken>,
    request: Request<DrainBody<B>>,
) -> Result<Reply, Infallible> {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let query = Form::new(request.uri().query().unwrap_or_default());
    Ok(match (method, path, token) {
        // In an outage the visitor of a public page is unknown.
        ("GET" | "HEAD", "/", _) => app.home(&OscVisitor::of(request.extensions())).map(Into::into),
        ("GET" | "HEAD", "/session.js", _) => script(SCRIPT),
        ("GET" | "HEAD", "/healthz", _) => Response::new("ok".into()),
        ("GET" | "HEAD", "/api/balance", Some(token)) => balance(&token).await.unwrap_or_else(failed),
        ("GET" | "HEAD", "/api/instances", Some(token)) => {
            instances(&token, query.text("service")).await.unwrap_or_else(failed)
        }
        ("GET" | "HEAD", "/api/session", Some(token)) => session(&token),
        (_, path, _) if path.starts_with("/api/") => {
            json(StatusCode::NOT_FOUND, &error("not_found", "This path does not exist."))
        }
        ("GET" | "HEAD", path, Some(token)) => show(app, &token, path, &query).await.map(Into::into),
        ("POST", _, Some(token)) => post(app, &token, request).await.map(Into::into),
        (.., token) => app.not_found(token.as_ref()).map(Into::into),
    })
}

/// Answers with a page.
async fn show(app: &App, token: &OscToken, path: &str, query: &Form) -> Answer {
    match path {
        "/dashboard" => app.dashboard(token, query.get("service")).await,
        "/account" => app.account(token).await,
        "/instances/progress" => app.progress(token, query.text("service"), query.text("name")).await,
        _ => app.not_found(Some(token)),
    }
}

/// Does what a form asks for.
async fn post<B: Incoming>(app: &App, token: &OscToken, request: Request<DrainBody<B>>) -> Answer {
    let (head, body) = request.into_parts();
    let form = match read(body).await {
        Ok(form) => form,
        Err(problem) => return app.error(Some(token), StatusCode::BAD_REQUEST, &problem),
    };
    // Another user may have signed in since the page of this form was made. The layer answers with a page about it.
    if let Err(other_user) = form.check_page(token) {
        return other_user.refuse(&head, Answer::default());
    }
    let (service, name, options) = (form.text("service"), form.text("name"), form.text("options"));
    match head.uri.path() {
        "/note" => app.keep_note(token, form.text("shown"), form.text("note")).await,
        "/account/end" => app.end_session(token, form.text("id")).await,
        "/account/end-all" => app.sign_out_everywhere(token).await,
        "/services/add" => app.add_service(token, form.text("shown"), service).await,
        "/instances/create" => app.create(token, Creation { service, name, options }).await,
        "/instances/remove" => app.remove(token, service, name).await,
        _ => app.not_found(Some(token)),
    }
}

async fn balance(token: &OscToken) -> Result<Reply, ContextError> {
    Ok(json(StatusCode::OK, &token.context().token_balance().await?))
}

async fn instances(token: &OscToken, service: &str) -> Result<Reply, ContextError> {
    let instances = token.context().service(service).list_instances().await?;
    // Only these two fields, because the options may contain passwords.
    let instances = instances.iter().map(|instance| json!({ "name": instance.name, "url": instance.url }));
    Ok(json(StatusCode::OK, &instances.collect::<Vec<_>>()))
}

fn session(token: &OscToken) -> Reply {
    let expires_at = token.expires_at().duration_since(UNIX_EPOCH);
    json(StatusCode::OK, &json!({ "expires_at": expires_at.unwrap_or_default().as_secs() }))
}

fn failed(failure: ContextError) -> Reply {
    json(failure.response_status(), &error(failure.kind().as_str(), &failure.to_string()))
}

fn error(name: &str, description: &str) -> Value {
    json!({ "error": name, "error_description": description })
}
