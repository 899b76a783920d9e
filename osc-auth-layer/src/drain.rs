//! Reads what the app leaves of a request's body, so that the answer reaches a client that is still sending.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use http::{Request, header};
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tower_layer::Layer;
use tower_service::Service;

use crate::request::framing::may_send_body;

/// Lets a client that is still sending a body read the answer, although nobody reads that body.
///
/// Without it, the server closes such a connection with bytes unread. The system then resets it, and the client or the proxy
/// reports an error (nginx: 502) instead of the layer's 401, or of the app's own early answer such as 413.
///
/// This layer reads and drops the rest of the body in the background. The answer does not wait for that. It reads at most 32 MiB
/// in 10 seconds. It reads nothing of a body that the client announces as larger, after `Expect: 100-continue`, or with HTTP/2.
///
/// Add it outside of [`OscAuthLayer`](crate::OscAuthLayer): in axum after it, in a `ServiceBuilder` before it. Your service then
/// gets a [`DrainBody`], which axum turns back into its own `Body`.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::post};
/// use osc_auth_layer::{DrainLayer, OscAuthLayer};
///
/// fn app(auth: OscAuthLayer) -> Router {
///     Router::new().route("/upload", post(async || "kept")).layer(auth).layer(DrainLayer::new())
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DrainLayer {
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: u64,
    time: Duration,
}

impl DrainLayer {
    /// Makes the layer with its default limits.
    #[must_use]
    pub fn new() -> Self {
        Self { limits: Limits { bytes: 32 * 1024 * 1024, time: Duration::from_secs(10) } }
    }

    /// Sets how many bytes of a body are read. Default: 32 MiB.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// Sets how long a body is read. Default: 10 seconds. A client that stalls holds its connection for so long.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limits.time = time;
        self
    }
}

impl Default for DrainLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for DrainLayer {
    type Service = Drain<S>;

    fn layer(&self, inner: S) -> Drain<S> {
        Drain { inner, limits: self.limits }
    }
}

/// Wraps a service, and reads what it leaves of a body. Made by [`DrainLayer`].
#[derive(Clone, Debug)]
pub struct Drain<S> {
    inner: S,
    limits: Limits,
}

impl<S, B> Service<Request<B>> for Drain<S>
where
    S: Service<Request<DrainBody<B>>>,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        // With `Expect: 100-continue`, a client waits before it sends the body. Reading would end that wait (RFC 9110 §10.1.1).
        let drains = may_send_body(&request) && !request.headers().contains_key(header::EXPECT);
        let rest = drains.then_some(Rest { drain: drain::<B>, limits: self.limits });
        self.inner.call(request.map(|body| DrainBody { body: Some(body), rest }))
    }
}

/// Carries the body of a request behind a [`DrainLayer`]. If it is dropped before its end, the rest is read and dropped too.
pub struct DrainBody<B> {
    /// `None` only while it is dropped.
    body: Option<B>,
    rest: Option<Rest<B>>,
}

struct Rest<B> {
    drain: fn(B, Limits),
    limits: Limits,
}

impl<B> Body for DrainBody<B>
where
    B: Body + Unpin,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.rest = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), B::size_hint)
    }
}

impl<B> Drop for DrainBody<B> {
    fn drop(&mut self) {
        if let (Some(body), Some(rest)) = (self.body.take(), self.rest.take()) {
            (rest.drain)(body, rest.limits);
        }
    }
}

impl<B> fmt::Debug for DrainBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrainBody").field("drains", &self.rest.is_some()).finish_non_exhaustive()
    }
}

/// Reads the body in a task of its own, up to the limits.
fn drain<B>(body: B, limits: Limits)
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    // A part of it would not help a client that sends everything first.
    if body.is_end_stream() || body.size_hint().lower() > limits.bytes {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move { tokio::time::timeout(limits.time, read(body, limits.bytes)).await });
}

async fn read<B: Body>(body: B, mut left: u64) {
    let mut body = pin!(body);
    while let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let length = frame.data_ref().map_or(0, Buf::remaining);
        let Some(rest) = left.checked_sub(length as u64) else { return };
        left = rest;
    }
}
