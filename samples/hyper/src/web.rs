//! The parts of a web framework that this app needs: reading fields, building replies.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use osc_auth_layer::{ContextError, DrainBody};
use serde::Serialize;

/// The body of a request.
pub(crate) type Incoming = DrainBody<hyper::body::Incoming>;

pub(crate) type Reply = Response<Full<Bytes>>;

/// A failed request: the status, an error name for programs, and a sentence for people.
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, error: &'static str, text: impl Into<String>) -> Self {
        Self { status, error, text: text.into() }
    }
}

impl From<ContextError> for Failure {
    fn from(error: ContextError) -> Self {
        Self::new(error.response_status(), error.kind().as_str(), error.to_string())
    }
}

/// The fields of a query or of a posted form.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn new(encoded: impl AsRef<[u8]>) -> Self {
        Self(form_urlencoded::parse(encoded.as_ref()).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the field, or an empty text if it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

pub(crate) async fn read(request: Request<Incoming>) -> Result<Form, Failure> {
    let body = Limited::new(request.into_body(), 64 * 1024).collect().await;
    let body =
        body.map_err(|error| Failure::new(StatusCode::BAD_REQUEST, "invalid_request", error.to_string()))?;
    Ok(Form::new(body.to_bytes()))
}

pub(crate) fn html(status: StatusCode, page: String) -> Reply {
    reply(status, header::CONTENT_TYPE, "text/html; charset=utf-8", page)
}

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    let body = serde_json::to_string(value).expect("no type here has keys that are not strings");
    reply(status, header::CONTENT_TYPE, "application/json", body)
}

pub(crate) fn script(text: &str) -> Reply {
    reply(StatusCode::OK, header::CONTENT_TYPE, "text/javascript; charset=utf-8", text.to_owned())
}

pub(crate) fn see_other(path: &str) -> Reply {
    reply(StatusCode::SEE_OTHER, header::LOCATION, path, String::new())
}

fn reply(status: StatusCode, name: HeaderName, value: &str, body: String) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    let value = HeaderValue::from_str(value).expect("a fixed value or an encoded path");
    reply.headers_mut().insert(name, value);
    reply
}
