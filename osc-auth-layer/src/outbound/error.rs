//! The errors of a request to an API.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::redact::line;
use crate::sessions::{SessionError, SessionErrorKind};

/// Says why a request to an API has no answer. `E` is the error of the HTTP client.
///
/// `Display` names no path, query or header, and never a token.
///
/// ```
/// use osc_auth_layer::{OutboundError, OutboundErrorKind};
///
/// fn is_worth_a_retry<E>(error: &OutboundError<E>) -> bool {
///     error.kind() == OutboundErrorKind::Unavailable // after error.retry_after()
/// }
/// ```
#[derive(Debug)]
pub struct OutboundError<E> {
    kind: OutboundErrorKind,
    /// The origin that is not named.
    origin: Option<String>,
    retry_after: Option<Duration>,
    client: Option<E>,
}

/// The kind of an [`OutboundError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutboundErrorKind {
    /// The request goes to an origin that is not among those of [`Outbound::to`](super::Outbound::to), or its URI is not absolute.
    /// Nothing was sent.
    ForeignOrigin,
    /// The request's extensions hold no [`OscSession`](crate::OscSession) and no [`OscToken`](crate::OscToken). Nothing was sent.
    NoSession,
    /// The session has ended, perhaps after the API refused its token. The user has to sign in again.
    SessionEnded,
    /// There is no fresh token, because the provider or the session store is unreachable. The session is kept. Try again.
    Unavailable,
    /// The HTTP client failed. [`into_client_error`](OutboundError::into_client_error) returns its error.
    Client,
}

impl OutboundErrorKind {
    /// Returns the name for programs, such as `session_ended`. The JSON answer in axum uses it as `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.name_and_status().0
    }

    /// Returns the name for programs, and the status with which an app can answer its own client.
    fn name_and_status(self) -> (&'static str, StatusCode) {
        match self {
            Self::ForeignOrigin => ("foreign_origin", StatusCode::INTERNAL_SERVER_ERROR),
            Self::NoSession => ("no_session", StatusCode::INTERNAL_SERVER_ERROR),
            Self::SessionEnded => ("session_ended", StatusCode::UNAUTHORIZED),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
            Self::Client => ("api_unreachable", StatusCode::BAD_GATEWAY),
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::ForeignOrigin => "the request goes to an origin that gets no token, so it was not sent",
            Self::NoSession => "the request carries no session, so it was not sent",
            Self::SessionEnded => "the session has ended; the user has to sign in again",
            Self::Unavailable => {
                "the provider or the session store is unreachable; the session is kept, so try again later"
            }
            Self::Client => "the API did not answer",
        }
    }
}

impl<E> OutboundError<E> {
    fn new(kind: OutboundErrorKind) -> Self {
        Self { kind, origin: None, retry_after: None, client: None }
    }

    /// `origin` is shown to the app's developer, so it may hold neither a user name nor a path.
    pub(super) fn foreign(origin: Option<String>) -> Self {
        Self {
            origin: origin.map(|origin| line(&origin, 200)),
            ..Self::new(OutboundErrorKind::ForeignOrigin)
        }
    }

    pub(super) fn no_session() -> Self {
        Self::new(OutboundErrorKind::NoSession)
    }

    pub(super) fn session(error: &SessionError) -> Self {
        let kind = match error.kind() {
            SessionErrorKind::Ended => OutboundErrorKind::SessionEnded,
            _ => OutboundErrorKind::Unavailable,
        };
        Self { retry_after: error.retry_after(), ..Self::new(kind) }
    }

    pub(super) fn client(error: E) -> Self {
        Self { client: Some(error), ..Self::new(OutboundErrorKind::Client) }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> OutboundErrorKind {
        self.kind
    }

    /// Returns how long to wait before a retry, if a retry makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the status with which your app can answer its own client: 401 for an ended session, 503 in an outage, 502 if the API
    /// did not answer, and 500 for a mistake in the app.
    #[must_use]
    pub fn response_status(&self) -> StatusCode {
        self.kind.name_and_status().1
    }

    /// Returns the error of the HTTP client, if it is one of the kind [`Client`](OutboundErrorKind::Client).
    #[must_use]
    pub fn into_client_error(self) -> Option<E> {
        self.client
    }
}

impl<E> fmt::Display for OutboundError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.description())?;
        match (self.kind, &self.origin) {
            (OutboundErrorKind::ForeignOrigin, Some(origin)) => {
                write!(f, "; if {origin} is an API of yours, add it to Outbound::to")
            }
            (OutboundErrorKind::ForeignOrigin, None) => {
                f.write_str("; give it an absolute URL without a user name")
            }
            (OutboundErrorKind::NoSession, _) => {
                f.write_str("; insert the user's OscSession into its extensions")
            }
            _ => Ok(()),
        }
    }
}

impl<E: Error + 'static> Error for OutboundError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.client.as_ref().map(|error| error as &(dyn Error + 'static))
    }
}
