//! Greets users without a framework: a Tower service on a hyper server. Run it:
//! `cargo run -p osc-auth-layer --all-features --example hello_tower`.

mod common;

use std::convert::Infallible;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use osc_auth_layer::OscToken;
use tower::{Layer, service_fn};

/// Every path of this app needs a session, so each request arrives with a token.
async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let user = request.extensions().get::<OscToken>().and_then(OscToken::user);
    let workspace = user.as_ref().map_or("an unnamed workspace", |user| user.workspace());
    Ok(Response::new(format!("Hello from {workspace}")))
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    // In your app: OscAuthLayer::builder_from_env()?.redirect_to_signin().build()?
    let auth = common::auth().await?.redirect_to_signin().build()?;
    let app = TowerToHyperService::new(auth.layer(service_fn(hello)));
    let listener = common::listen().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let app = app.clone();
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(stream), app).await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
}
