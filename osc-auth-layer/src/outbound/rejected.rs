//! Decides what follows a 401.

use crate::sessions::{OscToken, SessionError, SessionErrorKind};

/// The next step after an API refused a token.
#[derive(Debug)]
pub(super) enum Next {
    /// Send the request again with this token.
    Retry(OscToken),
    /// The app gets the 401.
    Answer,
    Fail(SessionError),
}

/// Decides by the result of the refresh. `can_retry` is false if the request cannot be repeated.
pub(super) fn next(refreshed: Result<OscToken, SessionError>, can_retry: bool) -> Next {
    match refreshed {
        Ok(token) if can_retry => Next::Retry(token),
        Ok(_) => Next::Answer,
        Err(error) => match error.kind() {
            // The token is not the reason, or there is no other.
            SessionErrorKind::NotRefreshable | SessionErrorKind::FreshTokenRejected => Next::Answer,
            SessionErrorKind::Ended | SessionErrorKind::Unavailable => Next::Fail(error),
        },
    }
}
