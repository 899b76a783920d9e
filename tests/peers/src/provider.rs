//! An OpenID provider on loopback, the same for all contenders. It does PKCE and RS256, rotates refresh tokens and
//! revokes the grant if one is used twice. It checks no client secret and lets every user in.

mod grants;
mod keys;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use grants::{Authorize, Grants, Issued, TokenRequest};
use keys::Keys;

pub(crate) const CLIENT_ID: &str = "osc_peers";
pub(crate) const CLIENT_SECRET: &str = "a secret of more than 32 characters";

/// A running provider. It stops with the process.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

struct Inner {
    issuer: String,
    keys: Keys,
    lifetime: Duration,
    latency: Duration,
    userinfo: bool,
    grants: Mutex<Grants>,
}

impl Provider {
    /// Starts a provider with an endpoint for the user's claims. The contenders that do not need it would ask too.
    pub(crate) async fn with_userinfo(lifetime: Duration, latency: Duration) -> Self {
        Self::begin(lifetime, latency, true).await
    }

    /// Starts a provider. Its tokens live for `lifetime`, and its token endpoint answers after `latency`.
    pub(crate) async fn start(lifetime: Duration, latency: Duration) -> Self {
        Self::begin(lifetime, latency, false).await
    }

    async fn begin(lifetime: Duration, latency: Duration, asks: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("it is bound"));
        let grants = Mutex::default();
        let provider = Self(Arc::new(Inner {
            issuer,
            keys: Keys::generate(),
            lifetime,
            latency,
            userinfo: asks,
            grants,
        }));
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.expect("the provider serves") });
        provider
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Opens the URL and consents, as a user does. Returns the callback's URL.
    pub(crate) fn approve(&self, authorize_url: &str) -> String {
        let uri = authorize_url.parse().expect("a URL");
        let Query(asked) = Query::<Authorize>::try_from_uri(&uri).expect("an authorization request");
        assert_eq!(asked.client_id, CLIENT_ID);
        self.grants().approve(asked)
    }

    /// Returns true if the access token is valid now.
    pub(crate) fn honours(&self, access_token: &str) -> bool {
        self.grants().honours(access_token)
    }

    /// Returns the number of refreshes since the last call.
    pub(crate) fn take_refreshes(&self) -> usize {
        std::mem::take(&mut self.grants().refreshes)
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        self.0.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, issued: Issued) -> Value {
        let claims = issued.claims(self.issuer(), self.0.lifetime);
        json!({
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": self.0.lifetime.as_secs(),
            "refresh_token": issued.refresh_token,
            "id_token": self.0.keys.sign(&claims),
        })
    }
}

async fn metadata(State(provider): State<Provider>) -> Json<Value> {
    let issuer = provider.issuer();
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    if provider.0.userinfo {
        metadata["userinfo_endpoint"] = json!(format!("{issuer}/userinfo"));
    }
    Json(metadata)
}

async fn userinfo(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    let token =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match token.and_then(|token| provider.grants().subject(token)) {
        Some(subject) => Json(json!({ "sub": subject })).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn jwks(State(provider): State<Provider>) -> Json<Value> {
    Json(json!({ "keys": [provider.0.keys.public()] }))
}

async fn token(State(provider): State<Provider>, Form(request): Form<TokenRequest>) -> Response {
    let issued = provider.grants().exchange(&request, provider.0.lifetime);
    let answer = match issued {
        Some(issued) => Json(provider.answer(issued)).into_response(),
        None => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response(),
    };
    sleep(provider.0.latency).await;
    answer
}
