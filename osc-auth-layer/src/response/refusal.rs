//! The reasons why the layer refuses a request, with their codes, status and texts.

use std::borrow::Cow;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::request::cookie::BadCookie;
use crate::sessions::Side;

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
    SignInFailed,
    InvalidRequest(&'static str),
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
    fn description(self) -> &'static str {
        match self {
            Self::Expired => "This sign-in took longer than ten minutes. Sign in again.",
            Self::Used => "This sign-in was used already. Sign in again.",
            Self::Evicted => "Your browser began several other sign-ins since this one. Sign in again.",
            Self::NoCookie => {
                "Your browser sent no cookie of this sign-in. Does it block cookies of this site? Allow them, then sign in \
                 again. If you began in another browser, go on there."
            }
            Self::Foreign => "This sign-in did not begin in this browser. Sign in here.",
        }
    }
}

/// The error code of an answer, its status, and whether a new sign-in can help. During an outage a sign-in would replace a
/// session that is still good, and the app chooses the status.
pub(super) type Kind = (&'static str, StatusCode, bool);

impl Refusal {
    pub(super) fn kind(&self, outage_status: StatusCode) -> Kind {
        match self {
            Self::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, true),
            Self::SessionEnded => ("session_ended", StatusCode::UNAUTHORIZED, true),
            Self::TemporarilyUnavailable { .. } => ("temporarily_unavailable", outage_status, false),
            Self::ProviderUnavailable => ("provider_unavailable", StatusCode::BAD_GATEWAY, true),
            Self::StoreUnavailable => ("store_unavailable", StatusCode::SERVICE_UNAVAILABLE, true),
            Self::Misconfigured | Self::UnknownHost { .. } | Self::KeptPrefix { .. } => {
                ("misconfigured", StatusCode::INTERNAL_SERVER_ERROR, false)
            }
            Self::InvalidState(_) => ("invalid_state", StatusCode::BAD_REQUEST, true),
            Self::AccessDenied => ("access_denied", StatusCode::UNAUTHORIZED, true),
            Self::NotAllowed => ("not_allowed", StatusCode::FORBIDDEN, true),
            Self::SignInFailed => ("sign_in_failed", StatusCode::UNAUTHORIZED, true),
            Self::InvalidRequest(_) | Self::BadCookie(_) => {
                ("invalid_request", StatusCode::BAD_REQUEST, true)
            }
            Self::MethodNotAllowed { .. } => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, false),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, false),
        }
    }

    pub(crate) fn error(&self) -> &'static str {
        self.kind(StatusCode::default()).0
    }

    /// Tells the user what failed and what to do. Contains only the layer's own words. The provider's words go to the log.
    pub(super) fn description(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::UnknownHost { host } => {
                return Cow::Owned(format!(
                    "You opened this app at {host}, which is not one of its addresses. Its operator has to add it to \
                     PUBLIC_URL."
                ));
            }
            Self::KeptPrefix { prefix } => {
                return Cow::Owned(format!(
                    "The proxy in front of this app does not remove {prefix}, the path of PUBLIC_URL. The app's operator has to \
                     change the proxy: in nginx, a slash ends both location and proxy_pass. The app's log says more."
                ));
            }
            Self::Unauthenticated => "Sign in to continue.",
            Self::SessionEnded => "Open Source Cloud ended your session. Sign in again.",
            Self::TemporarilyUnavailable { side: Side::Provider, .. } => {
                "This app cannot reach Open Source Cloud. You are still signed in. Try again shortly."
            }
            Self::TemporarilyUnavailable { side: Side::Store, .. } => {
                "This app cannot reach its own session store. Your session is kept. Try again shortly."
            }
            Self::TemporarilyUnavailable { side: Side::Settings, .. } => {
                "Open Source Cloud no longer accepts this app's settings. You are still signed in. The app's operator finds \
                 the reason in its log."
            }
            Self::ProviderUnavailable => {
                "This app cannot reach Open Source Cloud, so it cannot sign you in. Try again shortly."
            }
            Self::StoreUnavailable => {
                "This app cannot reach its own session store, so it cannot sign you in. Try again shortly."
            }
            Self::Misconfigured => {
                "Sign-in is not set up correctly in this app. Its operator finds the reason in the app's log."
            }
            Self::InvalidState(problem) => problem.description(),
            Self::AccessDenied => "The access that this app asked for was declined. You are not signed in.",
            Self::NotAllowed => {
                "This account is not allowed to use this app. Sign in with another account or workspace."
            }
            Self::SignInFailed => "Open Source Cloud did not complete the sign-in. Try again.",
            Self::InvalidRequest(problem) => problem,
            Self::BadCookie(bad) => bad.problem(),
            Self::MethodNotAllowed { allow: Method::POST } => {
                "This link does not sign you out. Use the app's own button."
            }
            Self::MethodNotAllowed { .. } => "This address does not accept this HTTP method.",
            Self::Forbidden => {
                "The request came from another site. This address accepts requests from this app's own pages only."
            }
        })
    }
}
