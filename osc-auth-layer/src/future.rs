//! The response future. It polls the inner future directly, and allocates only for requests that have to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use pin_project_lite::pin_project;
use sync_wrapper::SyncWrapper;
use tower_service::Service;

use crate::body::ResponseBody;
use crate::caching::Marks;
use crate::endpoints::Auth;
use crate::gate::{Verdict, refused};
use crate::request::kind::may_load_a_page;
use crate::response::{Answer, Refusal, Refused};

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
        Inner { #[pin] future: S::Future, marks: Marks, seen: Option<Seen> },
        Answer { answer: Option<Box<Answer>> },
        Waiting { waiting: Box<Waiting<S, ReqBody>> },
    }
}

/// A request without a token, as the layer saw it. A request with a token leads to its layer by itself, and costs nothing here.
pub(crate) struct Seen {
    auth: Arc<Auth>,
    /// The address that a sign-in returns to. Routers strip prefixes, so an extractor may see another one.
    uri: Option<Box<Uri>>,
}

impl Seen {
    pub(crate) fn of<B>(auth: &Arc<Auth>, request: &Request<B>) -> Self {
        let uri = may_load_a_page(request.headers()).then(|| Box::new(request.uri().clone()));
        Self { auth: auth.clone(), uri }
    }
}

/// A request that waits for a decision, and then until its service is ready. The service is a clone that is not ready, so it
/// holds no permit that others need.
struct Waiting<S, ReqBody> {
    step: Step,
    service: S,
    auth: Arc<Auth>,
    /// `None` once the service has it.
    request: Option<Request<ReqBody>>,
}

enum Step {
    /// Only ever polled through `&mut`, so sharing the future is sound although the box is not `Sync`.
    Deciding(SyncWrapper<BoxFuture<'static, Result<Verdict, Refusal>>>),
    Passing(Marks),
}

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) fn inner(future: S::Future, marks: Marks, seen: Option<Seen>) -> Self {
        Self { state: State::Inner { future, marks, seen } }
    }

    pub(crate) fn answer(answer: Box<Answer>) -> Self {
        Self { state: State::Answer { answer: Some(answer) } }
    }

    pub(crate) fn later(
        verdict: BoxFuture<'static, Result<Verdict, Refusal>>,
        service: S,
        auth: Arc<Auth>,
        request: Request<ReqBody>,
    ) -> Self {
        let step = Step::Deciding(SyncWrapper::new(verdict));
        let waiting = Box::new(Waiting { step, service, auth, request: Some(request) });
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
                StateProj::Inner { future, marks, seen } => {
                    let mut response = ready!(future.poll(cx))?;
                    if let Some(refused) = response.extensions_mut().remove::<Refused>()
                        && let Some(answer) = answer_instead(refused, seen.take())
                    {
                        return Poll::Ready(Ok(answer.map(ResponseBody::own)));
                    }
                    marks.mark(&mut response);
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProj::Answer { answer } => {
                    let answer = answer.take().expect(ONCE);
                    return Poll::Ready(Ok(answer.map(ResponseBody::own)));
                }
                StateProj::Waiting { waiting } => match &mut waiting.step {
                    Step::Deciding(verdict) => match ready!(verdict.get_mut().as_mut().poll(cx)) {
                        Ok(Verdict::Answer(answer)) => State::Answer { answer: Some(answer) },
                        Err(refusal) => {
                            let request = waiting.request.as_ref().expect(ONCE);
                            State::Answer { answer: Some(refused(&waiting.auth, request, refusal)) }
                        }
                        Ok(Verdict::Pass(visitor, marks)) => {
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
                        let seen = (!marks.is_personal).then(|| Seen::of(&waiting.auth, &request));
                        State::Inner { future: waiting.service.call(request), marks, seen }
                    }
                },
            };
            state.set(next);
        }
    }
}

/// Makes the layer's own answer to a request that an extractor of the app refused. `None` if the layer was dropped.
fn answer_instead(refused: Refused, seen: Option<Seen>) -> Option<Answer> {
    match seen {
        Some(Seen { auth, uri }) => Some(refused.answer(&auth.config, uri.map(|uri| *uri))),
        None => {
            let auth = refused.head.token().and_then(Auth::of)?;
            Some(refused.answer(&auth.config, None))
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
