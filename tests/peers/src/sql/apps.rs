//! The contenders: the same app with the session stores of the layer and of tower-sessions.

use std::hint::black_box;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, request};
use tower_service::Service;
use tower_sessions_14::{Session, SessionManagerLayer};

use crate::cost::browsers;
use crate::peers::{self, access_token, logged_in, refresh_token};
use crate::stage::{builder, request, signed_in, template};

const ACCESS_TOKEN: &str = "access_token";
const REFRESH_TOKEN: &str = "refresh_token";

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Starts a node that has seen no session yet.
    start: Box<dyn Fn() -> Router>,
    cookies: Vec<HeaderValue>,
    template: request::Parts,
    caches: bool,
}

impl Contender {
    pub(crate) async fn ours(
        name: &'static str,
        store: impl osc_auth_layer::SessionStore + Clone,
        sessions: usize,
        caches: bool,
    ) -> Self {
        let layer = move || builder().store(store.clone()).build().expect("the layer builds");
        let cookies = signed_in(&layer(), sessions).await;
        Self::new(name, Box::new(move || peers::ours::layer(layer())), &cookies, caches)
    }

    /// `store` makes the store of a node.
    pub(crate) async fn tower_sessions<S: tower_sessions_14::SessionStore + Clone>(
        name: &'static str,
        sessions: usize,
        store: impl Fn() -> S + 'static,
        [always_saves, caches]: [bool; 2],
    ) -> Self {
        let start = move || {
            let sessions = SessionManagerLayer::new(store()).with_always_save(always_saves);
            Router::new().route("/", get(page)).route("/login/{n}", get(login)).layer(sessions)
        };
        let cookies = logged_in(&start(), sessions).await;
        Self::new(name, Box::new(start), &cookies, caches)
    }

    fn new(
        name: &'static str,
        start: Box<dyn Fn() -> Router>,
        cookies: &[HeaderValue],
        caches: bool,
    ) -> Self {
        Self { name, start, cookies: browsers(cookies), template: template("/"), caches }
    }

    pub(crate) fn cold(&self) -> Router {
        (self.start)()
    }

    /// Returns a node that has seen every session.
    pub(crate) async fn warm(&self) -> Router {
        let mut node = self.cold();
        self.visit(&mut node).await;
        // The layer trusts its cache when the first notification has arrived.
        while self.caches && node.call(self.request(&self.cookies[0])).now_or_never().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.visit(&mut node).await;
        }
        node
    }

    /// Sends a request of each session.
    pub(crate) async fn visit(&self, node: &mut Router) {
        for cookies in &self.cookies {
            let Ok(answer) = node.call(self.request(cookies)).await;
            assert_eq!(answer.status(), StatusCode::OK, "{}", self.name);
            black_box(answer);
        }
    }

    fn request(&self, cookies: &HeaderValue) -> http::Request<crate::contenders::Body> {
        request(&self.template, Some(cookies))
    }
}

async fn page(session: Session) -> StatusCode {
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
    session.insert(ACCESS_TOKEN, access_token(n)).await.expect("the session accepts a value");
    session.insert(REFRESH_TOKEN, refresh_token(n)).await.expect("the session accepts a value");
}
