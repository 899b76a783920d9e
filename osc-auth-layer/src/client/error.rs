//! Why a call on the user's behalf did not succeed, in words for a person.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::network::NetworkError;
use crate::session::{SessionError, SessionErrorKind};

/// Why a call of an [`OscContext`](crate::OscContext) did not succeed.
///
/// `Display` is a sentence for a person: what could not be done, why, and what the platform says about it. No token is
/// ever part of it, also when the platform repeats one.
///
/// ```
/// use osc_auth_layer::{ContextError, ContextErrorKind, OscContext};
/// use serde_json::json;
///
/// async fn make(osc: &OscContext, name: &str) -> Result<String, ContextError> {
///     match osc.create_instance("minio-minio", name, json!({})).await {
///         Ok(_) => Ok(format!("{name} is starting")),
///         Err(error) if error.kind() == ContextErrorKind::NameTaken => Ok(format!("{name} is there already")),
///         Err(error) => Err(error), // could not create store (minio-minio): …
///     }
/// }
/// ```
#[derive(Clone)]
pub struct ContextError(Box<Problem>);

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

/// The kinds of [`ContextError`]: whose fault it is, and so what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContextErrorKind {
    /// What was given cannot be sent, such as a name with a capital letter. Nothing was sent.
    InvalidInput,
    /// It is not known where the platform is: the issuer is none of OSC's, and no `platform` was configured.
    NotConfigured,
    /// The session is over: the user has to sign in again.
    SessionEnded,
    /// The platform refuses the personal access token that the context was built with, and there is no newer one: it expired
    /// or was revoked. Only contexts without a session return this.
    InvalidToken,
    /// The workspace does not subscribe to the service.
    NotSubscribed,
    /// There is an instance of this name already.
    NameTaken,
    /// The platform did not say what became of a create: the answer was lost, or a gateway answered in its place. The instance may
    /// turn up minutes later. Look for it before you create it again, or use
    /// [`create_or_adopt_instance`](crate::OscContext::create_or_adopt_instance), which does both.
    MaybeCreated,
    /// There is no such instance or service.
    NotFound,
    /// OSC understood and declined: no right to it, no tokens left, options it does not take.
    Refused,
    /// The workspace's plan does not include it (402).
    PlanRequired,
    /// The instance does not offer this.
    NotSupported,
    /// The instance or job that was waited for has failed. Waiting does not change that.
    Failed,
    /// It did not happen before the caller's deadline.
    DeadlineExceeded,
    /// OSC did not answer, or with 429 or 5xx; or the session's token has expired and the provider is out of reach. Try
    /// again. When a request got no answer, it may have been carried out all the same.
    Unavailable,
    /// OSC answered something that makes no sense, or named an address that is none of its own.
    UnexpectedAnswer,
}

impl ContextErrorKind {
    /// Its name for programs, such as `name_taken`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotConfigured => "not_configured",
            Self::SessionEnded => "session_ended",
            Self::InvalidToken => "invalid_token",
            Self::NotSubscribed => "not_subscribed",
            Self::NameTaken => "name_taken",
            Self::MaybeCreated => "maybe_created",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::PlanRequired => "plan_required",
            Self::NotSupported => "not_supported",
            Self::Failed => "failed",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Unavailable => "unavailable",
            Self::UnexpectedAnswer => "unexpected_answer",
        }
    }
}

impl ContextError {
    pub(super) fn new(
        kind: ContextErrorKind,
        doing: impl fmt::Display,
        why: impl Into<Cow<'static, str>>,
    ) -> Self {
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

    /// For the end of a wait.
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

    pub(super) fn of_session(doing: impl fmt::Display, error: &SessionError) -> Self {
        let kind = match error.kind() {
            SessionErrorKind::Ended => ContextErrorKind::SessionEnded,
            SessionErrorKind::Unavailable => ContextErrorKind::Unavailable,
            SessionErrorKind::NotRefreshable | SessionErrorKind::FreshTokenRejected => {
                ContextErrorKind::Refused
            }
        };
        Self::new(kind, doing, error.to_string()).retry_in(error.retry_after())
    }

    pub(super) fn of_network(doing: impl fmt::Display, error: NetworkError, only_reads: bool) -> Self {
        let (kind, why) = match error {
            NetworkError::NotSent => (ContextErrorKind::Unavailable, "Open Source Cloud is out of reach"),
            NetworkError::PossiblyProcessed | NetworkError::TimedOut if only_reads => {
                (ContextErrorKind::Unavailable, "Open Source Cloud did not answer")
            }
            NetworkError::PossiblyProcessed | NetworkError::TimedOut => {
                (ContextErrorKind::Unavailable, "Open Source Cloud did not answer, but may have done it")
            }
            NetworkError::TooLong => {
                (ContextErrorKind::UnexpectedAnswer, "the answer of Open Source Cloud is too long")
            }
        };
        Self::new(kind, doing, why)
    }

    pub(super) fn unexpected(doing: impl fmt::Display) -> Self {
        Self::new(
            ContextErrorKind::UnexpectedAnswer,
            doing,
            "Open Source Cloud gave an answer that makes no sense",
        )
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ContextErrorKind {
        self.0.kind
    }

    /// The status that OSC answered with, when that was not a success.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// What OSC itself says about it: one line of at most 300 characters, plain text that is yet to be escaped for
    /// HTML. `None` when it says nothing, or nothing for people to read.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Returns the last status of what was waited for, such as `starting`, if one was seen and is a plain word.
    #[must_use]
    pub fn last_status(&self) -> Option<&str> {
        self.0.last_status.as_deref()
    }

    /// How long to wait before another try, when OSC says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What an app fitly answers its own client. A token that OSC refuses is not the browser's doing, so this is 401 only
    /// when the session is over.
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
    /// | `DeadlineExceeded`, `MaybeCreated` | 504 |
    #[must_use]
    pub fn response_status(&self) -> StatusCode {
        match self.kind() {
            ContextErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
            ContextErrorKind::SessionEnded => StatusCode::UNAUTHORIZED,
            ContextErrorKind::PlanRequired => StatusCode::PAYMENT_REQUIRED,
            ContextErrorKind::Refused => StatusCode::FORBIDDEN,
            ContextErrorKind::NotFound | ContextErrorKind::NotSubscribed => StatusCode::NOT_FOUND,
            ContextErrorKind::NameTaken => StatusCode::CONFLICT,
            ContextErrorKind::NotSupported => StatusCode::UNPROCESSABLE_ENTITY,
            ContextErrorKind::NotConfigured | ContextErrorKind::InvalidToken => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ContextErrorKind::Unavailable | ContextErrorKind::UnexpectedAnswer | ContextErrorKind::Failed => {
                StatusCode::BAD_GATEWAY
            }
            ContextErrorKind::DeadlineExceeded | ContextErrorKind::MaybeCreated => {
                StatusCode::GATEWAY_TIMEOUT
            }
        }
    }
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { kind, doing, why, reason, last_status, .. } = &*self.0;
        write!(f, "could not {doing}: {why}")?;
        if let Some(reason) = reason.as_ref().filter(|reason| *reason != why) {
            write!(f, " (OSC says: {reason})")?;
        }
        // The other errors at the end of a wait are about the status itself.
        let says_status = matches!(kind, ContextErrorKind::DeadlineExceeded | ContextErrorKind::Failed);
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
