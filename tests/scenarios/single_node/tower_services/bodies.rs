//! Bodies of any type, in both directions.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use osc_auth_layer::ResponseBody;
use tower::{Layer, ServiceExt, service_fn};

use super::{cookie, lonely, request, token_in};

/// Data of the app's own type.
#[derive(Debug, PartialEq)]
struct Slab {
    bytes: Bytes,
    by_the_layer: bool,
}

impl From<Bytes> for Slab {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, by_the_layer: true }
    }
}

impl Buf for Slab {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// A body that does not consist of `Bytes`, and whose error type does not implement `Error`.
#[derive(Debug)]
struct Slabs(VecDeque<&'static str>);

impl Body for Slabs {
    type Data = Slab;
    type Error = u8;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Slab>, Self::Error>>> {
        let slab = |text| Slab { bytes: Bytes::from_static(text), by_the_layer: false };
        Poll::Ready(match self.0.pop_front() {
            Some("break") => Some(Err(7)),
            text => text.map(|text| Ok(Frame::data(slab(text.as_bytes())))),
        })
    }
}

async fn slabs(request: Request<String>) -> Result<Response<Slabs>, Infallible> {
    assert!(token_in(&request).is_some());
    Ok(Response::new(Slabs(request.into_body().leak().split(' ').collect())))
}

#[tokio::test]
async fn request_and_response_bodies_can_have_different_types() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let service = auth.layer(service_fn(slabs));

    let response = service.oneshot(request("/", Some(&cookie), "one two".to_owned())).await.unwrap();

    let mut body = response.into_body();
    for expected in ["one", "two"] {
        let slab = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(slab, Slab { bytes: expected.into(), by_the_layer: false });
    }
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn the_layers_own_answer_becomes_data_of_the_apps_type() {
    let service = lonely().layer(service_fn(slabs));

    let response = service.oneshot(request("/", None, String::new())).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let mut body = response.into_body();
    let slab = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(slab.by_the_layer && slab.bytes.starts_with(b"{\"error\":\"unauthenticated\""), "{slab:?}");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_body_passes_as_it_is() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let service = auth.layer(service_fn(slabs));

    let response = service.oneshot(request("/", Some(&cookie), "one break".to_owned())).await.unwrap();

    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert_eq!(body.frame().await.unwrap().err(), Some(7));
}

struct NoBody;

#[tokio::test]
async fn a_request_without_a_body_type_is_served() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    let service = auth.layer(service_fn(|_: Request<NoBody>| {
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    }));

    let passed = service.clone().oneshot(request("/", Some(&cookie), NoBody)).await.unwrap();
    let refused = service.oneshot(request("/", None, NoBody)).await.unwrap();

    assert_eq!((passed.status(), refused.status()), (StatusCode::OK, StatusCode::UNAUTHORIZED));
}

/// A body with a given size hint and end flag.
struct Hinted(SizeHint, bool);

impl Body for Hinted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
    }

    fn is_end_stream(&self) -> bool {
        self.1
    }
}

#[tokio::test]
async fn the_layer_keeps_size_hint_and_end_of_a_body() {
    let mut range = SizeHint::new();
    range.set_lower(3);
    range.set_upper(9);
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    for (hint, ends) in [
        (range, false),
        (range, true),
        (SizeHint::default(), false),
        (SizeHint::with_exact(5), false),
        (SizeHint::with_exact(0), true),
    ] {
        let service =
            auth.layer(service_fn(move |_| ready(Ok::<_, Infallible>(Response::new(Hinted(hint, ends))))));
        let body = service.oneshot(request("/", Some(&cookie), ())).await.unwrap().into_body();
        assert_eq!((body.size_hint().lower(), body.size_hint().upper()), (hint.lower(), hint.upper()));
        assert_eq!(body.is_end_stream(), ends);
    }
}

#[tokio::test]
async fn the_layers_own_answer_knows_its_length_and_its_end() {
    let service = lonely().layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));

    let mut body = service.oneshot(request("/", None, ())).await.unwrap().into_body();

    let length = body.size_hint().exact().unwrap();
    assert!(!body.is_end_stream());
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(frame.len() as u64, length);
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[test]
fn a_default_body_is_the_default_of_the_inner_one() {
    assert!(ResponseBody::<Empty<Bytes>>::default().is_end_stream());
}
