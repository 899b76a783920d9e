//! The development version of axum-oidc: its two layers and its handler. The app decides where its sessions are kept.

use std::hint::black_box;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::FromRequestParts;
use axum::routing::get;
use axum_oidc_1::error::MiddlewareError;
use axum_oidc_1::openidconnect::core::CoreGenderClaim;
use axum_oidc_1::openidconnect::{ClientId, ClientSecret, IssuerUrl};
use axum_oidc_1::{
    EmptyAdditionalClaims, OidcAccessToken, OidcAuthLayer, OidcClient, OidcLoginLayer, OidcSession,
    handle_oidc_redirect,
};
use http::request::Parts;
use http::{StatusCode, Uri};
use tower::ServiceBuilder;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, session};

use crate::peers::ORIGIN;
use crate::provider::{CLIENT_ID, CLIENT_SECRET};

/// Every page starts a sign-in.
pub(crate) const SIGN_IN: &str = "/";
/// The key of its value in the session.
pub(crate) const KEY: &str = "axum-oidc";

type Claims = EmptyAdditionalClaims;

pub(crate) async fn router(issuer: &str, store: MemoryStore) -> Router {
    let callback: Uri = format!("{ORIGIN}/callback").parse().expect("a URL");
    let client = OidcClient::<Claims>::builder()
        .with_default_http_client()
        .with_redirect_url(callback)
        .with_client_id(ClientId::new(CLIENT_ID.to_owned()))
        .with_client_secret(ClientSecret::new(CLIENT_SECRET.to_owned()))
        .discover(IssuerUrl::new(issuer.to_owned()).expect("a URL"));
    let client = client.await.expect("the provider runs").build();
    let page = async |OidcAccessToken(token): OidcAccessToken| {
        black_box(token);
    };
    let show = async |OidcAccessToken(token): OidcAccessToken| token;
    let (login, auth) = (OidcLoginLayer::<Claims, Kept>::new(), OidcAuthLayer::<Claims, Kept>::new(client));
    Router::new()
        .route("/", get(page))
        .route("/token", get(show))
        .layer(ServiceBuilder::new().layer(HandleErrorLayer::new(failed)).layer(login))
        .route("/callback", get(handle_oidc_redirect::<Claims, Kept>))
        .layer(ServiceBuilder::new().layer(HandleErrorLayer::new(failed)).layer(auth))
        .layer(SessionManagerLayer::new(store))
}

/// Answers as the crate itself does.
async fn failed(_: MiddlewareError) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

struct Kept(Session);

impl<S: Send + Sync> FromRequestParts<S> for Kept {
    type Rejection = <Session as FromRequestParts<S>>::Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Session::from_request_parts(parts, state).await.map(Self)
    }
}

impl axum_oidc_1::Session<Claims> for Kept {
    type Error = session::Error;

    async fn get(&self) -> Result<OidcSession<Claims, CoreGenderClaim>, session::Error> {
        Ok(self.0.get(KEY).await?.unwrap_or_default())
    }

    async fn set(&mut self, value: OidcSession<Claims, CoreGenderClaim>) -> Result<(), session::Error> {
        self.0.insert(KEY, value).await
    }
}
