//! The contenders: the same app with the session stores of the layer and of tower-sessions.

use std::hint::black_box;
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, request};
use tower_service::Service;
use tower_sessions_14::SessionManagerLayer;

use crate::cost::browsers;
use crate::peers::{self, logged_in, sessions};
use crate::stage::{builder, request, signed_in, template};

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
        store: impl osc_auth_layer::store::SessionStore + Clone,
        count: usize,
        caches: bool,
    ) -> Self {
        let layer = move || builder().store(store.clone()).build().expect("the layer builds");
        let cookies = signed_in(&layer(), count).await;
        Self::new(name, Box::new(move || peers::ours::layer(layer())), &cookies, caches)
    }

    /// `store` makes the store of a node.
    pub(crate) async fn tower_sessions<S: tower_sessions_14::SessionStore + Clone>(
        name: &'static str,
        count: usize,
        store: impl Fn() -> S + 'static,
        [always_saves, caches]: [bool; 2],
    ) -> Self {
        let start = move || {
            let layer = SessionManagerLayer::new(store()).with_always_save(always_saves);
            sessions::of_the_stores::router(layer)
        };
        let cookies = logged_in(&start(), count).await;
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
