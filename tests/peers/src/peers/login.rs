//! axum-login: the session names the user, and the app's own table of users contains the tokens.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId, login_required};
use dashmap::DashMap;
use http::HeaderValue;
use tower_sessions_14::{MemoryStore, SessionManagerLayer};

use crate::peers;

type AuthSession = axum_login::AuthSession<Users>;

pub(crate) struct Peer {
    pub(crate) store: MemoryStore,
    pub(crate) router: Router,
    pub(crate) cookies: Vec<HeaderValue>,
}

impl Peer {
    pub(crate) async fn new(sessions: usize) -> Self {
        let store = MemoryStore::default();
        let users = Users::default();
        for n in 0..sessions {
            users.0.insert(n, User { id: n, stamp: [7; 32], access_token: peers::access_token(n).into() });
        }
        let auth = AuthManagerLayerBuilder::new(users, SessionManagerLayer::new(store.clone())).build();
        let router = Router::new()
            .route("/", get(page))
            .route_layer(login_required!(Users))
            .route("/login/{n}", get(login))
            .layer(auth);
        let cookies = peers::logged_in(&router, sessions).await;
        Self { store, router, cookies }
    }
}

async fn page(auth: AuthSession) {
    let user = auth.user.expect("login_required lets users through only");
    black_box(&user.access_token);
}

async fn login(mut auth: AuthSession, Path(n): Path<usize>) {
    let Ok(user) = auth.authenticate(n).await else { panic!("the backend refuses no user") };
    let begun = auth.login(&user.expect("a user")).await;
    begun.expect("the session accepts a user");
}

#[derive(Clone)]
struct User {
    id: usize,
    /// The length of a hash. A change invalidates the user's sessions.
    stamp: [u8; 32],
    access_token: Arc<str>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

impl AuthUser for User {
    type Id = usize;

    fn id(&self) -> usize {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.stamp
    }
}

#[derive(Clone, Default)]
struct Users(Arc<DashMap<usize, User>>);

impl AuthnBackend for Users {
    type User = User;
    type Credentials = usize;
    type Error = Infallible;

    async fn authenticate(&self, id: usize) -> Result<Option<User>, Infallible> {
        self.get_user(&id).await
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<User>, Infallible> {
        Ok(self.0.get(id).map(|user| user.clone()))
    }
}
