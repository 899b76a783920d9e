//! The layer and the hand-written minimum in an axum router.

use std::hint::black_box;
use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscToken};
use tower_layer::layer_fn;

use crate::contenders::{Minimum, Sessions, Token};
use crate::peers::ORIGIN;
use crate::provider::{CLIENT_ID, CLIENT_SECRET};

pub(crate) const SIGN_IN: &str = "/auth/signin";

/// The app without any layer. It has the two routes of the other apps.
pub(crate) fn bare() -> Router {
    Router::new().route("/", get(async || ())).route("/token", get(async || ()))
}

pub(crate) fn minimum(sessions: Arc<Sessions>) -> Router {
    let page = async |Extension(token): Extension<Token>| {
        black_box(&token);
    };
    let layer = layer_fn(move |inner| Minimum { inner, sessions: sessions.clone() });
    Router::new().route("/", get(page)).route("/token", get(page)).layer(layer)
}

pub(crate) fn layer(auth: OscAuthLayer) -> Router {
    let page = async |token: OscToken| {
        black_box(token.access_token());
    };
    let show = async |token: OscToken| token.access_token().to_owned();
    Router::new().route("/", get(page)).route("/token", get(show)).layer(auth)
}

/// Builds the layer with its defaults, for this issuer.
pub(crate) fn auth(issuer: &str) -> OscAuthLayer {
    let builder = OscAuthLayer::builder(OAuthClient::confidential(CLIENT_ID, CLIENT_SECRET));
    let layer = builder.issuer(issuer).public_url(ORIGIN).build();
    layer.expect("the layer builds")
}
