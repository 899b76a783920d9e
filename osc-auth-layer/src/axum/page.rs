//! Extractors that refuse a page of another user.

use axum::body::Body;
use axum::extract::rejection::{FormRejection, RawFormRejection};
use axum::extract::{Form, FromRequest, FromRequestParts, RawForm, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{MissingToken, json};
use crate::response::RequestHead;
use crate::sessions::{OscToken, OtherUser};

/// Reads a form like axum's `Form`, but only if its page was made for the user who is signed in now.
///
/// The form carries the [`page_key`](OscToken::page_key) in the hidden field `osc_user` ([`OscToken::PAGE_FIELD`]). A form of a page
/// that was made for another user gets 409 and the layer's page, which names the user who is signed in now.
///
/// Like `Form`, it reads the query of `GET` and `HEAD` requests, and else the body, up to axum's limit. If `T` denies unknown fields,
/// it needs a field `osc_user`.
///
/// ```
/// use axum::response::Html;
/// use osc_auth_layer::{OscToken, axum::OscForm};
/// use serde::Deserialize;
///
/// async fn page(token: OscToken) -> Html<String> {
///     let key = token.page_key();
///     Html(format!(
///         r#"<form method="post"><input type="hidden" name="osc_user" value="{key}"><input name="title"><button>Add</button></form>"#
///     ))
/// }
///
/// #[derive(Deserialize)]
/// struct New {
///     title: String,
/// }
///
/// async fn add(OscForm(new): OscForm<New>) -> String {
///     format!("added {}", new.title)
/// }
///
/// let app: axum::Router = axum::Router::new().route("/", axum::routing::get(page).post(add));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OscForm<T>(pub T);

/// Refuses a request unless its page was made for the user who is signed in now. For scripts that send JSON, and for multipart forms.
///
/// The script sends the [`page_key`](OscToken::page_key) in the header `osc-user` ([`OscToken::PAGE_HEADER`]):
///
/// ```
/// use axum::Json;
/// use osc_auth_layer::axum::OscPage;
/// use serde_json::Value;
///
/// // fetch("/notes", { method: "POST", headers: { "content-type": "application/json", "osc-user": pageKey }, body })
/// async fn add(_: OscPage, Json(note): Json<Value>) -> String {
///     format!("added {note}")
/// }
///
/// let app: axum::Router = axum::Router::new().route("/notes", axum::routing::post(add));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OscPage;

/// Says why [`OscForm`] or [`OscPage`] refused a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum PageRejection {
    /// 401 or 503: the user is not signed in, the layer is missing, or it cannot tell who the visitor is.
    NotSignedIn(MissingToken),
    /// 409: the page was made for another user.
    #[non_exhaustive]
    OtherUser {
        /// Names the user who is signed in now.
        error: OtherUser,
        /// Decides the form of the answer.
        request: RequestHead,
    },
    /// 400, a mistake in the app: the form has no field `osc_user`.
    NoField,
    /// 400, a mistake in the app: the request has no header `osc-user`.
    NoHeader,
    /// The status of axum's own rejection: the body is no form, or it is too large.
    Unreadable(RawFormRejection),
    /// The status of axum's own rejection: the form is not a `T`.
    Form(FormRejection),
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OscForm<T> {
    type Rejection = PageRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageRejection> {
        let (parts, body) = request.into_parts();
        let token = signed_in(&parts)?;
        let raw = Request::from_parts(parts.clone(), body);
        let RawForm(form) = RawForm::from_request(raw, state).await.map_err(PageRejection::Unreadable)?;
        let fields = form_urlencoded::parse(&form);
        let keys = fields.filter(|(name, _)| name == OscToken::PAGE_FIELD).map(|(_, key)| key);
        let is_named = check(&token, keys, || RequestHead::of(&parts).after_its_body())?;
        if !is_named {
            return Err(PageRejection::NoField);
        }
        let form = Form::from_request(Request::from_parts(parts, Body::from(form)), state).await;
        let Form(value) = form.map_err(PageRejection::Form)?;
        Ok(Self(value))
    }
}

impl<S: Sync> FromRequestParts<S> for OscPage {
    type Rejection = PageRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageRejection> {
        let token = signed_in(parts)?;
        let keys = parts.headers.get_all(OscToken::PAGE_HEADER).iter();
        let keys = keys.map(|key| key.to_str().unwrap_or_default());
        let is_named = check(&token, keys, || RequestHead::of(parts))?;
        is_named.then_some(Self).ok_or(PageRejection::NoHeader)
    }
}

fn signed_in(parts: &Parts) -> Result<OscToken, PageRejection> {
    let token = parts.extensions.get::<OscToken>().cloned();
    token.ok_or_else(|| PageRejection::NotSignedIn(MissingToken::of(parts)))
}

/// Checks every key of a request. A second one must not hide the first from another parser. Returns false if there is none.
fn check(
    token: &OscToken,
    keys: impl Iterator<Item = impl AsRef<str>>,
    head: impl FnOnce() -> RequestHead,
) -> Result<bool, PageRejection> {
    let mut is_named = false;
    for key in keys {
        is_named = true;
        if let Err(error) = token.check_page(key.as_ref()) {
            return Err(PageRejection::OtherUser { error, request: head() });
        }
    }
    Ok(is_named)
}

impl IntoResponse for PageRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NotSignedIn(missing) => missing.into_response(),
            Self::OtherUser { error, request } => {
                let body = json!({ "error": "other_user", "error_description": error.to_string() });
                error.refuse_head(request, json(StatusCode::CONFLICT, body.to_string()))
            }
            Self::NoField => json(
                StatusCode::BAD_REQUEST,
                r#"{"error":"no_page_key","error_description":"The form lacks the field osc_user. The app has to put OscToken::page_key() there. Nothing was done."}"#,
            ),
            Self::NoHeader => json(
                StatusCode::BAD_REQUEST,
                r#"{"error":"no_page_key","error_description":"The request lacks the header osc-user. The app has to put OscToken::page_key() there. Nothing was done."}"#,
            ),
            Self::Unreadable(rejection) => rejection.into_response(),
            Self::Form(rejection) => rejection.into_response(),
        }
    }
}

impl std::fmt::Display for PageRejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSignedIn(missing) => missing.fmt(f),
            Self::OtherUser { error, .. } => error.fmt(f),
            Self::NoField => f.write_str("the form has no field `osc_user` with OscToken::page_key()"),
            Self::NoHeader => f.write_str("the request has no header `osc-user` with OscToken::page_key()"),
            Self::Unreadable(rejection) => rejection.fmt(f),
            Self::Form(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for PageRejection {}
