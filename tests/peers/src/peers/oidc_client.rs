//! axum-oidc-client: its layer, its in-memory cache, and its extractor for the access token, which refreshes.

use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum_oidc_client::auth::AuthenticationLayer;
use axum_oidc_client::auth_builder::OAuthConfigurationBuilder;
use axum_oidc_client::cache::TwoTierAuthCache;
use axum_oidc_client::cache::config::TwoTierCacheConfig;
use axum_oidc_client::extractors::AccessToken;
use axum_oidc_client::logout::handle_default_logout::DefaultLogoutHandler;

use crate::peers::ORIGIN;
use crate::provider::{CLIENT_ID, CLIENT_SECRET};

pub(crate) const SIGN_IN: &str = "/auth";

pub(crate) async fn router(issuer: &str) -> Router {
    let configuration = OAuthConfigurationBuilder::default()
        .with_issuer(issuer)
        .await
        .expect("the provider runs")
        .with_client_id(CLIENT_ID)
        .with_client_secret(CLIENT_SECRET)
        .with_redirect_uri(&format!("{ORIGIN}/auth/callback"))
        .with_private_cookie_key(CLIENT_SECRET)
        .with_post_logout_redirect_uri("/")
        .with_session_max_age(30)
        .build()
        .expect("the configuration is complete");
    let cache = TwoTierAuthCache::new(None, TwoTierCacheConfig::default()).expect("a cache in memory");
    let layer =
        AuthenticationLayer::new(Arc::new(configuration), Arc::new(cache), Arc::new(DefaultLogoutHandler));
    let page = async |token: AccessToken| {
        black_box(&*token);
    };
    let show = async |token: AccessToken| token.clone();
    Router::new().route("/", get(page)).route("/token", get(show)).layer(layer)
}
