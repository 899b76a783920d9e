//! Services that are `!Send`, and services that borrow.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use mock_osc::Endpoint;
use osc_auth_layer::OscAuth;
use tokio::task::{LocalSet, spawn_local};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{cookie, due, lonely, request, token_in};

/// A service that is `!Send` in every part: itself, its future, its requests and its errors.
#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<String>>>);

impl Service<Request<Rc<str>>> for Diary {
    type Response = Response<Full<Bytes>>;
    type Error = Rc<str>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Rc<str>>) -> Self::Future {
        let diary = self.clone();
        Box::pin(async move {
            let entry = format!("{:?} {}", token_in(&request).is_some(), request.body());
            diary.0.borrow_mut().push(entry);
            if &**request.body() == "bad" { Err("torn page".into()) } else { Ok(Response::default()) }
        })
    }
}

#[tokio::test]
async fn a_non_send_service_works_on_a_local_set() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let diary = Diary::default();
    let mut service: OscAuth<Diary> = auth.layer(diary.clone());
    LocalSet::new()
        .run_until(async {
            let one = service.ready().await.unwrap().call(request("/", Some(&cookie), "one".into()));
            assert_eq!(spawn_local(one).await.unwrap().unwrap().status(), StatusCode::OK);
            let two = service.ready().await.unwrap().call(request("/public", None, "two".into()));
            assert_eq!(spawn_local(two).await.unwrap().unwrap().status(), StatusCode::OK);
            let refused = service.ready().await.unwrap().call(request("/", None, "three".into()));
            assert_eq!(spawn_local(refused).await.unwrap().unwrap().status(), StatusCode::UNAUTHORIZED);
            let bad = service.ready().await.unwrap().call(request("/", Some(&cookie), "bad".into()));
            assert_eq!(&*spawn_local(bad).await.unwrap().unwrap_err(), "torn page");
        })
        .await;
    assert_eq!(*diary.0.borrow(), ["true one", "false two", "true bad"]);
}

#[tokio::test]
async fn a_non_send_service_supports_refresh_and_sign_in() {
    let at = due().await;
    let diary = Diary::default();
    let service = at.auth.layer(diary.clone());
    LocalSet::new()
        .run_until(async {
            let hold = at.osc.hold(Endpoint::Token);
            let waiting = spawn_local(service.clone().oneshot(request("/", Some(&at.due), "later".into())));
            hold.arrived(1).await;
            let signin = service.clone().oneshot(request("/auth/signin", None, "".into()));
            assert_eq!(spawn_local(signin).await.unwrap().unwrap().status(), StatusCode::SEE_OTHER);
            assert!(diary.0.borrow().is_empty());
            hold.release();
            assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
        })
        .await;
    assert_eq!(*diary.0.borrow(), ["true later"]);
}

#[tokio::test]
async fn services_requests_and_errors_may_borrow() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let (length, text) = (Cell::new(0), String::from("borrowed"));
    let service = auth.layer(service_fn(|request: Request<&str>| {
        length.set(length.get() + request.body().len());
        let answer = if request.body().is_empty() {
            Err(&length)
        } else {
            Ok(Response::new(Full::<Bytes>::default()))
        };
        ready(answer)
    }));

    let passed = service.clone().oneshot(request("/", Some(&cookie), &text[..4])).await;
    let failed = service.clone().oneshot(request("/", Some(&cookie), &text[..0])).await;
    let refused = service.oneshot(request("/", None, &text[..])).await;

    assert_eq!(passed.unwrap().status(), StatusCode::OK);
    assert!(std::ptr::eq(failed.unwrap_err(), &length));
    assert_eq!(refused.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(length.get(), 4);
}

#[tokio::test]
async fn a_service_that_borrows_waits_for_a_refresh() {
    let at = due().await;
    let seen = Cell::new(false);
    let service = at.auth.layer(service_fn(|request: Request<&Cell<bool>>| {
        request.body().set(token_in(&request).is_some());
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));

    let response = service.oneshot(request("/", Some(&at.due), &seen)).await.unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    assert!(seen.get());
    assert_eq!(at.osc.count_grants("refresh_token"), 1);
}
