//! The answer of a handler: a value, which becomes a response when it is sent.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::{Scripted, Step};

/// A complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::text(status, "application/json", value.to_string())
    }

    pub(crate) fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let reply = Self { body: body.into(), ..Self::empty(status) };
        reply.with(CONTENT_TYPE, content_type)
    }

    /// Returns an error in the platform's format.
    pub(crate) fn reason(status: StatusCode, reason: &str) -> Self {
        Self::json(status, &json!({ "reason": reason }))
    }

    /// Returns the page of a gateway that timed out while it waited for the service.
    pub(crate) fn gateway_timeout() -> Self {
        Self::gateway(StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out")
    }

    /// Returns the page of a gateway that does not know the service's tokens yet.
    pub(crate) fn authorization_required() -> Self {
        Self::gateway(StatusCode::UNAUTHORIZED, "401 Authorization Required")
    }

    fn gateway(status: StatusCode, title: &str) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        Self::text(status, "text/html", page)
    }

    /// Adds a header. A value that is no valid header value is left out.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Keeps tokens, and the codes that lead to them, out of caches (RFC 6749 §5.1).
    pub(crate) fn no_store(self) -> Self {
        self.with(CACHE_CONTROL, "no-store")
    }

    pub(crate) fn into_response(self) -> Response<Scripted> {
        self.with_steps(|body| vec![Step::Data(body)])
    }

    /// Returns the same status and headers, with the body sent in `steps`.
    pub(crate) fn with_steps(self, steps: impl FnOnce(Bytes) -> Vec<Step>) -> Response<Scripted> {
        let mut response = Response::new(Scripted::new(steps(self.body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
