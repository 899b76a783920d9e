//! Inner services that limit, buffer or shed load. A request that waits for the provider blocks no other.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::ResponseBody;
use osc_tests::{Browser, app, layer, path_of};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::error::Overloaded;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use super::{cookie, cookies_of, due, request};

/// Makes a test fail instead of hanging.
const WATCHDOG: Duration = Duration::from_secs(20);

type Answer = Response<Full<Bytes>>;

/// A handler whose requests to `/slow` end when the test allows it, and which counts its concurrent requests.
#[derive(Clone)]
struct Desk {
    gate: Arc<Semaphore>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Desk {
    fn new() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), now: Arc::default(), most: Arc::default() }
    }

    fn open(&self) {
        self.gate.close();
    }

    fn service(
        &self,
    ) -> impl Service<Request<()>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static
    {
        let desk = self.clone();
        service_fn(move |request: Request<()>| {
            let desk = desk.clone();
            async move {
                let now = desk.now.fetch_add(1, Ordering::SeqCst) + 1;
                desk.most.fetch_max(now, Ordering::SeqCst);
                if request.uri().path() == "/slow" {
                    // A closed gate returns an error, which lets every request pass.
                    let _ = desk.gate.acquire().await;
                }
                desk.now.fetch_sub(1, Ordering::SeqCst);
                Ok(Answer::default())
            }
        })
    }
}

/// Checks that a request passes without waiting, which it could not if another request held the permit.
fn passes_at_once<S>(service: &S, cookie: &HeaderValue)
where
    S: Service<Request<()>, Response = Response<ResponseBody<Full<Bytes>>>, Error: Debug> + Clone,
{
    let response = service.clone().oneshot(request("/", Some(cookie), ())).now_or_never();
    assert_eq!(response.expect("the request does not wait").expect("it passes").status(), StatusCode::OK);
}

#[tokio::test]
async fn a_sign_in_that_hangs_does_not_take_the_only_permit() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let fresh = cookie(&auth, "fresh").await;
    let service = auth.layer(ConcurrencyLimit::new(Desk::new().service(), 1));
    let hold = osc.hold(Endpoint::Metadata);
    let waiting = tokio::spawn(service.clone().oneshot(request("/auth/signin", None, ())));
    hold.arrived(1).await;

    passes_at_once(&service, &fresh);

    hold.release();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_callback_that_hangs_does_not_take_the_only_permit() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let fresh = cookie(&auth, "fresh").await;
    let mut browser = Browser::new(app(&auth));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let callback = osc.approve(&authorize).await.unwrap();
    let service = auth.layer(ConcurrencyLimit::new(Desk::new().service(), 1));
    let hold = osc.hold(Endpoint::Token);
    let callback = request(path_of(&callback), Some(&cookies_of(&browser)), ());
    let waiting = tokio::spawn(service.clone().oneshot(callback));
    hold.arrived(1).await;

    passes_at_once(&service, &fresh);

    hold.release();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_refresh_that_hangs_does_not_take_the_only_permit() {
    let at = due().await;
    let mut service = at.auth.layer(ConcurrencyLimit::new(Desk::new().service(), 1));
    let hold = at.osc.hold(Endpoint::Token);
    // The same service value that took the permit, not a clone.
    let waiting = tokio::spawn(service.ready().await.unwrap().call(request("/", Some(&at.due), ())));
    hold.arrived(1).await;

    passes_at_once(&service, &at.fresh);

    hold.release();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn after_its_refresh_a_request_waits_for_a_permit() {
    let at = due().await;
    let desk = Desk::new();
    let service = at.auth.layer(ConcurrencyLimit::new(desk.service(), 1));
    let hold = at.osc.hold(Endpoint::Token);
    let mut refreshed = Box::pin(service.clone().oneshot(request("/", Some(&at.due), ())));
    assert!((&mut refreshed).now_or_never().is_none());
    hold.arrived(1).await;
    let mut busy = Box::pin(service.clone().oneshot(request("/slow", Some(&at.fresh), ())));
    assert!((&mut busy).now_or_never().is_none());
    hold.release();
    // This joins the running refresh. When it has passed, the other request has its token too.
    let other = at.auth.layer(Desk::new().service()).oneshot(request("/", Some(&at.due), ()));
    assert_eq!(other.await.unwrap().status(), StatusCode::OK);

    assert!((&mut refreshed).now_or_never().is_none(), "the handler is busy");

    assert_eq!(desk.most.load(Ordering::SeqCst), 1);
    desk.open();
    assert_eq!(busy.await.unwrap().status(), StatusCode::OK);
    assert_eq!(refreshed.await.unwrap().status(), StatusCode::OK);
    assert_eq!(desk.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_buffer_of_one_is_not_blocked_by_waiting_requests() {
    let at = due().await;
    let stack = ServiceBuilder::new().layer(at.auth.clone()).buffer(1).concurrency_limit(1);
    let service = stack.service(Desk::new().service());
    let hold = at.osc.hold(Endpoint::Token);
    let waiting: Vec<_> =
        (0..5).map(|_| tokio::spawn(service.clone().oneshot(request("/", Some(&at.due), ())))).collect();
    hold.arrived(1).await;

    for _ in 0..20 {
        let passes = service.clone().oneshot(request("/", Some(&at.fresh), ()));
        let response = timeout(WATCHDOG, passes).await.expect("the request does not wait").unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }

    hold.release();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(at.osc.count_grants("refresh_token"), 1);
}

#[tokio::test]
async fn refused_requests_leave_no_reservation_behind_in_a_buffer() {
    let at = due().await;
    let stack = ServiceBuilder::new().layer(at.auth.clone()).buffer(1);
    let mut service = stack.service(Desk::new().service());
    for _ in 0..10 {
        let ready = timeout(WATCHDOG, service.ready()).await.expect("there is room");
        let refused = ready.unwrap().call(request("/", None, ())).await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let other = service.clone().oneshot(request("/", Some(&at.fresh), ()));
        let other = timeout(WATCHDOG, other).await.expect("there is room").unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn no_load_is_shed_because_of_a_waiting_request() {
    let at = due().await;
    let desk = Desk::new();
    let stack = ServiceBuilder::new().layer(at.auth.clone()).load_shed().concurrency_limit(1);
    let service = stack.service(desk.service());
    let hold = at.osc.hold(Endpoint::Token);
    let waiting = tokio::spawn(service.clone().oneshot(request("/", Some(&at.due), ())));
    hold.arrived(1).await;

    passes_at_once(&service, &at.fresh);

    hold.release();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    let mut busy = Box::pin(service.clone().oneshot(request("/slow", Some(&at.fresh), ())));
    assert!((&mut busy).now_or_never().is_none());
    let shed = service.clone().oneshot(request("/", Some(&at.fresh), ())).await.unwrap_err();
    assert!(shed.is::<Overloaded>(), "{shed:?}");
    desk.open();
    assert_eq!(busy.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_limit_outside_of_the_layer_counts_waiting_requests() {
    let at = due().await;
    let service = ConcurrencyLimit::new(at.auth.layer(Desk::new().service()), 1);
    let hold = at.osc.hold(Endpoint::Token);
    let waiting = tokio::spawn(service.clone().oneshot(request("/", Some(&at.due), ())));
    hold.arrived(1).await;

    let mut other = Box::pin(service.clone().oneshot(request("/", Some(&at.fresh), ())));
    assert!((&mut other).now_or_never().is_none(), "an outer limit applies to everything");

    hold.release();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(other.await.unwrap().status(), StatusCode::OK);
}
