//! axum-oidc: its two layers over tower-sessions, and its extractor for the access token.

use std::hint::black_box;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::routing::get;
use axum_oidc::error::MiddlewareError;
use axum_oidc::{EmptyAdditionalClaims, OidcAccessToken, OidcAuthLayer, OidcLoginLayer};
use http::{StatusCode, Uri};
use tower::ServiceBuilder;
use tower_sessions_14::{MemoryStore, SessionManagerLayer};

use crate::peers::ORIGIN;
use crate::provider::{CLIENT_ID, CLIENT_SECRET};

/// Every page starts a sign-in.
pub(crate) const SIGN_IN: &str = "/";

pub(crate) async fn router(issuer: &str, store: MemoryStore) -> Router {
    let auth = OidcAuthLayer::<EmptyAdditionalClaims>::discover_client(
        Uri::from_static(ORIGIN),
        issuer.to_owned(),
        CLIENT_ID.to_owned(),
        Some(CLIENT_SECRET.to_owned()),
        Vec::new(),
    );
    let auth = auth.await.expect("the provider runs");
    let page = async |OidcAccessToken(token): OidcAccessToken| {
        black_box(token);
    };
    let show = async |OidcAccessToken(token): OidcAccessToken| token;
    let login = OidcLoginLayer::<EmptyAdditionalClaims>::new();
    Router::new()
        .route("/", get(page))
        .route("/token", get(show))
        .layer(ServiceBuilder::new().layer(HandleErrorLayer::new(failed)).layer(login))
        .layer(ServiceBuilder::new().layer(HandleErrorLayer::new(failed)).layer(auth))
        .layer(SessionManagerLayer::new(store))
}

/// Answers as the crate itself does.
async fn failed(_: MiddlewareError) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
