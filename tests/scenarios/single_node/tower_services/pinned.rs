//! Properties at compile time, and the calls on the fast path.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::marker::{PhantomData, PhantomPinned};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use osc_auth_layer::test_util::{TestClock, TestToken};
use osc_auth_layer::workspace::{ContextBuilder, OscInstance, OscJob, OscSecret, OscService};
use osc_auth_layer::{
    Clock, ConfigError, ContextError, ContextErrorKind, OAuthClient, OscAuth, OscAuthLayer,
    OscAuthLayerBuilder, OscContext, OscSession, OscToken, ResponseBody, ResponseFuture, SessionError,
    SessionErrorKind,
};
use tower::make::Shared;
use tower::util::{BoxCloneService, BoxCloneSyncService, ServiceFn};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{cookie, lonely, request, token_in};

type Answer = Response<Full<Bytes>>;
type Handler = ServiceFn<fn(Request<String>) -> BoxFuture<'static, Result<Answer, String>>>;

fn shared<T: Send + Sync + Unpin + 'static>() {}
fn sendable<T: Send + 'static>() {}
fn cloneable<T: Clone + std::fmt::Debug>() {}

#[test]
fn public_types_can_be_shared_and_sent() {
    shared::<OscAuthLayer>();
    shared::<OscAuth<Handler>>();
    shared::<ResponseBody<Full<Bytes>>>();
    shared::<OscToken>();
    shared::<OscSession>();
    shared::<SessionError>();
    shared::<SessionErrorKind>();
    shared::<OscContext>();
    shared::<OscService>();
    shared::<OscInstance>();
    shared::<OscJob>();
    shared::<OscSecret>();
    shared::<ContextBuilder>();
    shared::<ContextError>();
    shared::<ContextErrorKind>();
    shared::<OAuthClient>();
    shared::<ConfigError>();
    shared::<TestToken>();
    shared::<TestClock>();
    shared::<Arc<dyn Clock>>();
    sendable::<OscAuthLayerBuilder>();
    sendable::<ResponseFuture<Handler, String>>();
    cloneable::<OscAuthLayer>();
    cloneable::<OscAuth<PhantomData<u8>>>();
    cloneable::<OscToken>();
    cloneable::<OscSession>();
    cloneable::<SessionError>();
    cloneable::<OscContext>();
    cloneable::<OscService>();
    cloneable::<OscInstance>();
    cloneable::<OscJob>();
    cloneable::<OscSecret>();
    cloneable::<ContextError>();
    cloneable::<OAuthClient>();
}

#[test]
fn public_errors_can_be_boxed_and_wrapped() {
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<ConfigError>();
    error::<SessionError>();
    error::<ContextError>();
}

/// Tests whether a type is `Sync` without failing to compile: an inherent method is preferred where it
/// applies.
macro_rules! is_sync {
    ($type:ty) => {
        (&Probe::<$type>(PhantomData)).holds()
    };
}

struct Probe<T>(PhantomData<T>);

impl<T: Sync> Probe<T> {
    fn holds(&self) -> bool {
        true
    }
}

trait Otherwise {
    fn holds(&self) -> bool;
}

impl<T> Otherwise for &Probe<T> {
    fn holds(&self) -> bool {
        false
    }
}

type Ready = std::future::Ready<Result<Answer, String>>;

#[test]
fn the_response_future_is_sync_if_its_parts_are() {
    assert!(is_sync!(Ready) && !is_sync!(std::cell::Cell<u8>), "the probe works");
    assert!(is_sync!(ResponseFuture<ServiceFn<fn(Request<String>) -> Ready>, String>));
}

#[test]
fn the_response_future_is_pinned_only_where_the_inner_one_is() {
    fn unpin<T: Unpin>() {}
    unpin::<ResponseFuture<ServiceFn<fn(Request<PhantomPinned>) -> Ready>, PhantomPinned>>();
}

#[test]
fn the_service_has_no_bounds_on_the_inner_service() {
    fn serves<S: Service<Request<B>>, B>(_: &S) {}
    let auth = lonely();
    let local = Rc::new(());
    let service = auth.layer(service_fn(move |_: Request<Rc<u8>>| {
        let _ = Rc::clone(&local);
        ready(Ok::<_, Rc<str>>(Response::new(PhantomPinned)))
    }));
    serves::<_, Rc<u8>>(&service);
}

async fn whoami(request: Request<String>) -> Result<Answer, Infallible> {
    Ok(Response::new(Full::from(token_in(&request).unwrap_or("nobody").to_owned())))
}

#[tokio::test]
async fn it_fits_into_boxes_and_make_services() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let signed_in = || request("/", Some(&cookie), String::new());
    let service = auth.layer(service_fn(whoami));
    let boxed = BoxCloneService::new(service.clone());
    let boxed_sync = BoxCloneSyncService::new(service.clone());
    let made = Shared::new(service.clone()).oneshot("a connection").await.unwrap();

    assert_eq!(boxed.oneshot(signed_in()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(boxed_sync.oneshot(signed_in()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(made.oneshot(signed_in()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(service.oneshot(request("/", None, String::new())).await.unwrap().status(), 401);
}

#[tokio::test]
async fn clones_of_layer_and_service_share_their_sessions() {
    let auth = lonely();
    let (one, two) = (auth.layer(service_fn(whoami)), auth.clone().layer(service_fn(whoami)));
    let cookie = cookie(&auth.clone(), "pat").await;
    for service in [one.clone(), one, two] {
        let response = service.oneshot(request("/", Some(&cookie), String::new())).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future that never finishes, cannot be moved once polled, and wakes its task at every poll.
struct Restless {
    polls: Arc<AtomicUsize>,
    _pinned: PhantomPinned,
}

impl Future for Restless {
    type Output = Result<Answer, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn the_fast_path_calls_the_inner_service_directly() {
    let auth = lonely();
    let cookie = auth.sign_in_for_test(TestToken::new("pat")).now_or_never().expect("waits for nothing");
    let (calls, polls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut service = auth.layer(service_fn(|_: Request<()>| {
        calls.fetch_add(1, Ordering::SeqCst);
        Restless { polls: polls.clone(), _pinned: PhantomPinned }
    }));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(Service::<Request<()>>::poll_ready(&mut service, &mut cx).is_ready());

    let mut response = pin!(service.call(request("/", Some(&cookie), ())));

    assert_eq!((calls.load(Ordering::SeqCst), polls.load(Ordering::SeqCst)), (1, 0));
    for times in 1..=3 {
        assert!(response.as_mut().poll(&mut cx).is_pending());
        assert_eq!(polls.load(Ordering::SeqCst), times, "one poll of the outer is one of the inner");
        assert_eq!(woken.0.load(Ordering::SeqCst), times, "by the same waker");
    }
}
