//! Extractors and routes for axum (feature `axum`).
//!
//! Handlers can take these arguments. The first three rows are also optional extractors, so `Option<OscToken>` works on public paths.
//! There, [`OscVisitor`] also tells an outage from a visitor who is not signed in.
//!
//! The layer turns the answers of the first four rows into its own: a page for a browser, JSON for a script. Without the layer they
//! are JSON.
//!
//! | extractor | answer if it is missing |
//! |---|---|
//! | [`OscToken`], [`OscSession`] | 401, or 503 in an outage ([`MissingToken`]) |
//! | [`OscUser`] | the same, or 500 if the provider does not name the user's workspace ([`MissingUser`]) |
//! | `OscContext` (feature `client`) | 401, or 503 in an outage ([`MissingToken`]) |
//! | [`OscForm`], [`OscPage`] | the same, 409 if the page was made for another user, or 400 without a page key ([`PageRejection`]) |
//! | [`OscVisitor`] | never missing |
//!
//! With feature `client`, `ContextError` is a response, so handlers can return `Result<_, ContextError>`.
//!
//! ```
//! use axum::{Router, routing::get};
//! use osc_auth_layer::{OAuthClient, OscAuthLayer, OscToken, OscUser};
//!
//! async fn home(user: Option<OscUser>) -> String {
//!     user.map_or("Hello!".to_owned(), |user| format!("Hello {}!", user.workspace()))
//! }
//!
//! async fn expiry(token: OscToken) -> String {
//!     format!("{:?}", token.expires_at())
//! }
//!
//! let auth = OscAuthLayer::builder(OAuthClient::public("cli")).public_path("/").build()?;
//! let app: Router = Router::new().route("/", get(home)).route("/expiry", get(expiry)).layer(auth);
//! # Ok::<(), osc_auth_layer::ConfigError>(())
//! ```

mod page;

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::{Router, body::Body};
use http::request::Parts;
use http::{StatusCode, header};

pub use self::page::{OscForm, OscPage, PageRejection};
use crate::config::route;
use crate::endpoints;
use crate::layer::OscAuthLayer;
use crate::response::{Refusal, Refused, RequestHead};
use crate::sessions::{OscSession, OscToken, OscUser, OscVisitor, Outage};

/// Answers 401 or 503 when a handler asks for a token and the request has none.
///
/// Either the path is public and the user is not signed in, or the layer is missing: 401. Or the path is public and the layer cannot
/// tell who the visitor is, because of an outage: 503.
#[derive(Clone, Debug)]
pub struct MissingToken {
    request: RequestHead,
}

impl MissingToken {
    fn of(parts: &Parts) -> Self {
        Self { request: RequestHead::of(parts) }
    }
}

/// Makes a response that the layer replaces by its own answer.
fn refused(mut response: Response, refusal: Refusal, head: RequestHead) -> Response {
    response.extensions_mut().insert(Refused { refusal, head });
    response
}

const NO_TOKEN: &str = "the request has no OscToken: the user is not signed in, or OscAuthLayer is missing";
const OUTAGE: &str = "the request has no OscToken: in an outage, OscAuthLayer cannot tell who the visitor is";

/// Makes an answer of JSON. Every 401 needs a challenge (RFC 9110 §15.5.2).
fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    let challenge = [(header::WWW_AUTHENTICATE, "Cookie realm=\"osc\"")];
    let challenge = (status == StatusCode::UNAUTHORIZED).then_some(challenge);
    (status, headers, challenge, body.into()).into_response()
}

impl IntoResponse for MissingToken {
    fn into_response(self) -> Response {
        // The visitor may be signed in. A sign-in would replace a session that is still good.
        if let Some(Outage { retry_after, side }) = self.request.outage() {
            let body = r#"{"error":"temporarily_unavailable","error_description":"This app cannot tell who you are. Try again shortly."}"#;
            let delay = [(header::RETRY_AFTER, retry_after.as_secs().max(1).to_string())];
            let response = (delay, json(StatusCode::SERVICE_UNAVAILABLE, body)).into_response();
            return refused(response, Refusal::TemporarilyUnavailable { retry_after, side }, self.request);
        }
        let body = r#"{"error":"unauthenticated","error_description":"Sign in to continue."}"#;
        refused(json(StatusCode::UNAUTHORIZED, body), Refusal::Unauthenticated, self.request)
    }
}

impl std::fmt::Display for MissingToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.request.outage().is_some() { OUTAGE } else { NO_TOKEN })
    }
}

impl std::error::Error for MissingToken {}

/// Answers 401, 503 or 500 when a handler asks for an [`OscUser`] and the request has none.
#[derive(Clone, Debug)]
pub struct MissingUser {
    request: RequestHead,
}

impl MissingUser {
    fn of(parts: &Parts) -> Self {
        Self { request: RequestHead::of(parts) }
    }

    /// Returns true if the user is signed in, but the provider's access tokens do not name a workspace: the answer is 500. OSC's
    /// tokens do. Returns false if there is no token: the answer is 401, or 503 in an outage.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.request.token().is_some()
    }
}

impl IntoResponse for MissingUser {
    fn into_response(self) -> Response {
        if !self.is_signed_in() {
            return MissingToken { request: self.request }.into_response();
        }
        tracing::error!(
            "A handler asked for OscUser, but the provider's access tokens do not name a workspace. \
             Use Option<OscUser> with this provider."
        );
        let body = r#"{"error":"user_unknown","error_description":"This app cannot tell who you are. The app's log says why."}"#;
        let response = json(StatusCode::INTERNAL_SERVER_ERROR, body);
        refused(response, Refusal::UserUnknown, self.request)
    }
}

impl std::fmt::Display for MissingUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_signed_in() {
            f.write_str("the provider's access tokens do not name a workspace")
        } else {
            f.write_str(if self.request.outage().is_some() { OUTAGE } else { NO_TOKEN })
        }
    }
}

impl std::error::Error for MissingUser {}

/// Implements the extractors for `$type`. `$of` makes the value from the token in the request's extensions. `$missing` makes
/// the rejection from the request.
macro_rules! extract {
    ($type:ty, $of:expr, $rejection:ty, $missing:expr) => {
        impl<S: Sync> FromRequestParts<S> for $type {
            type Rejection = $rejection;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, $rejection> {
                let token = parts.extensions.get::<OscToken>();
                token.and_then($of).ok_or_else(|| $missing(parts))
            }
        }

        impl<S: Sync> OptionalFromRequestParts<S> for $type {
            type Rejection = Infallible;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
                Ok(parts.extensions.get::<OscToken>().and_then($of))
            }
        }
    };
}

extract!(OscToken, |token| Some(token.clone()), MissingToken, MissingToken::of);
extract!(OscSession, |token| Some(token.session()), MissingToken, MissingToken::of);
#[cfg(feature = "client")]
extract!(crate::workspace::OscContext, |token| Some(token.context()), MissingToken, MissingToken::of);
extract!(OscUser, OscToken::user, MissingUser, MissingUser::of);

impl<S: Sync> FromRequestParts<S> for OscVisitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// Lets handlers return `Result<_, ContextError>`. The status is
/// [`response_status`](crate::ContextError::response_status), the body JSON with `error` and `error_description`.
/// `Retry-After` is set if OSC asks for a delay.
#[cfg(feature = "client")]
impl IntoResponse for crate::workspace::ContextError {
    fn into_response(self) -> Response {
        let body =
            serde_json::json!({ "error": self.kind().as_str(), "error_description": self.to_string() });
        let delay =
            self.retry_after().map(|delay| [(header::RETRY_AFTER, delay.as_secs().max(1).to_string())]);
        (delay, json(self.response_status(), body.to_string())).into_response()
    }
}

/// Lets handlers return `Result<_, OutboundError<_>>`. The status is
/// [`response_status`](crate::OutboundError::response_status), the body JSON with `error` and `error_description`. It names no
/// host, so a request that was not sent because of a mistake in the app is logged. `Retry-After` is set in an outage.
#[cfg(feature = "outbound")]
impl<E> IntoResponse for crate::outbound::OutboundError<E> {
    fn into_response(self) -> Response {
        let status = self.response_status();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %self, "A handler's request to an API was not sent");
        }
        let kind = self.kind();
        let body = serde_json::json!({ "error": kind.as_str(), "error_description": kind.description() });
        let delay =
            self.retry_after().map(|delay| [(header::RETRY_AFTER, delay.as_secs().max(1).to_string())]);
        (delay, json(status, body.to_string())).into_response()
    }
}

impl OscAuthLayer {
    /// Returns a router that serves the layer's own paths: sign-in, callback, sign-out and session status.
    ///
    /// You need it only where the layer does not see these paths:
    /// - you add the layer by `route_layer`;
    /// - the router with the layer is inside `nest`, which drops the inner router's fallback (`nest_service` keeps it);
    /// - a `merge` or a `fallback` after the layer takes the unmatched paths.
    ///
    /// The layer still protects only the routes that it wraps.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer, OscToken};
    ///
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli")).build()?;
    /// let app: Router = Router::new()
    ///     .route("/private", get(|_: OscToken| async { "signed in" }))
    ///     .route_layer(auth.clone())
    ///     .merge(auth.routes())
    ///     .route("/", get(|| async { "for everyone" }));
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let config = &self.auth.config;
        let paths = [&config.signin_path, &config.callback_path, &config.signout_path, &config.session_path];
        paths.into_iter().fold(Router::new(), |router, path| {
            let auth = self.auth.clone();
            let serve = move |request: Request| {
                let auth = auth.clone();
                async move {
                    // Inside `nest`, axum has stripped the prefix already, so the path is one of the layer's own.
                    let Some(endpoint) = route(&auth.config, request.uri().path()) else {
                        return StatusCode::NOT_FOUND.into_response();
                    };
                    endpoints::serve(auth, endpoint, &request).await.map(Body::from)
                }
            };
            router.route(path, axum::routing::any(serve))
        })
    }
}
