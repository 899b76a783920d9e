//! Tower's contract: readiness first, then one call. Bounds and errors are the client's own.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use http::{Request, Response};
use mock_osc::Endpoint;
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{OscToken, OutboundErrorKind};
use osc_tests::{EXPIRED, soon, token_of};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt};

use super::{API, Api, bearer, outbound, refuses, request, signed_in};

/// A client that is ready only at the second poll and for one call only. It panics if called unready. A clone is not ready. It
/// is `!Send` in every part.
#[derive(Default)]
struct Strict {
    asked: bool,
    ready: bool,
    tokens: Rc<RefCell<Vec<String>>>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { tokens: self.tokens.clone(), ..Self::default() }
    }
}

impl Service<Request<Rc<str>>> for Strict {
    type Response = Response<Rc<str>>;
    type Error = Rc<str>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if !std::mem::replace(&mut self.asked, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Rc<str>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called although not ready");
        self.asked = false;
        let mut tokens = self.tokens.borrow_mut();
        let is_first = tokens.is_empty();
        tokens.push(bearer(&request).to_owned());
        let body = request.into_body();
        Box::pin(async move {
            if &*body == "bad" {
                return Err("no route to host".into());
            }
            Ok(Response::builder().status(if is_first { 401 } else { 200 }).body(body).expect("a response"))
        })
    }
}

fn ask(token: &OscToken, body: &str) -> Request<Rc<str>> {
    Request::post(API).extension(token.session()).body(body.into()).expect("a request")
}

#[tokio::test]
async fn a_client_that_is_not_send_is_called_only_when_ready() {
    let (stage, token) = signed_in().await;
    let tokens = {
        let client = Strict::default();
        let layer = outbound().replay(|body: &Rc<str>| Some(body.clone()));
        let mut service = layer.layer(client.clone());
        let answer = soon(service.ready().await.unwrap().call(ask(&token, "one"))).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), &**answer.body()), (200, "one"));
        // The wait for a token takes another client.
        stage.pass(EXPIRED);
        let answer = soon(service.ready().await.unwrap().call(ask(&token, "two"))).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), &**answer.body()), (200, "two"));
        client.tokens.borrow().clone()
    };
    assert_eq!((tokens.len(), stage.refreshes()), (3, 2));
}

#[tokio::test]
async fn an_error_of_the_client_is_passed_on() {
    let (_stage, token) = signed_in().await;
    let mut service = outbound().replay(|_: &Rc<str>| None).layer(Strict::default());
    let error = soon(service.ready().await.unwrap().call(ask(&token, "bad"))).await.unwrap_err();
    assert_eq!(error.kind(), OutboundErrorKind::Client);
    assert_eq!(error.into_client_error().as_deref(), Some("no route to host"));
}

#[tokio::test]
async fn a_request_that_waits_for_a_token_holds_no_permit_of_the_client() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let client = ConcurrencyLimitLayer::new(1).layer(api.client(refuses(&token)));
    let mut service = outbound().layer(client);
    let mut another = service.clone();
    stage.pass(EXPIRED);
    // Its token is fresh.
    let mut other = stage.browser_with(TestToken::new("another-token")).await;
    let other = token_of(&other.fetch("/").await).expect("a token");
    let hold = stage.osc.hold(Endpoint::Token);
    let mut waiting = Box::pin(service.ready().await.unwrap().call(request(&token, "")));
    assert!(waiting.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;

    let answer = soon(async { another.ready().await?.call(request(&other, "")).await }).await;

    assert_eq!(answer.expect("an answer").status(), 200);
    hold.release();
    assert_eq!(soon(waiting).await.expect("an answer").status(), 200);
    assert_eq!(api.asked().len(), 2);
}

#[tokio::test]
async fn a_request_that_waits_for_a_refresh_holds_no_permit_of_the_client() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let client = ConcurrencyLimitLayer::new(1).layer(api.client(refuses(&token)));
    let mut service = outbound().layer(client);
    let mut other = stage.browser_with(TestToken::new("another-token")).await;
    let other = token_of(&other.fetch("/").await).expect("a token");
    let hold = stage.osc.hold(Endpoint::Token);
    let mut refused = Box::pin(service.ready().await.unwrap().call(request(&token, "")));
    assert!(refused.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;

    let answer = soon(async { service.ready().await?.call(request(&other, "")).await }).await;

    assert_eq!(answer.expect("an answer").status(), 200);
    hold.release();
    assert_eq!(soon(refused).await.expect("an answer").status(), 200);
    assert_eq!((api.asked().len(), stage.refreshes()), (3, 1));
}

#[tokio::test]
async fn a_failing_client_is_not_ready() {
    #[derive(Clone)]
    struct Broken;

    impl Service<Request<Rc<str>>> for Broken {
        type Response = Response<Rc<str>>;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Err("closed"))
        }

        fn call(&mut self, _: Request<Rc<str>>) -> Self::Future {
            unreachable!("it is never ready")
        }
    }

    let mut service = outbound().replay(|_: &Rc<str>| None).layer(Broken);
    let error = service.ready().await.map(drop).unwrap_err();
    assert_eq!((error.kind(), error.into_client_error()), (OutboundErrorKind::Client, Some("closed")));
}

#[test]
fn the_future_is_send_and_sync_if_the_client_is() {
    fn is_both<T: Send + Sync>(_: &T) {}
    #[derive(Clone)]
    struct Shared;
    impl Service<Request<String>> for Shared {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: Request<String>) -> Self::Future {
            std::future::ready(Ok(Response::new(request.into_body())))
        }
    }
    let mut service = outbound().layer(Shared);
    is_both(&service);
    is_both(&service.call(Request::new(String::new())));
}
