use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use http::{HeaderValue, StatusCode};
use osc_auth_layer::OscAuthLayer;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::services::ServeDir;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::axum::greet;
use crate::server::listen;

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let app = Router::new()
        .route("/greet", post(greet))
        .nest_service("/files", ServeDir::new(env!("CARGO_MANIFEST_DIR")))
        .layer(
            ServiceBuilder::new()
                .layer(TraceLayer::new_for_http())
                .layer(CompressionLayer::new())
                .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(30)))
                .layer(CorsLayer::new().allow_origin([HeaderValue::from_static("https://shop.example")]))
                .layer(auth), // table
        );
    let (listener, address) = listen().await;
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}
