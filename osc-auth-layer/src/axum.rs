//! axum: extractors for [`OscToken`], [`OscUser`], [`OscSession`] and, with feature `client`, `OscContext`; the layer's own paths as a
//! router (feature `axum`).

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::{Router, body::Body};
use http::request::Parts;
use http::{StatusCode, header};

use crate::endpoints;
use crate::layer::OscAuthLayer;
use crate::response::Visitor;
use crate::route::route;
use crate::session::{OscSession, OscToken, OscUser};

/// The answer of a handler that asks for a token where there is none: 401. Either the path is public and the visitor
/// not signed in, or the layer is missing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MissingToken;

/// A 401 has to have one (RFC 9110 §15.5.2).
const CHALLENGE: &str = "Cookie realm=\"osc\"";

impl IntoResponse for MissingToken {
    fn into_response(self) -> Response {
        let body = r#"{"error":"unauthenticated","error_description":"Sign in to go on."}"#;
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::WWW_AUTHENTICATE, CHALLENGE),
        ];
        (StatusCode::UNAUTHORIZED, headers, body).into_response()
    }
}

impl std::fmt::Display for MissingToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request has no OscToken: the visitor is not signed in, or OscAuthLayer is missing")
    }
}

impl std::error::Error for MissingToken {}

/// `$of` makes the extracted value from the token in the extensions.
macro_rules! extract {
    ($type:ty, $of:expr) => {
        impl<S: Sync> FromRequestParts<S> for $type {
            type Rejection = MissingToken;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingToken> {
                parts.extensions.get::<OscToken>().map($of).ok_or(MissingToken)
            }
        }

        impl<S: Sync> OptionalFromRequestParts<S> for $type {
            type Rejection = Infallible;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
                Ok(parts.extensions.get::<OscToken>().map($of))
            }
        }
    };
}

/// The answer of a handler that asks for an [`OscUser`] where there is none.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum MissingUser {
    /// 401: the visitor is not signed in, or the layer is missing.
    NotSignedIn,
    /// 500: the visitor is signed in, but the provider's access tokens do not name a workspace. OSC's do.
    Unknown,
}

impl IntoResponse for MissingUser {
    fn into_response(self) -> Response {
        match self {
            Self::NotSignedIn => MissingToken.into_response(),
            Self::Unknown => {
                tracing::error!(
                    "a handler asked for OscUser, but the provider's access tokens do not name a workspace; \
                     use Option<OscUser> with this provider"
                );
                let body = r#"{"error":"user_unknown","error_description":"This app could not find out who you are."}"#;
                let headers =
                    [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
                (StatusCode::INTERNAL_SERVER_ERROR, headers, body).into_response()
            }
        }
    }
}

impl std::fmt::Display for MissingUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSignedIn => MissingToken.fmt(f),
            Self::Unknown => f.write_str("the provider's access tokens do not name a workspace"),
        }
    }
}

impl std::error::Error for MissingUser {}

impl<S: Sync> FromRequestParts<S> for OscUser {
    type Rejection = MissingUser;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingUser> {
        let token = parts.extensions.get::<OscToken>().ok_or(MissingUser::NotSignedIn)?;
        token.user().ok_or(MissingUser::Unknown)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for OscUser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<OscToken>().and_then(OscToken::user))
    }
}

extract!(OscToken, OscToken::clone);
extract!(OscSession, OscToken::session);
#[cfg(feature = "client")]
extract!(crate::client::OscContext, OscToken::context);

/// JSON `{"error", "error_description"}` with [`response_status`](crate::ContextError::response_status), and
/// `Retry-After` where OSC gave one: for handlers that return `Result<_, ContextError>`.
#[cfg(feature = "client")]
impl IntoResponse for crate::client::ContextError {
    fn into_response(self) -> Response {
        let body =
            serde_json::json!({ "error": self.kind().as_str(), "error_description": self.to_string() });
        let headers = [
            (header::CONTENT_TYPE, http::HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, http::HeaderValue::from_static("no-store")),
        ];
        let mut response = (self.response_status(), headers, body.to_string()).into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge = http::HeaderValue::from_static(CHALLENGE);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(delay) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, delay.as_secs().max(1).into());
        }
        response
    }
}

impl OscAuthLayer {
    /// The layer's own paths as a router, for where the layer itself cannot see them: below `route_layer`; inside
    /// `nest`, which drops the nested router's own fallback (`nest_service` keeps it); and when a `merge` or a
    /// `fallback` comes after the layer and takes the unmatched paths from it. It restores the sign-in paths only: what
    /// the layer does not wrap is not protected.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use osc_auth_layer::{Client, OscAuthLayer, OscToken};
    ///
    /// let auth = OscAuthLayer::builder(Client::public("cli")).build()?;
    /// let app: Router = Router::new()
    ///     .route("/private", get(|_: OscToken| async { "signed in" }))
    ///     .route_layer(auth.clone())
    ///     .merge(auth.routes())
    ///     .route("/", get(|| async { "for everyone" }));
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let config = &self.shared.config;
        let paths = [&config.signin_path, &config.callback_path, &config.signout_path, &config.session_path];
        paths.into_iter().fold(Router::new(), |router, path| {
            let shared = self.shared.clone();
            let serve = move |request: Request| {
                let shared = shared.clone();
                async move {
                    // Below `nest` the path is stripped already, so it is one of ours.
                    let Some(endpoint) = route(&shared.config, request.uri().path()) else {
                        return StatusCode::NOT_FOUND.into_response();
                    };
                    let visitor = Visitor::of(&shared.config, &request).without_return();
                    let head = endpoints::head(&shared.config, endpoint, &request);
                    endpoints::serve(shared, endpoint, visitor, head).await.map(Body::from)
                }
            };
            router.route(path, axum::routing::any(serve))
        })
    }
}
