//! tower-sessions: the app keeps each token in the session under its own key, and refuses requests itself.

use std::convert::Infallible;

use axum::Router;
use http::{HeaderValue, Request, Response};
use tower::service_fn;
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::contenders::Body;
use crate::peers;

/// Defines the app for each version of tower-sessions: they have the same names.
macro_rules! app {
    ($name:ident, $version:ident) => {
        pub(crate) mod $name {
            use std::hint::black_box;

            use axum::Router;
            use axum::extract::Path;
            use axum::routing::get;
            use http::StatusCode;
            use $version::{Session, SessionManagerLayer, SessionStore};

            use crate::peers;

            const ACCESS_TOKEN: &str = "access_token";
            const REFRESH_TOKEN: &str = "refresh_token";

            pub(crate) fn router<S: SessionStore + Clone>(sessions: SessionManagerLayer<S>) -> Router {
                let page = async |session: Session| answer_to(&session).await;
                Router::new().route("/", get(page)).route("/login/{n}", get(login)).layer(sessions)
            }

            pub(crate) async fn answer_to(session: &Session) -> StatusCode {
                match session.get::<String>(ACCESS_TOKEN).await {
                    Ok(Some(token)) => {
                        black_box(token);
                        StatusCode::OK
                    }
                    Ok(None) => StatusCode::UNAUTHORIZED,
                    Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
                }
            }

            async fn login(session: Session, Path(n): Path<usize>) {
                let stored = session.insert(ACCESS_TOKEN, peers::access_token(n)).await;
                stored.expect("the session accepts a value");
                let stored = session.insert(REFRESH_TOKEN, peers::refresh_token(n)).await;
                stored.expect("the session accepts a value");
            }
        }
    };
}

app!(newest, tower_sessions);
// The version that the other stores depend on.
app!(of_the_stores, tower_sessions_14);

pub(crate) struct Peer {
    pub(crate) store: MemoryStore,
    pub(crate) router: Router,
    pub(crate) cookies: Vec<HeaderValue>,
}

impl Peer {
    pub(crate) async fn new(sessions: usize) -> Self {
        let store = MemoryStore::default();
        let router = newest::router(SessionManagerLayer::new(store.clone()));
        let cookies = peers::logged_in(&router, sessions).await;
        Self { store, router, cookies }
    }

    /// Returns the same app without axum, with the same sessions.
    pub(crate) fn service(
        &self,
    ) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone {
        let app = service_fn(async |request: Request<Body>| {
            let session = request.extensions().get::<Session>().expect("the layer inserts a session");
            let mut answer = Response::<Body>::default();
            *answer.status_mut() = newest::answer_to(session).await;
            Ok(answer)
        });
        SessionManagerLayer::new(self.store.clone()).layer(app)
    }
}
