use std::env::var;
use std::sync::Arc;

use axum::{Router, routing::get};
use axum_oidc_client::auth::AuthenticationLayer;
use axum_oidc_client::auth_builder::OAuthConfigurationBuilder;
use axum_oidc_client::cache::TwoTierAuthCache;
use axum_oidc_client::cache::config::TwoTierCacheConfig;
use axum_oidc_client::extractors::AccessToken;
use axum_oidc_client::logout::handle_default_logout::DefaultLogoutHandler;

async fn hello(token: AccessToken) -> String {
    format!("hello, your token has {} characters", token.len())
}

#[tokio::main]
async fn main() {
    let configuration = OAuthConfigurationBuilder::default()
        .with_issuer(&var("ISSUER").unwrap())
        .await
        .unwrap()
        .with_client_id(&var("CLIENT_ID").unwrap())
        .with_client_secret(&var("CLIENT_SECRET").unwrap())
        .with_redirect_uri("http://localhost:8080/auth/callback")
        .with_private_cookie_key(&var("COOKIE_KEY").unwrap())
        .with_post_logout_redirect_uri("/")
        .with_session_max_age(30)
        .build()
        .unwrap();
    let cache = TwoTierAuthCache::new(None, TwoTierCacheConfig::default()).unwrap();
    let auth =
        AuthenticationLayer::new(Arc::new(configuration), Arc::new(cache), Arc::new(DefaultLogoutHandler));
    let app = Router::new().route("/", get(hello)).layer(auth);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
