//! Bodies pass frame by frame. Nothing is read ahead, and nothing is held back.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use mock_osc::Endpoint;
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};

use super::{cookie, due, lonely, request};

/// A body whose frames come from the test one at a time, and which counts how often it was polled.
struct Frames {
    frames: mpsc::Receiver<Frame<Bytes>>,
    polls: Arc<AtomicUsize>,
}

fn frames() -> (mpsc::Sender<Frame<Bytes>>, Frames, Arc<AtomicUsize>) {
    let (sender, frames) = mpsc::channel(1);
    let polls = Arc::new(AtomicUsize::new(0));
    (sender, Frames { frames, polls: polls.clone() }, polls)
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        self.frames.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::header::EXPIRES, HeaderValue::from_static("never"))])
}

/// Reports every frame that it reads to the test.
async fn read_all(
    request: Request<Frames>,
    seen: mpsc::UnboundedSender<Frame<Bytes>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        seen.send(frame).expect("the test listens");
    }
    Ok(Response::new(Empty::new()))
}

#[tokio::test]
async fn a_request_body_reaches_the_handler_unread_and_frame_by_frame() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let (seen, mut read) = mpsc::unbounded_channel();
    let service = auth.layer(service_fn(|request| read_all(request, seen.clone())));
    let (sender, body, polls) = frames();
    let mut response = Box::pin(service.oneshot(request("/", Some(&cookie), body)));

    sender.try_send(data("one")).unwrap();
    assert!(sender.try_send(data("two")).is_err(), "the sender is blocked");
    assert_eq!(polls.load(Ordering::SeqCst), 0);
    for text in ["one", "two", "three"] {
        assert!((&mut response).now_or_never().is_none());
        assert_eq!(read.try_recv().unwrap().into_data().unwrap(), text);
        match text {
            "one" => sender.try_send(data("two")).unwrap(),
            "two" => sender.try_send(data("three")).unwrap(),
            _ => sender.try_send(Frame::trailers(trailers())).unwrap(),
        }
    }
    drop(sender);
    assert_eq!(response.await.unwrap().status(), StatusCode::OK);
    assert_eq!(read.recv().await.unwrap().into_trailers().unwrap(), trailers());
}

#[tokio::test]
async fn a_body_that_the_handler_ignores_is_never_read() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let service = auth.layer(service_fn(|_: Request<Frames>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    }));
    for (path, cookie, status) in [
        ("/", Some(&cookie), StatusCode::OK),
        ("/public", None, StatusCode::OK),
        ("/", None, StatusCode::UNAUTHORIZED),
        ("/auth/signout", Some(&cookie), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (_sender, body, polls) = frames();
        let response = service.clone().oneshot(request(path, cookie, body)).await.unwrap();
        assert_eq!((response.status(), polls.load(Ordering::SeqCst)), (status, 0), "{path}");
    }
}

#[tokio::test]
async fn a_body_waits_unread_while_the_token_is_refreshed() {
    let at = due().await;
    let (seen, mut read) = mpsc::unbounded_channel();
    let service = at.auth.layer(service_fn(move |request| read_all(request, seen.clone())));
    let (sender, body, polls) = frames();
    let hold = at.osc.hold(Endpoint::Token);
    let response = tokio::spawn(service.oneshot(request("/", Some(&at.due), body)));
    hold.arrived(1).await;

    sender.send(data("one")).await.unwrap();
    assert_eq!(polls.load(Ordering::SeqCst), 0);
    hold.release();
    assert_eq!(read.recv().await.unwrap().into_data().unwrap(), "one");
    sender.send(data("two")).await.unwrap();
    assert_eq!(read.recv().await.unwrap().into_data().unwrap(), "two");
    drop(sender);
    assert_eq!(response.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_response_body_arrives_frame_by_frame_with_its_trailers() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let (sender, body, polls) = frames();
    let body = Arc::new(Mutex::new(Some(body)));
    let service = auth.layer(service_fn(move |_: Request<()>| {
        let body = body.lock().unwrap().take().expect("the handler is called once");
        std::future::ready(Ok::<_, Infallible>(Response::new(body)))
    }));

    let response = service.oneshot(request("/", Some(&cookie), ())).await.unwrap();

    let mut body = response.into_body();
    assert_eq!(polls.load(Ordering::SeqCst), 0);
    for text in ["one", "two"] {
        assert!(body.frame().now_or_never().is_none());
        sender.try_send(data(text)).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), text);
    }
    sender.try_send(Frame::trailers(trailers())).unwrap();
    drop(sender);
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers());
    assert!(body.frame().await.is_none());
}
