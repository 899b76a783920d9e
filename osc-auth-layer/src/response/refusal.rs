//! The reasons why the layer refuses a request, with their codes and status. Their texts are in `texts`.

use std::borrow::Cow;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::meter::SignIn;
use crate::redact::line;
use crate::request::cookie::BadCookie;
use crate::sessions::Side;

/// The most characters of a user's name in an answer.
const LONGEST_NAME: usize = 100;

/// The reason why the layer refuses a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    Unauthenticated,
    SessionEnded,
    /// A session has no token at the moment.
    TemporarilyUnavailable {
        retry_after: Duration,
        side: Side,
    },
    /// The provider does not answer at a sign-in.
    ProviderUnavailable,
    /// The session store does not answer at a sign-in.
    StoreUnavailable,
    Misconfigured,
    /// The visitor opened the app at a host that `PUBLIC_URL` does not name.
    UnknownHost {
        host: String,
    },
    /// The proxy did not remove the path of `PUBLIC_URL`.
    KeptPrefix {
        prefix: String,
    },
    InvalidState(StateProblem),
    AccessDenied,
    /// The user may not enter this app.
    NotAllowed,
    /// The request comes from a page that was made for another user than the one who is signed in. Contains the name of the
    /// latter, if that is known.
    OtherUser {
        name: Option<String>,
    },
    /// The app needs the user's workspace, and the provider's tokens do not name it.
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "an extractor makes it"))]
    UserUnknown,
    SignInFailed,
    InvalidRequest(RequestProblem),
    BadCookie(BadCookie),
    MethodNotAllowed {
        allow: Method,
    },
    Forbidden,
}

/// The reason why a callback's `state` completes no sign-in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StateProblem {
    Expired,
    Used,
    /// The layer removed its cookie, because the browser began several other sign-ins since.
    Evicted,
    /// The browser sent no cookie of any sign-in.
    NoCookie,
    /// It belongs to another browser, another app, or to nothing.
    Foreign,
}

impl StateProblem {
    /// Returns how the sign-in ended.
    pub(crate) fn outcome(self) -> SignIn {
        match self {
            Self::Expired => SignIn::StateExpired,
            Self::Used => SignIn::StateUsed,
            Self::Evicted => SignIn::StateEvicted,
            Self::NoCookie => SignIn::StateWithoutCookie,
            Self::Foreign => SignIn::StateForeign,
        }
    }
}

/// The reason why a request to one of the layer's paths is not valid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RequestProblem {
    QueryTooLong,
    /// The query is not valid percent-encoded UTF-8.
    QueryNotText,
    DuplicateParameter,
    /// The callback has neither a code nor an error.
    EmptyCallback,
    /// The callback names another issuer, or none although the provider announces one (RFC 9207).
    OtherIssuer,
    /// A frame, a script or a prefetch asks for a sign-in.
    NotAWindow,
}

/// The codes of a refusal in each form of an answer.
pub(super) struct Kind {
    pub(super) error: &'static str,
    pub(super) status: StatusCode,
    pub(super) grpc: GrpcStatus,
    /// True if a new sign-in can help. During an outage it would replace a session that is still good.
    pub(super) offers_signin: bool,
}

/// A status code of gRPC (<https://grpc.io/docs/guides/status-codes>).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum GrpcStatus {
    InvalidArgument = 3,
    PermissionDenied = 7,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Refusal {
    /// Returns the codes. The app chooses the status of an outage.
    pub(super) fn kind(&self, outage_status: StatusCode) -> Kind {
        let (error, status, grpc, offers_signin) = match self {
            Self::Unauthenticated => {
                ("unauthenticated", StatusCode::UNAUTHORIZED, GrpcStatus::Unauthenticated, true)
            }
            Self::SessionEnded => {
                ("session_ended", StatusCode::UNAUTHORIZED, GrpcStatus::Unauthenticated, true)
            }
            Self::TemporarilyUnavailable { .. } => {
                ("temporarily_unavailable", outage_status, GrpcStatus::Unavailable, false)
            }
            Self::ProviderUnavailable => {
                ("provider_unavailable", StatusCode::BAD_GATEWAY, GrpcStatus::Unavailable, true)
            }
            Self::StoreUnavailable => {
                ("store_unavailable", StatusCode::SERVICE_UNAVAILABLE, GrpcStatus::Unavailable, true)
            }
            Self::Misconfigured | Self::UnknownHost { .. } | Self::KeptPrefix { .. } => {
                ("misconfigured", StatusCode::INTERNAL_SERVER_ERROR, GrpcStatus::Internal, false)
            }
            Self::InvalidState(_) => {
                ("invalid_state", StatusCode::BAD_REQUEST, GrpcStatus::InvalidArgument, true)
            }
            Self::AccessDenied => {
                ("access_denied", StatusCode::UNAUTHORIZED, GrpcStatus::Unauthenticated, true)
            }
            Self::NotAllowed => ("not_allowed", StatusCode::FORBIDDEN, GrpcStatus::PermissionDenied, true),
            Self::OtherUser { .. } => {
                ("other_user", StatusCode::CONFLICT, GrpcStatus::FailedPrecondition, true)
            }
            Self::UserUnknown => {
                ("user_unknown", StatusCode::INTERNAL_SERVER_ERROR, GrpcStatus::Internal, false)
            }
            Self::SignInFailed => {
                ("sign_in_failed", StatusCode::UNAUTHORIZED, GrpcStatus::Unauthenticated, true)
            }
            Self::InvalidRequest(_) | Self::BadCookie(_) => {
                ("invalid_request", StatusCode::BAD_REQUEST, GrpcStatus::InvalidArgument, true)
            }
            Self::MethodNotAllowed { .. } => {
                ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, GrpcStatus::Unimplemented, false)
            }
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, GrpcStatus::PermissionDenied, false),
        };
        Kind { error, status, grpc, offers_signin }
    }

    pub(crate) fn error(&self) -> &'static str {
        self.kind(StatusCode::default()).error
    }

    /// Returns true if the visitor only has to sign in.
    pub(super) fn needs_signin(&self) -> bool {
        matches!(self, Self::Unauthenticated | Self::SessionEnded)
    }

    /// Returns the text that fills a placeholder of this refusal's texts.
    pub(super) fn value(&self, placeholder: &str) -> Option<Cow<'_, str>> {
        match (self, placeholder) {
            (Self::UnknownHost { host }, "host") => Some(host.into()),
            (Self::KeptPrefix { prefix }, "prefix") => Some(prefix.into()),
            // A gRPC message is a header, so its length is limited.
            (Self::OtherUser { name }, "name") => Some(line(name.as_deref()?, LONGEST_NAME).into()),
            _ => None,
        }
    }
}
