//! The response body: the inner service's body, or a short answer of the layer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// Carries the body of a response from [`OscAuth`](crate::OscAuth): the inner service's body, frame by frame and with
    /// trailers, or a short answer of the layer.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        // `None` in an answer of the layer.
        #[pin]
        inner: Option<B>,
        // What is left of the layer's answer.
        own: Bytes,
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B) -> Self {
        Self { inner: Some(body), own: Bytes::new() }
    }

    pub(crate) fn own(own: Bytes) -> Self {
        Self { inner: None, own }
    }
}

impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::inner(B::default())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None if this.own.is_empty() => Poll::Ready(None),
            None => Poll::Ready(Some(Ok(Frame::data(std::mem::take(this.own).into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().map_or(self.own.is_empty(), B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let own = || SizeHint::with_exact(self.own.len() as u64);
        self.inner.as_ref().map_or_else(own, B::size_hint)
    }
}
