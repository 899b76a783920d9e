//! The layer for Tower clients, and its service.

use std::task::{Context, Poll};

use http::{Request, Response, Uri};
use tower_layer::Layer;
use tower_service::Service;

use super::Outbound;
use super::error::OutboundError;
use super::future::{OutboundFuture, Retry};
use super::headers::{attach, clean};
use super::replay::{EmptyBody, Replay};
use crate::sessions::{OscSession, OscToken};

/// [`Outbound`] with a rule for repeating requests. Made by [`Outbound::replay`].
#[derive(Clone, Debug)]
pub struct OutboundLayer<R> {
    pub(super) outbound: Outbound,
    pub(super) replay: R,
}

impl<S, R: Clone> Layer<S> for OutboundLayer<R> {
    type Service = OutboundService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        OutboundService { inner, outbound: self.outbound.clone(), replay: self.replay.clone() }
    }
}

/// Gives the requests of an HTTP client the user's token. Made by [`Outbound`] and [`OutboundLayer`].
///
/// It is ready when the client is. Dropping a response future cancels the request, but no refresh that it began.
///
/// The client below must not follow redirects by itself, because it would send the token along. A layer that follows redirects
/// belongs above this one: then a redirect to another origin is an error.
#[derive(Clone, Debug)]
pub struct OutboundService<S, R = EmptyBody> {
    inner: S,
    outbound: Outbound,
    replay: R,
}

impl<S, R> OutboundService<S, R> {
    /// Returns the HTTP client.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the HTTP client, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Removes the layer and returns the HTTP client.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, B, ResBody> Service<Request<B>> for OutboundService<S, R>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    R: Replay<B>,
{
    type Response = S::Response;
    type Error = OutboundError<S::Error>;
    type Future = OutboundFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(OutboundError::client)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let session = match admit(&self.outbound, &mut request) {
            Ok(session) => session,
            Err(error) => {
                self.inner = self.inner.clone();
                return OutboundFuture::failed(error);
            }
        };
        let copy = self.replay.copy(request.body()).map(|body| {
            let mut copy = Request::new(body);
            (*copy.method_mut(), *copy.uri_mut()) = (request.method().clone(), request.uri().clone());
            (*copy.headers_mut(), *copy.version_mut()) = (request.headers().clone(), request.version());
            *copy.extensions_mut() = request.extensions().clone();
            copy
        });
        let retry = |service| copy.map(|request| Retry { request, service });
        let Some(token) = session.token_now() else {
            // A ready client may hold a permit or a slot. It gives that back while the request waits for a token.
            self.inner = self.inner.clone();
            let retry = retry(self.inner.clone());
            return OutboundFuture::waiting(session, self.inner.clone(), request, retry);
        };
        attach(request.headers_mut(), &token);
        let retry = retry(self.inner.clone());
        OutboundFuture::sent(self.inner.call(request), token, retry)
    }
}

/// Checks where a request goes and takes the user's credentials out of it. Returns the session whose token it gets.
fn admit<B, E>(outbound: &Outbound, request: &mut Request<B>) -> Result<OscSession, OutboundError<E>> {
    let origin = outbound.origins.iter().find(|origin| origin.is_of(request.uri()));
    let origin = origin.ok_or_else(|| OutboundError::foreign(shown(request.uri())))?;
    clean(request.headers_mut(), origin.authority());
    let extensions = request.extensions();
    // The app may have inserted a session into the user's own request, which has a token.
    let session = extensions.get::<OscSession>().cloned();
    let session = session.or_else(|| Some(extensions.get::<OscToken>()?.session()));
    session.ok_or_else(OutboundError::no_session)
}

/// Returns the origin of a URI for an error.
fn shown(uri: &Uri) -> Option<String> {
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    Some(format!("{}://{authority}", uri.scheme_str()?))
}
