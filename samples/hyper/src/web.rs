//! The parts of a web framework that this app needs: reading fields, building replies.

use std::error::Error;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use osc_auth_layer::{DrainBody, OscToken, OtherUser};
use serde::Serialize;

/// The body of a request, from a connection or from a test.
pub(crate) trait Incoming:
    Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static
{
}

impl<B> Incoming for B where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static
{
}

pub(crate) type Reply = Response<Full<Bytes>>;

/// The fields of a query or of a posted form.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn new(encoded: impl AsRef<[u8]>) -> Self {
        Self(form_urlencoded::parse(encoded.as_ref()).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Checks that the page of the form was made for the user who is signed in now.
    ///
    /// # Errors
    /// If one of its keys names another user, or if it has none.
    pub(crate) fn check_page(&self, token: &OscToken) -> Result<(), OtherUser> {
        let mut keys = self.0.iter().filter(|(name, _)| name == OscToken::PAGE_FIELD).peekable();
        if keys.peek().is_none() {
            return token.check_page("");
        }
        keys.try_for_each(|(_, key)| token.check_page(key))
    }

    /// Returns the field, or an empty text if it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Reads a posted form of at most 64 KiB.
pub(crate) async fn read(body: DrainBody<impl Incoming>) -> Result<Form, String> {
    let body = Limited::new(body, 64 * 1024).collect().await;
    body.map(|body| Form::new(body.to_bytes())).map_err(|error| error.to_string())
}

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    let body = serde_json::to_string(value).expect("no type here has keys that are not strings");
    reply(status, "application/json", body)
}

pub(crate) fn text((status, text): (StatusCode, String)) -> Reply {
    reply(status, "text/plain; charset=utf-8", text)
}

pub(crate) fn script(text: &'static str) -> Reply {
    reply(StatusCode::OK, "text/javascript; charset=utf-8", text.to_owned())
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
