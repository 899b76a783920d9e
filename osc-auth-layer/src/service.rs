//! The service: takes what is not the app's business off the request, and plumbs the decision.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::authenticate::{Decision, Verdict, decide};
use crate::body::ResponseBody;
use crate::future::ResponseFuture;
use crate::session::OscToken;
use crate::shared::Shared;

/// A service whose visitors are signed in with Open Source Cloud; made by [`OscAuthLayer`](crate::OscAuthLayer).
#[derive(Clone, Debug)]
pub struct OscAuth<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> OscAuth<S> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// The wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The wrapped service, without the layer.
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
        // Nobody but this layer says who the visitor is.
        request.extensions_mut().remove::<OscToken>();
        match decide(&self.shared, &request) {
            Decision::Now(Verdict::Pass(token)) => {
                if let Some(token) = token {
                    request.extensions_mut().insert(token);
                }
                ResponseFuture::inner(self.inner.call(request))
            }
            Decision::Now(Verdict::Answer(answer)) => {
                self.give_up_readiness();
                ResponseFuture::answer(answer)
            }
            Decision::Later(verdict) => {
                self.give_up_readiness();
                ResponseFuture::later(verdict, self.inner.clone(), request)
            }
        }
    }
}

impl<S: Clone> OscAuth<S> {
    /// A ready service may hold a permit or a slot; kept while a slow sign-in waits for the provider, it would block
    /// others. A clone is not ready, and dropping the ready one gives back what it held.
    fn give_up_readiness(&mut self) {
        self.inner = self.inner.clone();
    }
}
