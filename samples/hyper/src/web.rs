//! The bit of a web framework that this app needs: fields in, replies out.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::Serialize;

use crate::app::platform::Error;

pub(crate) type Reply = Response<Full<Bytes>>;

/// The status and the sentence to answer with.
pub(crate) struct Failure(pub(crate) StatusCode, pub(crate) String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.status(), error.to_string())
    }
}

/// The service and the name of the instance, out of a form.
pub(crate) async fn target(request: Request<Incoming>) -> Result<(String, String), Failure> {
    let body = Limited::new(request.into_body(), 8 * 1024).collect().await;
    let body = body.map_err(|error| Failure(StatusCode::BAD_REQUEST, error.to_string()))?;
    let body = body.to_bytes();
    let field = |name| field(&body, name).unwrap_or_default();
    Ok((field("service"), field("name")))
}

/// A field of a query or a form.
pub(crate) fn field(encoded: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(encoded);
    fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(crate) fn html(status: StatusCode, page: String) -> Reply {
    reply(status, header::CONTENT_TYPE, "text/html; charset=utf-8", page)
}

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    let body = serde_json::to_string(value).expect("no type here has keys that are not strings");
    reply(status, header::CONTENT_TYPE, "application/json", body)
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
