//! Tower's contract: readiness first, then one call. The layer keeps no readiness that it does not use.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use mock_osc::Endpoint;
use tower::{Layer, Service, ServiceExt};

use super::{due, request};

#[derive(Default)]
struct Counts {
    asked: AtomicUsize,
    readied: AtomicUsize,
    called: AtomicUsize,
}

/// A service that is ready only at the second poll and for one call only. It panics if called unready. A
/// clone is not ready.
struct Strict {
    counts: Arc<Counts>,
    asked: bool,
    ready: bool,
}

impl Strict {
    fn new(counts: &Arc<Counts>) -> Self {
        Self { counts: counts.clone(), asked: false, ready: false }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::new(&self.counts)
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.counts.asked.fetch_add(1, Ordering::SeqCst);
        if !std::mem::replace(&mut self.asked, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !std::mem::replace(&mut self.ready, true) {
            self.counts.readied.fetch_add(1, Ordering::SeqCst);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called unready");
        self.asked = false;
        self.counts.called.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn every_call_follows_a_readiness_and_every_answer_releases_it() {
    let at = due().await;
    let counts = Arc::new(Counts::default());
    let mut service = at.auth.layer(Strict::new(&counts));
    let nonsense = HeaderValue::from_static("osc_session_3000=nonsense");
    let mut called = 0;
    for (path, cookie, status) in [
        ("/", Some(&at.fresh), StatusCode::OK),
        ("/", Some(&at.fresh), StatusCode::OK),
        ("/", None, StatusCode::UNAUTHORIZED),
        ("/", Some(&at.fresh), StatusCode::OK),
        ("/auth/signin", None, StatusCode::SEE_OTHER),
        ("/public", None, StatusCode::OK),
        ("/", Some(&at.due), StatusCode::OK),
        ("/", Some(&at.due), StatusCode::OK),
        ("/", Some(&nonsense), StatusCode::UNAUTHORIZED),
        ("/auth/callback", None, StatusCode::BAD_REQUEST),
        ("/", Some(&at.due), StatusCode::OK),
    ] {
        let response = service.ready().await.unwrap().call(request(path, cookie, ())).await.unwrap();
        assert_eq!(response.status(), status, "{path} {cookie:?}");
        called += usize::from(status == StatusCode::OK);
        assert_eq!(counts.called.load(Ordering::SeqCst), called, "{path} {cookie:?}");
        assert!(!service.get_ref().ready, "nothing is left ready after {path} {cookie:?}");
    }
    assert_eq!(at.osc.count_grants("refresh_token"), 1, "one of them waited");
}

#[tokio::test]
async fn on_the_fast_path_one_readiness_is_one_call() {
    let at = due().await;
    let counts = Arc::new(Counts::default());
    let mut service = at.auth.layer(Strict::new(&counts));
    for times in 1..=5 {
        service.ready().await.unwrap().call(request("/", Some(&at.fresh), ())).await.unwrap();
        assert_eq!(counts.called.load(Ordering::SeqCst), times);
        assert_eq!(counts.readied.load(Ordering::SeqCst), times, "no clone is readied beside it");
    }
}

#[tokio::test]
async fn readiness_is_released_when_a_call_begins_to_wait() {
    let at = due().await;
    let counts = Arc::new(Counts::default());
    let mut service = at.auth.layer(Strict::new(&counts));
    let hold = at.osc.hold(Endpoint::Token);
    service.ready().await.unwrap();
    assert!(service.get_ref().ready);

    let waiting = service.call(request("/", Some(&at.due), ()));

    assert!(!service.get_ref().ready, "before the future is even polled");
    let waiting = tokio::spawn(waiting);
    hold.arrived(1).await;
    let asked = counts.asked.load(Ordering::SeqCst);
    service.ready().await.unwrap().call(request("/", Some(&at.fresh), ())).await.unwrap();
    assert_eq!(counts.asked.load(Ordering::SeqCst), asked + 2, "the waiting request sends nothing yet");
    hold.release();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(counts.called.load(Ordering::SeqCst), 2);
}
