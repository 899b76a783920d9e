//! A response body that follows a script, so that an answer can break off or never end.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// One step of a body.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends these bytes.
    Data(Bytes),
    /// Flushes the bytes sent so far to the socket.
    Flush,
    /// Sends these bytes again and again, and pauses before each time.
    Drip(Bytes, Duration),
    /// Breaks the connection.
    Abort,
}

/// The body of every response of the mock.
#[derive(Debug)]
pub(crate) struct Scripted {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Scripted {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        let not_empty = |step: &Step| !matches!(step, Step::Data(data) if data.is_empty());
        Self { steps: steps.into_iter().filter(not_empty).collect(), pause: None }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.steps.front().cloned() {
            None => Poll::Ready(None),
            Some(Step::Data(data)) => {
                self.steps.pop_front();
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Step::Flush) => {
                // hyper flushes when the body is pending.
                self.steps.pop_front();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Drip(data, every)) => {
                let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(every)));
                std::task::ready!(pause.as_mut().poll(cx));
                self.pause = None;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Step::Abort) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut total = 0;
        for step in &self.steps {
            match step {
                Step::Data(data) => total += data.len() as u64,
                _ => return SizeHint::default(),
            }
        }
        SizeHint::with_exact(total)
    }
}
