//! The service: asks for a decision about each request, and passes the request on or answers it.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::body::ResponseBody;
use crate::endpoints::Auth;
use crate::future::{ResponseFuture, Seen};
use crate::gate::{Decision, Verdict, decide};

/// Wraps a service with sign-in. Made by [`OscAuthLayer`](crate::OscAuthLayer).
#[derive(Clone, Debug)]
pub struct OscAuth<S> {
    pub(crate) inner: S,
    pub(crate) auth: Arc<Auth>,
}

impl<S> OscAuth<S> {
    /// Returns the wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the wrapped service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Removes the layer and returns the wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for OscAuth<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let decision = decide(&self.auth, &request);
        // A ready service may hold a permit or a slot. If it kept that while a slow sign-in waits for the provider, it would
        // block other requests. So a clone that is not ready replaces it.
        if !matches!(decision, Decision::Now(Verdict::Pass(..))) {
            self.inner = self.inner.clone();
        }
        match decision {
            Decision::Now(Verdict::Pass(visitor, marks)) => {
                visitor.enter(request.extensions_mut());
                let seen = (!marks.is_personal).then(|| Seen::of(&self.auth, &request));
                ResponseFuture::inner(self.inner.call(request), marks, seen)
            }
            Decision::Now(Verdict::Answer(answer)) => ResponseFuture::answer(answer),
            Decision::Later(verdict) => {
                ResponseFuture::later(verdict, self.inner.clone(), self.auth.clone(), request)
            }
        }
    }
}
