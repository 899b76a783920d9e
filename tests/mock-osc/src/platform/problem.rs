//! Errors of the platform: a status and a reason.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};

use crate::html::escape;
use crate::platform::ErrorForm;
use crate::platform::settings::NameTaken;
use crate::reply::Reply;
use crate::request::Recorded;

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    reason: Cow<'static, str>,
}

impl Problem {
    pub(crate) const METHOD_NOT_ALLOWED: Self =
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    pub(crate) const NO_SUCH_SERVICE: Self = Self::new(StatusCode::NOT_FOUND, "no such service");
    pub(crate) const NO_SUCH_SUBSCRIPTION: Self = Self::new(StatusCode::NOT_FOUND, "no such subscription");
    pub(crate) const NO_SUCH_INSTANCE: Self = Self::new(StatusCode::NOT_FOUND, "no such instance");
    pub(crate) const NO_SUCH_SECRET: Self = Self::new(StatusCode::NOT_FOUND, "no such secret");
    pub(crate) const NOT_SUSPENDED: Self = Self::new(StatusCode::NOT_FOUND, "no such suspended instance");
    pub(crate) const NO_SUCH_WORKSPACE: Self = Self::forbidden("no such workspace");
    pub(crate) const NOT_INCLUDED: Self =
        Self::new(StatusCode::PAYMENT_REQUIRED, "your plan does not include this service");
    pub(crate) const TOO_MANY_TOKENS: Self =
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too many service access tokens, try again later");
    /// OSC's services fail on a header that is not `Bearer` and a token.
    pub(crate) const MALFORMED_TOKEN_HEADER: Self =
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");

    const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason: Cow::Borrowed(reason) }
    }

    pub(crate) fn bad_request(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: reason.into() }
    }

    pub(crate) const fn unauthorized(reason: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, reason)
    }

    pub(crate) const fn forbidden(reason: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    pub(crate) fn name_taken(NameTaken { status, reason }: &NameTaken) -> Self {
        Self { status: *status, reason: Cow::Owned(reason.clone()) }
    }

    pub(crate) fn reply(self, form: ErrorForm) -> Reply {
        let Self { status, reason } = self;
        match form {
            ErrorForm::Reason => Reply::reason(status, &reason),
            ErrorForm::Message => Reply::json(status, &json!({ "message": reason })),
            ErrorForm::Text => Reply::text(status, "text/plain", reason.into_owned()),
            ErrorForm::Html => {
                let page = format!("<!doctype html><title>{status}</title><p>{}</p>", escape(&reason));
                Reply::text(status, "text/html", page)
            }
            ErrorForm::Empty => Reply::empty(status),
        }
    }
}

/// Returns the token in a header, or `None` without the header.
pub(crate) fn bearer<'a>(request: &'a Recorded, name: &str) -> Result<Option<&'a str>, Problem> {
    if request.header(name).is_none() {
        return Ok(None);
    }
    let token = request.bearer(name).filter(|token| !token.is_empty());
    token.map(Some).ok_or(Problem::MALFORMED_TOKEN_HEADER)
}

/// Parses the JSON object in the body. The content type must announce it.
pub(crate) fn json_body(request: &Recorded) -> Result<Value, Problem> {
    if !request.is("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type is not application/json",
        ));
    }
    let body: Value =
        serde_json::from_str(&request.body).map_err(|_| Problem::bad_request("the body is not JSON"))?;
    if body.is_object() { Ok(body) } else { Err(Problem::bad_request("the body is not a JSON object")) }
}
