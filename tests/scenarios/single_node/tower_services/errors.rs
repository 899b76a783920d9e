//! The inner service's errors, and the inner service itself, pass through unchanged.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use mock_osc::Endpoint;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{cookie, due, lonely, request};

/// An error that implements neither `Error` nor `Clone` nor `Display`.
#[derive(Debug)]
struct Broken(u32);

#[tokio::test]
async fn an_error_of_any_type_passes_as_it_is() {
    let at = due().await;
    let service = at.auth.layer(service_fn(|request: Request<u32>| {
        ready(Err::<Response<Empty<Bytes>>, _>(Broken(*request.body())))
    }));
    for (path, cookie, number) in [("/", Some(&at.fresh), 1), ("/public", None, 2), ("/", Some(&at.due), 3)] {
        let error = service.clone().oneshot(request(path, cookie, number)).await.unwrap_err();
        assert_eq!(error.0, number);
    }
    assert_eq!(at.osc.count_grants("refresh_token"), 1, "the last one waited");
}

#[tokio::test]
async fn the_layers_own_answers_are_no_errors() {
    let service =
        lonely().layer(service_fn(|_: Request<()>| ready(Err::<Response<Empty<Bytes>>, _>(Broken(0)))));
    for (path, status) in [
        ("/", StatusCode::UNAUTHORIZED),
        ("/auth/signin", StatusCode::BAD_GATEWAY),
        ("/auth/callback", StatusCode::BAD_REQUEST),
        ("/auth/signout", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = service.clone().oneshot(request(path, None, ())).await;
        assert_eq!(answer.expect("an answer").status(), status, "{path}");
    }
}

/// A service that is ready until it breaks.
#[derive(Clone, Default)]
struct Fragile(Arc<AtomicBool>);

impl Service<Request<()>> for Fragile {
    type Response = Response<Empty<Bytes>>;
    type Error = Broken;
    type Future = std::future::Ready<Result<Self::Response, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(if self.0.load(Ordering::SeqCst) { Err(Broken(9)) } else { Ok(()) })
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(!self.0.load(Ordering::SeqCst), "called although it is broken");
        ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn the_layer_passes_on_readiness_errors() {
    let fragile = Fragile::default();
    let mut service = lonely().layer(fragile.clone());
    assert!(service.ready().await.is_ok());
    fragile.0.store(true, Ordering::SeqCst);
    assert_eq!(service.ready().now_or_never().expect("at once").err().unwrap().0, 9);
}

#[tokio::test]
async fn a_service_that_breaks_while_a_request_waits_fails_that_request() {
    let at = due().await;
    let fragile = Fragile::default();
    let service = at.auth.layer(fragile.clone());
    let hold = at.osc.hold(Endpoint::Token);
    let waiting = tokio::spawn(service.oneshot(request("/", Some(&at.due), ())));
    hold.arrived(1).await;

    fragile.0.store(true, Ordering::SeqCst);
    hold.release();

    assert_eq!(waiting.await.unwrap().unwrap_err().0, 9);
}

#[tokio::test]
async fn the_inner_service_can_be_looked_at_changed_and_taken_out() {
    let auth = lonely();
    let mut service = auth.layer(Fragile::default());

    service.get_mut().0.store(true, Ordering::SeqCst);

    assert!(service.get_ref().0.load(Ordering::SeqCst));
    let flag = service.get_ref().0.clone();
    assert!(Arc::ptr_eq(&service.into_inner().0, &flag));
}

#[tokio::test]
async fn a_replaced_inner_service_is_the_one_that_is_called() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let answer = |status: StatusCode| {
        move |_: Request<()>| {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = status;
            ready(Ok::<_, Broken>(response))
        }
    };
    let mut service = auth.layer(service_fn(answer(StatusCode::OK)));
    *service.get_mut() = service_fn(answer(StatusCode::IM_A_TEAPOT));

    let response = service.oneshot(request("/", Some(&cookie), ())).await.unwrap();

    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
}
