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
/// Unless stated otherwise, the fault stands in front of the service, and the request has no effect. With
/// [`after_processing`](Self::after_processing), the request takes effect first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The request waits this long before it is processed, even if the client has gone by then.
    Latency(Duration),
    /// The request is processed at once. Its answer arrives this much later.
    LateAnswer(Duration),
    /// The answer has this status and a short plain-text body.
    Status(u16),
    /// The answer has this status and this `Retry-After` header, which may hold any text.
    RetryAfter(u16, String),
    /// The answer has this status and JSON with a `reason`, as OSC refuses requests. OSC also sends it with a
    /// 2xx status in place of an instance.
    Reason(u16, &'static str),
    /// The answer has this status, content type and body.
    Answer(u16, &'static str, String),
    /// The connection is closed without an answer.
    HangUp,
    /// The request is processed, then the connection is closed without an answer.
    LostAnswer,
    /// The request is processed. The answer announces its full length and breaks off in the middle.
    HalfAnswer,
    /// The answer has status 200 and an HTML page, like that of a captive portal.
    Html,
    /// The answer has status 200 and no body.
    Empty,
    /// The answer has status 200 and JSON that breaks off.
    MalformedJson,
    /// The answer has status 200 and JSON whose fields have the wrong types.
    WrongTypes,
    /// The answer has status 200 and 2 MiB of JSON, streamed without a length.
    Huge,
    /// The answer has status 200 and a body that never ends. It sends a space at this interval.
    Endless(Duration),
    /// The answer is the OAuth error with this code (RFC 6749 §5.2). The status is 401 for `invalid_client`
    /// and 400 otherwise.
    OAuth(&'static str),
    /// The answer is a 302 to this URL.
    Redirect(String),
    /// The request is processed, then this fault decides the answer.
    AfterProcessing(Box<Fault>),
}

impl Fault {
    /// Returns the same fault, but the request takes effect first: it spends a grant or creates an instance.
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

    /// Answers a request that `process` would answer without the fault. Returns `None` to close the
    /// connection.
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
        // The flush makes the body a stream. Without it, hyper would announce the length.
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
