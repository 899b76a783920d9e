//! The answer to a request: a success to read, or an error that repeats no secret.

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Doing, reason};
use super::{ContextError, ContextErrorKind, Outcome};
use crate::network::{NetworkError, WireResponse};

/// The result of a request, with the secrets that were sent for it, so that no error repeats one.
pub(super) struct Answer<'a> {
    pub(super) doing: Doing<'a>,
    pub(super) response: Result<WireResponse, NetworkError>,
    pub(super) secrets: Vec<String>,
    /// True if the request cannot have changed anything.
    pub(super) only_reads: bool,
    /// True if the same request was sent before and may have been carried out.
    pub(super) is_repeat: bool,
    /// True if the request carried a personal access token that the client cannot refresh.
    pub(super) is_to_bare_token: bool,
}

impl Answer<'_> {
    /// Adds a secret that was sent.
    pub(super) fn hiding(mut self, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
        self
    }

    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.response.as_ref().is_ok_and(|response| response.status == status)
    }

    pub(super) fn is_success(&self) -> bool {
        self.response.as_ref().is_ok_and(|response| response.status.is_success())
    }

    /// Returns the body of a successful answer.
    pub(super) fn success(&self) -> Outcome<&Bytes> {
        use ContextErrorKind as Kind;
        let response = self.response.as_ref().map_err(|lost| {
            let (kind, why) = match lost {
                NetworkError::NotSent => (Kind::Unavailable, "Open Source Cloud is unreachable"),
                NetworkError::TooLong => {
                    (Kind::UnexpectedAnswer, "Open Source Cloud sent an oversized answer")
                }
                _ if self.only_reads => (Kind::Unavailable, "Open Source Cloud did not answer"),
                NetworkError::PossiblyProcessed | NetworkError::TimedOut => (
                    Kind::Unavailable,
                    "Open Source Cloud did not answer; the request may have been carried out",
                ),
            };
            self.doing.error(kind, why)
        })?;
        let (kind, why) = match response.status {
            status if status.is_success() => return Ok(&response.body),
            StatusCode::UNAUTHORIZED if self.is_to_bare_token => (Kind::InvalidToken, INVALID_TOKEN),
            StatusCode::NOT_FOUND => (Kind::NotFound, "Open Source Cloud did not find it"),
            StatusCode::PAYMENT_REQUIRED => (Kind::PlanRequired, "the workspace's plan does not include it"),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                (Kind::Unavailable, "Open Source Cloud asks you to try again later")
            }
            status if status.is_client_error() => (Kind::Refused, REFUSED),
            status if status.is_server_error() => {
                (Kind::Unavailable, "Open Source Cloud has an internal error; try again later")
            }
            _ => (Kind::UnexpectedAnswer, UNREADABLE),
        };
        Err(self.error(response, kind, why).retry_in(response.retry_after))
    }

    /// Reads the JSON of a successful answer.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Outcome<T> {
        serde_json::from_slice(self.success()?).map_err(|error| {
            self.declined().unwrap_or_else(|| {
                // Only the position: the error's text may quote the answer.
                tracing::warn!(
                    doing = %self.doing,
                    line = error.line(),
                    column = error.column(),
                    "Open Source Cloud sent an answer that the layer cannot read. If this persists, report it."
                );
                self.doing.error(ContextErrorKind::UnexpectedAnswer, UNREADABLE)
            })
        })
    }

    /// Reads the JSON list of a successful answer. Skips malformed entries, so that one of them does not hide the others.
    pub(super) fn read_list<T: DeserializeOwned>(&self) -> Outcome<Vec<T>> {
        let entries: Vec<Value> = self.read()?;
        let given = entries.len();
        let read: Vec<T> =
            entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect();
        if read.len() < given {
            tracing::warn!(
                doing = %self.doing,
                passed_over = given - read.len(),
                "The layer skipped entries of a list from Open Source Cloud that it cannot read."
            );
        }
        Ok(read)
    }

    /// Checks that the answer is a success, and ignores its body.
    pub(super) fn done(&self) -> Outcome<()> {
        self.success()?;
        self.declined().map_or(Ok(()), Err)
    }

    /// Works like [`done`](Self::done) for a removal. If a repeated request finds nothing, the first one has succeeded.
    pub(super) fn done_removing(&self) -> Outcome<()> {
        if self.is_repeat && self.is(StatusCode::NOT_FOUND) { Ok(()) } else { self.done() }
    }

    /// Returns an error if OSC answered 2xx with only a `{reason}`: then it did not do what was asked.
    fn declined(&self) -> Option<ContextError> {
        #[derive(Deserialize)]
        struct Declined {
            #[serde(rename = "reason")]
            _reason: String,
        }
        let response = self.response.as_ref().ok()?;
        serde_json::from_slice::<Declined>(&response.body).ok()?;
        Some(self.error(response, ContextErrorKind::Refused, REFUSED))
    }

    fn error(&self, response: &WireResponse, kind: ContextErrorKind, why: &'static str) -> ContextError {
        let secrets: Vec<_> = self.secrets.iter().map(String::as_str).collect();
        self.doing.error(kind, why).answered(response.status, reason(&response.body, &secrets))
    }
}

const INVALID_TOKEN: &str =
    "the personal access token expired or was revoked; create another in the OSC console";
const REFUSED: &str = "Open Source Cloud refused the request";
pub(super) const UNREADABLE: &str = "Open Source Cloud sent an answer that the layer cannot read";
