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
use crate::caching::Marks;
use crate::gate::Verdict;
use crate::response::Answer;

const ONCE: &str = "a future is not polled after it completed";

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
    enum State<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Inner { #[pin] future: S::Future, marks: Marks },
        Answer { answer: Option<Box<Answer>> },
        Waiting { waiting: Box<Waiting<S, ReqBody>> },
    }
}

/// A request that waits for a decision, and then until its service is ready. The service is a clone that is not ready, so it
/// holds no permit that others need.
struct Waiting<S, ReqBody> {
    step: Step,
    service: S,
    /// `None` once the service has it.
    request: Option<Request<ReqBody>>,
}

enum Step {
    /// Only ever polled through `&mut`, so sharing the future is sound although the box is not `Sync`.
    Deciding(SyncWrapper<BoxFuture<'static, Verdict>>),
    Passing(Marks),
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) fn inner(future: S::Future, marks: Marks) -> Self {
        Self { state: State::Inner { future, marks } }
    }

    pub(crate) fn answer(answer: Box<Answer>) -> Self {
        Self { state: State::Answer { answer: Some(answer) } }
    }

    pub(crate) fn later(verdict: BoxFuture<'static, Verdict>, service: S, request: Request<ReqBody>) -> Self {
        let step = Step::Deciding(SyncWrapper::new(verdict));
        let waiting = Box::new(Waiting { step, service, request: Some(request) });
        Self { state: State::Waiting { waiting } }
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
                StateProj::Inner { future, marks } => {
                    let mut response = ready!(future.poll(cx))?;
                    marks.mark(&mut response);
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProj::Answer { answer } => {
                    let answer = answer.take().expect(ONCE);
                    return Poll::Ready(Ok(answer.map(ResponseBody::own)));
                }
                StateProj::Waiting { waiting } => match &mut waiting.step {
                    Step::Deciding(verdict) => match ready!(verdict.get_mut().as_mut().poll(cx)) {
                        Verdict::Answer(answer) => State::Answer { answer: Some(answer) },
                        Verdict::Pass(visitor, marks) => {
                            if let Some(request) = &mut waiting.request {
                                visitor.enter(request.extensions_mut());
                            }
                            waiting.step = Step::Passing(marks);
                            continue;
                        }
                    },
                    &mut Step::Passing(marks) => {
                        ready!(waiting.service.poll_ready(cx))?;
                        let request = waiting.request.take().expect(ONCE);
                        State::Inner { future: waiting.service.call(request), marks }
                    }
                },
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
