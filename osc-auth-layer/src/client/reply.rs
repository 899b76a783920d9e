//! What came back for a request: a success to read, or an error that repeats no secret.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Doing, judge, reason, token_of};
use super::error::{ContextError, ContextErrorKind};
use super::source::TokenSource;
use crate::network::WireResponse;

/// An answer, with the tokens that were sent for it: no error may repeat one.
pub(super) struct Answer {
    response: WireResponse,
    sent: Vec<HeaderValue>,
    is_repeat: bool,
    is_to_bare_token: bool,
}

impl Answer {
    /// `is_repeat`: the same request was sent before, and may have been carried out.
    pub(super) fn new(response: WireResponse, token: HeaderValue, is_repeat: bool) -> Self {
        Self { response, sent: vec![token], is_repeat, is_to_bare_token: false }
    }

    pub(super) fn also_to(mut self, token: HeaderValue) -> Self {
        self.sent.push(token);
        self
    }

    /// Notes that this source has no newer token than the one that was refused.
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

    /// Returns true if the service itself says what is wrong, or that it takes no requests just now (RFC 9110 §15.6.4). A page
    /// or a plain text may be a gateway's.
    pub(super) fn is_explained(&self) -> bool {
        let json: Value = serde_json::from_slice(&self.response.body).unwrap_or_default();
        ["reason", "message"].iter().any(|field| json[field].is_string())
            || (self.is(StatusCode::SERVICE_UNAVAILABLE) && self.response.retry_after.is_some())
    }

    /// The body of a success.
    pub(super) fn success(self, doing: Doing<'_>) -> Result<Bytes, ContextError> {
        self.success_hiding(doing, &[]).map(|success| success.body)
    }

    /// Reads the JSON of a success.
    pub(super) fn read<T: DeserializeOwned>(self, doing: Doing<'_>) -> Result<T, ContextError> {
        self.success_hiding(doing, &[])?.read(doing)
    }

    /// Reads the JSON list of a success. An entry that makes no sense is passed over: it must not hide the others.
    pub(super) fn read_list<T: DeserializeOwned>(self, doing: Doing<'_>) -> Result<Vec<T>, ContextError> {
        let entries: Vec<Value> = self.read(doing)?;
        let given = entries.len();
        let read: Vec<T> =
            entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect();
        if read.len() < given {
            tracing::warn!(%doing, passed_over = given - read.len(), "entries of a list have not the form they should have");
        }
        Ok(read)
    }

    /// Checks a success that holds nothing to read.
    pub(super) fn done(self, doing: Doing<'_>) -> Result<(), ContextError> {
        self.done_hiding(doing, &[])
    }

    /// The same where the request's body held secrets.
    pub(super) fn done_hiding(self, doing: Doing<'_>, secrets: &[&str]) -> Result<(), ContextError> {
        let success = self.success_hiding(doing, secrets)?;
        success.declined(doing).map_or(Ok(()), Err)
    }

    /// The same for what is gone afterwards. If a repeated request finds nothing, the first one has removed it.
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
                // Its place, not its text: that may quote what the answer holds.
                let (line, column) = (error.line(), error.column());
                tracing::warn!(%doing, line, column, "an answer of the platform has not the form it should have");
                ContextError::unexpected(doing)
            })
        })
    }

    /// OSC answers 2xx and `{reason}`, in place of what was asked for, when it did not do it.
    fn declined(&self, doing: Doing<'_>) -> Option<ContextError> {
        #[derive(Deserialize)]
        struct Declined {
            #[serde(rename = "reason")]
            _reason: String,
        }
        serde_json::from_slice::<Declined>(&self.body).ok()?;
        let hidden: Vec<_> = self.hidden.iter().map(String::as_str).collect();
        let declined = doing.error(ContextErrorKind::Refused, "Open Source Cloud refuses");
        Some(declined.answered(self.status, reason(&self.body, &hidden)))
    }
}
