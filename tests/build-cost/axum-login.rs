use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId, login_required};
use tower_sessions::{MemoryStore, SessionManagerLayer};

type AuthSession = axum_login::AuthSession<Users>;

#[derive(Clone, Debug)]
struct User {
    name: String,
    stamp: [u8; 32],
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.stamp
    }
}

#[derive(Clone, Default)]
struct Users(Arc<HashMap<String, User>>);

impl AuthnBackend for Users {
    type User = User;
    type Credentials = String;
    type Error = Infallible;

    async fn authenticate(&self, name: String) -> Result<Option<User>, Infallible> {
        self.get_user(&name).await
    }

    async fn get_user(&self, name: &UserId<Self>) -> Result<Option<User>, Infallible> {
        Ok(self.0.get(name).cloned())
    }
}

async fn hello(auth: AuthSession) -> String {
    format!("hello, {}", auth.user.unwrap().name)
}

async fn login(mut auth: AuthSession, Path(name): Path<String>) -> StatusCode {
    match auth.authenticate(name).await {
        Ok(Some(user)) if auth.login(&user).await.is_ok() => StatusCode::NO_CONTENT,
        _ => StatusCode::UNAUTHORIZED,
    }
}

#[tokio::main]
async fn main() {
    let sessions = SessionManagerLayer::new(MemoryStore::default());
    let auth = AuthManagerLayerBuilder::new(Users::default(), sessions).build();
    let app = Router::new()
        .route("/", get(hello))
        .route_layer(login_required!(Users))
        .route("/login/{name}", get(login))
        .layer(auth);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
