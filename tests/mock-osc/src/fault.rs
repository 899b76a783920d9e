//! The faults between a client and OSC.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::json;

use crate::body::{Scripted, Step};
use crate::reply::Reply;

/// A fault that hits a request.
///
/// Unless it says otherwise, a fault stands *in front of* the service: the request has no effect. Use
/// [`after_processing`](Self::after_processing) to let it take effect first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The request waits this long before it is processed. It is processed also when the client has gone by then.
    Latency(Duration),
    /// The request is processed at once; its answer comes this much later.
    LateAnswer(Duration),
    /// This status with a short plain-text body.
    Status(u16),
    /// This status with a `Retry-After` header, which may hold anything.
    RetryAfter(u16, String),
    /// This status with JSON that holds a `reason`, as OSC refuses; a 2xx refuses too, where an instance is expected.
    Reason(u16, &'static str),
    /// This status, content type and body.
    Answer(u16, &'static str, String),
    /// The connection is closed without an answer.
    HangUp,
    /// The request is processed, then the connection is closed without an answer.
    LostAnswer,
    /// The request is processed; the answer announces its full length, and breaks off in the middle.
    HalfAnswer,
    /// Status 200 with an HTML page, as a captive portal gives.
    Html,
    /// Status 200 with no body.
    Empty,
    /// Status 200 with JSON that breaks off.
    MalformedJson,
    /// Status 200 with JSON whose fields have the wrong types.
    WrongTypes,
    /// Status 200 with 2 MiB of JSON, streamed without a length.
    Huge,
    /// Status 200 with a body that sends a space every so often and never ends.
    Endless(Duration),
    /// An error of RFC 6749 §5.2 by its code; 401 for `invalid_client`, else 400.
    OAuth(&'static str),
    /// A 302 to this URL.
    Redirect(String),
    /// The request is processed, then this fault decides the answer.
    AfterProcessing(Box<Fault>),
}

impl Fault {
    /// The same fault, but the request takes effect first: a grant is spent, an instance is made.
    #[must_use]
    pub fn after_processing(self) -> Self {
        Self::AfterProcessing(Box::new(self))
    }

    fn unwrapped(mut self) -> (Self, bool) {
        let mut after_processing = false;
        while let Self::AfterProcessing(inner) = self {
            self = *inner;
            after_processing = true;
        }
        (self, after_processing)
    }

    /// Answers a request that `process` would answer without the fault. `None` hangs up.
    pub(crate) async fn apply(self, process: impl FnOnce() -> Reply + Send) -> Option<Response<Scripted>> {
        let (fault, after_processing) = self.unwrapped();
        let process: Box<dyn FnOnce() -> Reply + Send + '_> = if after_processing {
            let reply = process();
            Box::new(move || reply)
        } else {
            Box::new(process)
        };
        let reply = match fault {
            Self::AfterProcessing(_) => process(),
            Self::HangUp => return None,
            Self::LostAnswer => {
                process();
                return None;
            }
            Self::Latency(duration) => {
                tokio::time::sleep(duration).await;
                process()
            }
            Self::LateAnswer(duration) => {
                let reply = process();
                tokio::time::sleep(duration).await;
                reply
            }
            Self::HalfAnswer => return Some(half(process())),
            Self::Huge => return Some(huge()),
            Self::Endless(every) => {
                let reply = Reply::text(StatusCode::OK, "application/json", Bytes::new());
                return Some(reply.with_steps(|_| vec![Step::Drip(Bytes::from_static(b" "), every)]));
            }
            Self::Status(code) => Reply::text(status(code), "text/plain", "the mock was told to fail\n"),
            Self::RetryAfter(code, after) => Reply::empty(status(code)).with(RETRY_AFTER, &after),
            Self::Reason(code, reason) => Reply::reason(status(code), reason),
            Self::Answer(code, content_type, body) => Reply::text(status(code), content_type, body),
            Self::Html => Reply::text(StatusCode::OK, "text/html", "<!doctype html><title>Welcome</title>"),
            Self::Empty => Reply::empty(StatusCode::OK),
            Self::MalformedJson => Reply::text(StatusCode::OK, "application/json", r#"{"access_token":"ey"#),
            Self::WrongTypes => wrong_types(),
            Self::OAuth(error) => {
                let code = if error == "invalid_client" { 401 } else { 400 };
                let body = json!({ "error": error, "error_description": "the mock was told to refuse" });
                Reply::json(status(code), &body).no_store()
            }
            Self::Redirect(location) => Reply::empty(StatusCode::FOUND).with(LOCATION, &location),
        };
        Some(reply.into_response())
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn half(reply: Reply) -> Response<Scripted> {
    let length = reply.body.len();
    let reply = reply.with(CONTENT_LENGTH, &length.max(2).to_string());
    reply.with_steps(|body| vec![Step::Data(body.slice(..length / 2)), Step::Flush, Step::Abort])
}

fn huge() -> Response<Scripted> {
    const CHUNK: usize = 64 * 1024;
    let padding = Bytes::from(vec![b'x'; CHUNK]);
    let mut steps = vec![Step::Data(Bytes::from_static(br#"{"padding":""#))];
    for _ in 0..(2 * 1024 * 1024 / CHUNK) {
        // The flush makes it a stream: without it the length would be known.
        steps.extend([Step::Data(padding.clone()), Step::Flush]);
    }
    steps.push(Step::Data(Bytes::from_static(br#""}"#)));
    Reply::text(StatusCode::OK, "application/json", Bytes::new()).with_steps(|_| steps)
}

fn wrong_types() -> Reply {
    let body = json!({
        "issuer": 1, "authorization_endpoint": [], "token_endpoint": {}, "registration_endpoint": false,
        "access_token": 7, "refresh_token": ["x"], "expires_in": { "in": true }, "token_type": 1, "scope": 2,
        "client_id": {}, "client_secret": 3, "request_uri": 4,
        "token": 5, "expiry": "soon", "tokens": "many", "name": 6, "status": [],
    });
    Reply::json(StatusCode::OK, &body)
}
