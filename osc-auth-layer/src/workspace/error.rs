//! The errors of calls on the user's behalf, in words for the user.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::answer::Doing;
use crate::sessions::{SessionError, SessionErrorKind};

/// Says why a call of an [`OscContext`](crate::OscContext) failed.
///
/// `Display` is a sentence that you may show to the user: what failed, why, and the platform's own reason. It never contains
/// a token, even if the platform repeats one. [`kind`](Self::kind) tells your code what to do.
///
/// ```
/// use osc_auth_layer::{ContextError, ContextErrorKind, OscContext};
/// use serde_json::json;
///
/// async fn make(osc: &OscContext, name: &str) -> Result<String, ContextError> {
///     match osc.service("minio-minio").instance(name).create(json!({})).await {
///         Ok(_) => Ok(format!("{name} is starting")),
///         Err(error) if error.kind() == ContextErrorKind::NameTaken => Ok(format!("{name} is there already")),
///         Err(error) => Err(error), // could not create store (minio-minio): …
///     }
/// }
/// ```
#[derive(Clone)]
pub struct ContextError(Box<Problem>);

/// The result of a call or of a part of it.
pub(super) type Outcome<T> = Result<T, ContextError>;

#[derive(Clone)]
struct Problem {
    kind: ContextErrorKind,
    doing: String,
    why: Cow<'static, str>,
    status: Option<StatusCode>,
    reason: Option<String>,
    retry_after: Option<Duration>,
    last_status: Option<String>,
}

/// Groups the errors of an [`OscContext`](crate::OscContext) by what your app can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContextErrorKind {
    /// An argument is not valid, such as a name with a capital letter. Nothing was sent.
    InvalidInput,
    /// The platform's address is unknown: the issuer does not belong to OSC, and no `platform` is configured.
    NotConfigured,
    /// The session has ended. The user has to sign in again.
    SessionEnded,
    /// The platform refuses the personal access token that the context was built with, because it expired or was revoked.
    /// Only contexts without a session return this.
    InvalidToken,
    /// The workspace does not subscribe to the service.
    NotSubscribed,
    /// An instance of this name exists already.
    NameTaken,
    /// It is unknown whether the instance was created: the answer was lost, or a gateway answered instead. The instance may
    /// turn up minutes later. Look for it before you create it again, or use
    /// [`create_or_adopt`](crate::workspace::OscInstance::create_or_adopt), which does both.
    MaybeCreated,
    /// There is no such instance, service, secret or subscription.
    NotFound,
    /// OSC refuses the request: the user lacks the right, no tokens are left, or OSC does not accept the options.
    Refused,
    /// The workspace's plan does not include this (402).
    PlanRequired,
    /// The instance or service does not support this.
    NotSupported,
    /// The instance or job that you wait for has failed. Waiting longer does not help.
    Failed,
    /// The timeout of the call passed first.
    TimedOut,
    /// OSC did not answer, or answered with 408, 425, 429 or 5xx; or the session's token has expired and the provider is
    /// unreachable. Try again later. A request without an answer may still have been carried out.
    Unavailable,
    /// OSC sent an answer of the wrong form, or named an address that does not belong to it.
    UnexpectedAnswer,
}

impl ContextErrorKind {
    /// Returns the name for programs, such as `name_taken`. The JSON answer in axum uses it as `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.name_and_status().0
    }

    /// Returns the name for programs, and the status with which an app can answer its own client.
    fn name_and_status(self) -> (&'static str, StatusCode) {
        match self {
            Self::InvalidInput => ("invalid_input", StatusCode::BAD_REQUEST),
            Self::NotConfigured => ("not_configured", StatusCode::INTERNAL_SERVER_ERROR),
            Self::SessionEnded => ("session_ended", StatusCode::UNAUTHORIZED),
            Self::InvalidToken => ("invalid_token", StatusCode::INTERNAL_SERVER_ERROR),
            Self::NotSubscribed => ("not_subscribed", StatusCode::NOT_FOUND),
            Self::NameTaken => ("name_taken", StatusCode::CONFLICT),
            Self::MaybeCreated => ("maybe_created", StatusCode::GATEWAY_TIMEOUT),
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND),
            Self::Refused => ("refused", StatusCode::FORBIDDEN),
            Self::PlanRequired => ("plan_required", StatusCode::PAYMENT_REQUIRED),
            Self::NotSupported => ("not_supported", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Failed => ("failed", StatusCode::BAD_GATEWAY),
            Self::TimedOut => ("timed_out", StatusCode::GATEWAY_TIMEOUT),
            Self::Unavailable => ("unavailable", StatusCode::BAD_GATEWAY),
            Self::UnexpectedAnswer => ("unexpected_answer", StatusCode::BAD_GATEWAY),
        }
    }
}

impl ContextError {
    pub(super) fn new(kind: ContextErrorKind, doing: Doing<'_>, why: impl Into<Cow<'static, str>>) -> Self {
        let why = why.into();
        let doing = doing.to_string();
        let problem =
            Problem { kind, doing, why, status: None, reason: None, retry_after: None, last_status: None };
        Self(Box::new(problem))
    }

    pub(super) fn answered(mut self, status: StatusCode, reason: Option<String>) -> Self {
        (self.0.status, self.0.reason) = (Some(status), reason);
        self
    }

    pub(super) fn retry_in(mut self, delay: Option<Duration>) -> Self {
        self.0.retry_after = delay;
        self
    }

    /// Adds the last status that a wait saw.
    pub(super) fn after_status(mut self, last: Option<String>) -> Self {
        self.0.last_status = last;
        self
    }

    pub(super) fn why(&self) -> &str {
        &self.0.why
    }

    pub(super) fn with_kind(mut self, kind: ContextErrorKind, why: &'static str) -> Self {
        (self.0.kind, self.0.why) = (kind, why.into());
        self
    }

    pub(super) fn of_session(doing: Doing<'_>, error: &SessionError) -> Self {
        use ContextErrorKind::{Refused, SessionEnded, Unavailable};
        let kind = match error.kind() {
            SessionErrorKind::Ended => SessionEnded,
            SessionErrorKind::Unavailable => Unavailable,
            SessionErrorKind::NotRefreshable | SessionErrorKind::FreshTokenRejected => Refused,
        };
        Self::new(kind, doing, error.to_string()).retry_in(error.retry_after())
    }

    /// Returns the kind of error, which says what to do.
    #[must_use]
    pub fn kind(&self) -> ContextErrorKind {
        self.0.kind
    }

    /// Returns the HTTP status of OSC's answer. `None` if there was no answer, or if it had the wrong form.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns OSC's own reason: one line of plain text, of at most 300 characters. Escape it before you put it into HTML.
    /// `None` if OSC gives no readable reason.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Returns the last status that a wait saw, such as `starting`. `None` if it saw none, or none that is a plain word.
    #[must_use]
    pub fn last_status(&self) -> Option<&str> {
        self.0.last_status.as_deref()
    }

    /// Returns how long to wait before the next try, if OSC or the provider asks for a delay.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the status with which your app can answer its own client. It is 401 only if the session has ended, because the
    /// browser can do nothing about a token that OSC refuses.
    ///
    /// | kind | status |
    /// |---|---|
    /// | `InvalidInput` | 400 |
    /// | `SessionEnded` | 401 |
    /// | `PlanRequired` | 402 |
    /// | `Refused` | 403 |
    /// | `NotFound`, `NotSubscribed` | 404 |
    /// | `NameTaken` | 409 |
    /// | `NotSupported` | 422 |
    /// | `NotConfigured`, `InvalidToken` | 500 |
    /// | `Unavailable`, `UnexpectedAnswer`, `Failed` | 502 |
    /// | `TimedOut`, `MaybeCreated` | 504 |
    #[must_use]
    pub fn response_status(&self) -> StatusCode {
        self.kind().name_and_status().1
    }
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { kind, doing, why, reason, last_status, .. } = &*self.0;
        write!(f, "could not {doing}: {why}")?;
        if let Some(reason) = reason.as_ref().filter(|reason| *reason != why) {
            write!(f, " (OSC says: {reason})")?;
        }
        // The text of these two kinds names the status already.
        let says_status = matches!(kind, ContextErrorKind::TimedOut | ContextErrorKind::Failed);
        match last_status {
            Some(status) if !says_status => write!(f, "; its last status was {status}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextError")
            .field("kind", &self.kind())
            .field("text", &self.to_string())
            .field("status", &self.status())
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl std::error::Error for ContextError {}
