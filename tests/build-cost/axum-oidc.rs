use std::env::var;

use axum::error_handling::HandleErrorLayer;
use axum::http::{StatusCode, Uri};
use axum::{Router, routing::get};
use axum_oidc::error::MiddlewareError;
use axum_oidc::{EmptyAdditionalClaims, OidcAccessToken, OidcAuthLayer, OidcLoginLayer};
use tower::ServiceBuilder;
use tower_sessions::{MemoryStore, SessionManagerLayer};

async fn hello(OidcAccessToken(token): OidcAccessToken) -> String {
    format!("hello, your token has {} characters", token.len())
}

async fn failed(_: MiddlewareError) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

#[tokio::main]
async fn main() {
    let auth = OidcAuthLayer::<EmptyAdditionalClaims>::discover_client(
        Uri::from_static("http://localhost:8080"),
        var("ISSUER").unwrap(),
        var("CLIENT_ID").unwrap(),
        var("CLIENT_SECRET").ok(),
        Vec::new(),
    );
    let auth = auth.await.unwrap();
    let login = OidcLoginLayer::<EmptyAdditionalClaims>::new();
    let app = Router::new()
        .route("/", get(hello))
        .layer(ServiceBuilder::new().layer(HandleErrorLayer::new(failed)).layer(login))
        .layer(ServiceBuilder::new().layer(HandleErrorLayer::new(failed)).layer(auth))
        .layer(SessionManagerLayer::new(MemoryStore::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
