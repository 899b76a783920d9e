//! The response future. It polls the inner future directly, and allocates only for requests that have to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use pin_project_lite::pin_project;
use sync_wrapper::SyncWrapper;
use tower_service::Service;

use crate::body::ResponseBody;
use crate::gate::Verdict;
use crate::response::Answer;

pin_project! {
    /// Resolves to the response of [`OscAuth`](crate::OscAuth).
    pub struct ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateReplaced]
    enum State<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Inner { #[pin] future: S::Future },
        Answer { answer: Option<Box<Answer>> },
        Undecided { undecided: Box<Undecided<S, ReqBody>> },
        Readying { waiting: Box<Waiting<S, ReqBody>> },
        Done,
    }
}

/// A request that waits for a decision. Its service is a clone that is not ready, so it holds no permit that others need.
struct Undecided<S, ReqBody> {
    /// Only ever polled through `&mut`, so sharing the future is sound although the box is not `Sync`.
    verdict: SyncWrapper<BoxFuture<'static, Verdict>>,
    waiting: Waiting<S, ReqBody>,
}

/// A request that may pass and waits until the clone is ready.
struct Waiting<S, ReqBody> {
    service: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) fn inner(future: S::Future) -> Self {
        Self { state: State::Inner { future } }
    }

    pub(crate) fn answer(answer: Box<Answer>) -> Self {
        let answer = Some(answer);
        Self { state: State::Answer { answer } }
    }

    pub(crate) fn later(verdict: BoxFuture<'static, Verdict>, service: S, request: Request<ReqBody>) -> Self {
        let waiting = Waiting { service, request };
        let undecided = Box::new(Undecided { verdict: SyncWrapper::new(verdict), waiting });
        Self { state: State::Undecided { undecided } }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Inner { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProj::Answer { answer } => {
                    let answer = answer.take().expect("a future is not polled after it completed");
                    return Poll::Ready(Ok(answer.map(ResponseBody::own)));
                }
                StateProj::Undecided { undecided } => {
                    let verdict = ready!(undecided.verdict.get_mut().as_mut().poll(cx));
                    let StateReplaced::Undecided { undecided } = state.as_mut().project_replace(State::Done)
                    else {
                        unreachable!("the state was just matched");
                    };
                    let mut waiting = undecided.waiting;
                    match verdict {
                        Verdict::Answer(answer) => State::Answer { answer: Some(answer) },
                        Verdict::Pass(token) => {
                            if let Some(token) = token {
                                waiting.request.extensions_mut().insert(token);
                            }
                            let waiting = Box::new(waiting);
                            State::Readying { waiting }
                        }
                    }
                }
                StateProj::Readying { waiting } => {
                    ready!(waiting.service.poll_ready(cx))?;
                    let StateReplaced::Readying { waiting } = state.as_mut().project_replace(State::Done)
                    else {
                        unreachable!("the state was just matched");
                    };
                    let Waiting { mut service, request } = *waiting;
                    State::Inner { future: service.call(request) }
                }
                StateProj::Done => panic!("polled after it completed"),
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
