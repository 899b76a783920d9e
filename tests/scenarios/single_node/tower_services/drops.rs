//! Response futures dropped at every stage. Nothing leaks, and the session loses nothing.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::layer;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, ServiceExt, service_fn};

use super::{due, request};

/// A handler that never finishes on `/slow`, and that counts its running requests.
async fn slow(request: Request<()>, at_work: Arc<AtomicUsize>) -> Result<Response<Full<Bytes>>, Infallible> {
    struct AtWork(Arc<AtomicUsize>);
    impl Drop for AtWork {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    at_work.fetch_add(1, Ordering::SeqCst);
    let _at_work = AtWork(at_work);
    if request.uri().path() == "/slow" {
        pending::<()>().await;
    }
    Ok(Response::default())
}

#[tokio::test]
async fn a_future_dropped_before_its_first_poll_only_called() {
    let at = due().await;
    let at_work = Arc::new(AtomicUsize::new(0));
    let service = at.auth.layer(ConcurrencyLimit::new(
        service_fn({
            let at_work = at_work.clone();
            move |request| slow(request, at_work.clone())
        }),
        1,
    ));
    for (path, cookie) in [("/", Some(&at.fresh)), ("/", None), ("/", Some(&at.due)), ("/auth/signin", None)]
    {
        let mut service = service.clone();
        drop(tower::Service::call(service.ready().await.unwrap(), request(path, cookie, ())));
    }
    let passes = service.oneshot(request("/", Some(&at.fresh), ())).now_or_never();
    assert_eq!(passes.expect("the permit is back").unwrap().status(), StatusCode::OK);
    assert_eq!(at_work.load(Ordering::SeqCst), 0);
    assert_eq!(at.osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn a_refresh_goes_on_when_the_request_that_began_it_is_dropped() {
    let at = due().await;
    let service = at.auth.layer(service_fn(|request| slow(request, Arc::default())));
    let hold = at.osc.hold(Endpoint::Token);
    let waiting = tokio::spawn(service.clone().oneshot(request("/", Some(&at.due), ())));
    hold.arrived(1).await;

    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());

    let next = tokio::spawn(service.clone().oneshot(request("/", Some(&at.due), ())));
    hold.release();
    assert_eq!(next.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(at.osc.count_grants("refresh_token"), 1);
    let later = service.oneshot(request("/", Some(&at.due), ())).now_or_never();
    assert_eq!(later.expect("its token is fresh").unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_sign_in_dropped_while_it_waits_does_not_stop_the_next() {
    let osc = MockOsc::builder().start().await.unwrap();
    let service = layer(&osc).layer(service_fn(|request| slow(request, Arc::default())));
    let hold = osc.hold(Endpoint::Metadata);
    let waiting = tokio::spawn(service.clone().oneshot(request("/auth/signin", None, ())));
    hold.arrived(1).await;

    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());

    let next = tokio::spawn(service.oneshot(request("/auth/signin", None, ())));
    hold.release();
    assert_eq!(next.await.unwrap().unwrap().status(), StatusCode::SEE_OTHER);
    assert_eq!(osc.count(Endpoint::Metadata), 1, "both wait for the same fetch");
}

#[tokio::test]
async fn dropping_in_the_handler_cancels_it_and_frees_the_permit() {
    let at = due().await;
    let at_work = Arc::new(AtomicUsize::new(0));
    let handler = service_fn({
        let at_work = at_work.clone();
        move |request| slow(request, at_work.clone())
    });
    let service = at.auth.layer(ConcurrencyLimit::new(handler, 1));
    let mut busy = Box::pin(service.clone().oneshot(request("/slow", Some(&at.fresh), ())));
    assert!((&mut busy).now_or_never().is_none());
    assert_eq!(at_work.load(Ordering::SeqCst), 1);

    drop(busy);

    assert_eq!(at_work.load(Ordering::SeqCst), 0);
    let passes = service.oneshot(request("/", Some(&at.fresh), ())).now_or_never();
    assert_eq!(passes.expect("the permit is back").unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn dropping_a_future_waiting_for_a_permit_leaves_the_queue() {
    let at = due().await;
    let at_work = Arc::new(AtomicUsize::new(0));
    let handler = service_fn({
        let at_work = at_work.clone();
        move |request| slow(request, at_work.clone())
    });
    let service = at.auth.layer(ConcurrencyLimit::new(handler, 1));
    let mut queued = Box::pin(service.clone().oneshot(request("/", Some(&at.due), ())));
    assert!((&mut queued).now_or_never().is_none());
    let mut busy = Box::pin(service.clone().oneshot(request("/slow", Some(&at.fresh), ())));
    assert!((&mut busy).now_or_never().is_none());
    let refreshed = at.auth.layer(service_fn(|request| slow(request, Arc::default())));
    refreshed.oneshot(request("/", Some(&at.due), ())).await.unwrap();
    assert!((&mut queued).now_or_never().is_none(), "the request has its token and waits in the queue");
    drop(busy);

    drop(queued);

    let passes = service.oneshot(request("/", Some(&at.fresh), ())).now_or_never();
    assert_eq!(passes.expect("the permit is back").unwrap().status(), StatusCode::OK);
    assert_eq!(at_work.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_service_may_go_before_its_responses() {
    let at = due().await;
    let mut service = at.auth.layer(service_fn(|request| slow(request, Arc::default())));
    let mut responses = Vec::new();
    for (path, cookie) in [("/", Some(&at.due)), ("/", Some(&at.fresh)), ("/", None)] {
        let call = tower::Service::call(service.ready().await.unwrap(), request(path, cookie, ()));
        responses.push(Box::pin(call));
    }
    drop((service, at.auth));
    let mut statuses = Vec::new();
    for response in responses {
        statuses.push(response.await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 401]);
}
