//! The response future. It allocates only for requests that wait for a token.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use sync_wrapper::SyncWrapper;
use tower_service::Service;

use super::error::OutboundError;
use super::headers::attach;
use super::rejected::{Next, next};
use crate::sessions::{OscSession, OscToken, SessionError};

const ONCE: &str = "a future is not polled after it completed";

/// A request and the client that can send it again.
pub(super) struct Retry<S, B> {
    pub(super) request: Request<B>,
    pub(super) service: S,
}

/// A wait for a token. Only ever polled through `&mut`, so sharing it is sound although the box is not `Sync`.
type Wait = SyncWrapper<BoxFuture<'static, Result<OscToken, SessionError>>>;

pin_project! {
    /// Resolves to the API's response.
    pub struct OutboundFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Failed { error: Option<OutboundError<S::Error>> },
        // There is no fresh token at hand.
        Waiting { waiting: Box<Waiting<S, B>> },
        // `token` is `None` for the second attempt, whose answer is final.
        Sent { #[pin] future: S::Future, token: Option<OscToken>, retry: Option<Retry<S, B>> },
        // The API refused the token.
        Refreshing { refreshing: Box<Refreshing<S, B>> },
        // The second attempt waits until the client is ready.
        Repeating { retry: Option<Retry<S, B>> },
    }
}

struct Waiting<S, B> {
    wait: Wait,
    /// The token, while the client is not ready.
    token: Option<OscToken>,
    service: S,
    /// `None` once the client has it.
    request: Option<Request<B>>,
    retry: Option<Retry<S, B>>,
}

struct Refreshing<S, B>
where
    S: Service<Request<B>>,
{
    wait: Wait,
    /// The 401.
    response: Option<S::Response>,
    retry: Option<Retry<S, B>>,
}

impl<S, B> OutboundFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn failed(error: OutboundError<S::Error>) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }

    pub(super) fn sent(future: S::Future, token: OscToken, retry: Option<Retry<S, B>>) -> Self {
        Self { state: State::Sent { future, token: Some(token), retry } }
    }

    /// `service` is a client that is not ready.
    pub(super) fn waiting(
        session: OscSession,
        service: S,
        request: Request<B>,
        retry: Option<Retry<S, B>>,
    ) -> Self {
        let wait: Wait = SyncWrapper::new(Box::pin(async move { session.token().await }));
        let waiting = Waiting { wait, token: None, service, request: Some(request), retry };
        Self { state: State::Waiting { waiting: Box::new(waiting) } }
    }
}

impl<S, B, ResBody> Future for OutboundFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Output = Result<S::Response, OutboundError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Failed { error } => return Poll::Ready(Err(error.take().expect(ONCE))),
                StateProj::Waiting { waiting } => {
                    if waiting.token.is_none() {
                        let token = ready!(waiting.wait.get_mut().as_mut().poll(cx));
                        waiting.token = Some(token.map_err(|error| OutboundError::session(&error))?);
                    }
                    ready!(waiting.service.poll_ready(cx)).map_err(OutboundError::client)?;
                    let mut request = waiting.request.take().expect(ONCE);
                    let token = waiting.token.take().expect(ONCE);
                    attach(request.headers_mut(), &token);
                    let future = waiting.service.call(request);
                    State::Sent { future, token: Some(token), retry: waiting.retry.take() }
                }
                StateProj::Sent { future, token, retry } => {
                    let response = ready!(future.poll(cx)).map_err(OutboundError::client)?;
                    let rejected = token.take().filter(|_| response.status() == StatusCode::UNAUTHORIZED);
                    let Some(rejected) = rejected else { return Poll::Ready(Ok(response)) };
                    let refresh = async move { rejected.session().refresh(&rejected).await };
                    let wait: Wait = SyncWrapper::new(Box::pin(refresh));
                    let refreshing = Refreshing { wait, response: Some(response), retry: retry.take() };
                    State::Refreshing { refreshing: Box::new(refreshing) }
                }
                StateProj::Refreshing { refreshing } => {
                    let Refreshing { wait, response, retry } = &mut **refreshing;
                    let refreshed = ready!(wait.get_mut().as_mut().poll(cx));
                    match next(refreshed, retry.is_some()) {
                        Next::Fail(error) => return Poll::Ready(Err(OutboundError::session(&error))),
                        Next::Answer => return Poll::Ready(Ok(response.take().expect(ONCE))),
                        Next::Retry(token) => {
                            let mut retry = retry.take().expect("there is one to retry");
                            attach(retry.request.headers_mut(), &token);
                            State::Repeating { retry: Some(retry) }
                        }
                    }
                }
                StateProj::Repeating { retry } => {
                    let service = &mut retry.as_mut().expect(ONCE).service;
                    ready!(service.poll_ready(cx)).map_err(OutboundError::client)?;
                    let Retry { request, mut service } = retry.take().expect(ONCE);
                    State::Sent { future: service.call(request), token: None, retry: None }
                }
            };
            state.set(next);
        }
    }
}

impl<S, B> fmt::Debug for OutboundFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutboundFuture")
    }
}
