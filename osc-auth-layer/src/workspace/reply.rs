//! The answer to a request: a success to read, or an error that repeats no secret.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Doing, judge, reason, token_of};
use super::error::{ContextError, ContextErrorKind};
use super::source::TokenSource;
use crate::network::WireResponse;

/// An answer with the tokens that were sent for it, so that no error repeats one.
pub(super) struct Answer {
    response: WireResponse,
    sent: Vec<HeaderValue>,
    is_repeat: bool,
    is_to_bare_token: bool,
}

impl Answer {
    /// Makes an answer. `is_repeat` says that the same request was sent before and may have been carried out.
    pub(super) fn new(response: WireResponse, token: HeaderValue, is_repeat: bool) -> Self {
        Self { response, sent: vec![token], is_repeat, is_to_bare_token: false }
    }

    pub(super) fn also_to(mut self, token: HeaderValue) -> Self {
        self.sent.push(token);
        self
    }

    /// Notes that `source` has no newer token than the refused one.
    pub(super) fn sent_by(mut self, source: &TokenSource) -> Self {
        self.is_to_bare_token = matches!(source, TokenSource::Bare(_));
        self
    }

    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.response.status == status
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response.status
    }

    /// Returns true if the service itself says what is wrong, or that it is unavailable for now (RFC 9110 §15.6.4). A page or
    /// a plain text may come from a gateway instead.
    pub(super) fn is_explained(&self) -> bool {
        let json: Value = serde_json::from_slice(&self.response.body).unwrap_or_default();
        ["reason", "message"].iter().any(|field| json[field].is_string())
            || (self.is(StatusCode::SERVICE_UNAVAILABLE) && self.response.retry_after.is_some())
    }

    /// Returns the body of a successful answer.
    pub(super) fn success(self, doing: Doing<'_>) -> Result<Bytes, ContextError> {
        self.success_hiding(doing, &[]).map(|success| success.body)
    }

    /// Reads the JSON of a successful answer.
    pub(super) fn read<T: DeserializeOwned>(self, doing: Doing<'_>) -> Result<T, ContextError> {
        self.success_hiding(doing, &[])?.read(doing)
    }

    /// Reads the JSON list of a successful answer. Skips malformed entries, so that one of them does not hide the others.
    pub(super) fn read_list<T: DeserializeOwned>(self, doing: Doing<'_>) -> Result<Vec<T>, ContextError> {
        let entries: Vec<Value> = self.read(doing)?;
        let given = entries.len();
        let read: Vec<T> =
            entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect();
        if read.len() < given {
            tracing::warn!(
                %doing,
                passed_over = given - read.len(),
                "The layer skipped entries of a list from Open Source Cloud that it cannot read."
            );
        }
        Ok(read)
    }

    /// Checks that the answer is a success, and ignores its body.
    pub(super) fn done(self, doing: Doing<'_>) -> Result<(), ContextError> {
        self.done_hiding(doing, &[])
    }

    /// Works like [`done`](Self::done) for a request whose body contained `secrets`.
    pub(super) fn done_hiding(self, doing: Doing<'_>, secrets: &[&str]) -> Result<(), ContextError> {
        let success = self.success_hiding(doing, secrets)?;
        success.declined(doing).map_or(Ok(()), Err)
    }

    /// Works like [`done`](Self::done) for a removal. If a repeated request finds nothing, the first one has succeeded.
    pub(super) fn done_removing(self, doing: Doing<'_>) -> Result<(), ContextError> {
        if self.is_repeat && self.is(StatusCode::NOT_FOUND) {
            return Ok(());
        }
        self.done(doing)
    }

    fn success_hiding(self, doing: Doing<'_>, secrets: &[&str]) -> Result<Success, ContextError> {
        let hidden: Vec<_> =
            self.sent.iter().map(token_of).chain(secrets.iter().copied()).map(str::to_owned).collect();
        let sent: Vec<_> = hidden.iter().map(String::as_str).collect();
        let (status, is_unauthorized) = (self.response.status, self.is(StatusCode::UNAUTHORIZED));
        match judge(doing, self.response, &sent) {
            Ok(body) => Ok(Success { status, body, hidden }),
            Err(error) if is_unauthorized && self.is_to_bare_token => {
                let why =
                    "the personal access token expired or was revoked; create another in the OSC console";
                Err(error.with_kind(ContextErrorKind::InvalidToken, why))
            }
            Err(error) => Err(error),
        }
    }
}

struct Success {
    status: StatusCode,
    body: Bytes,
    hidden: Vec<String>,
}

impl Success {
    fn read<T: DeserializeOwned>(&self, doing: Doing<'_>) -> Result<T, ContextError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            self.declined(doing).unwrap_or_else(|| {
                // Only the position: the error's text may quote the answer.
                let (line, column) = (error.line(), error.column());
                tracing::warn!(
                    %doing,
                    line,
                    column,
                    "Open Source Cloud sent an answer that the layer cannot read. If this persists, report it."
                );
                ContextError::unexpected(doing)
            })
        })
    }

    /// Returns an error if OSC answered 2xx with only a `{reason}`: then it did not do what was asked.
    fn declined(&self, doing: Doing<'_>) -> Option<ContextError> {
        #[derive(Deserialize)]
        struct Declined {
            #[serde(rename = "reason")]
            _reason: String,
        }
        serde_json::from_slice::<Declined>(&self.body).ok()?;
        let hidden: Vec<_> = self.hidden.iter().map(String::as_str).collect();
        let declined = doing.error(ContextErrorKind::Refused, "Open Source Cloud refused the request");
        Some(declined.answered(self.status, reason(&self.body, &hidden)))
    }
}
