//! What an answer of the platform means, without I/O.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::{ContextError, ContextErrorKind};
use super::source::TokenSource;
use crate::network::WireResponse;
use crate::redact::{line, redacted};

/// What is being done, for the error: a verb, and what it is done to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doing<'a> {
    verb: &'static str,
    service: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Doing<'a> {
    pub(super) fn new(verb: &'static str) -> Self {
        Self { verb, service: None, name: None }
    }

    pub(super) fn of(self, service: &'a str) -> Self {
        Self { service: Some(service), ..self }
    }

    pub(super) fn to(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }

    pub(super) fn error(&self, kind: ContextErrorKind, why: &'static str) -> ContextError {
        ContextError::new(kind, self, why)
    }
}

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        if let Some(name) = self.name {
            write!(f, " {}", line(name, LONGEST_GIVEN))?;
        }
        match self.service {
            Some(service) => write!(f, " ({})", line(service, LONGEST_GIVEN)),
            None => Ok(()),
        }
    }
}

/// A caller may give anything, of any length.
const LONGEST_GIVEN: usize = 64;

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

    /// The token that was refused is the newest that this source has.
    pub(super) fn to_a_token_of(mut self, source: &TokenSource) -> Self {
        self.is_to_bare_token = matches!(source, TokenSource::Bare(_));
        self
    }

    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.response.status == status
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

fn judge(doing: Doing<'_>, response: WireResponse, sent: &[&str]) -> Result<Bytes, ContextError> {
    let status = response.status;
    if status.is_success() {
        return Ok(response.body);
    }
    let (kind, why) = match status {
        StatusCode::NOT_FOUND => (ContextErrorKind::NotFound, "Open Source Cloud does not find it"),
        StatusCode::PAYMENT_REQUIRED => {
            (ContextErrorKind::PlanRequired, "the workspace's plan does not include it")
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            (ContextErrorKind::Unavailable, "Open Source Cloud asks to wait")
        }
        _ if status.is_client_error() => (ContextErrorKind::Refused, "Open Source Cloud refuses"),
        _ if status.is_server_error() => (ContextErrorKind::Unavailable, "Open Source Cloud has a problem"),
        _ => (ContextErrorKind::UnexpectedAnswer, "Open Source Cloud gave an answer that makes no sense"),
    };
    let reason = reason(&response.body, sent);
    Err(doing.error(kind, why).answered(status, reason).retry_in(response.retry_after))
}

/// For a field that may be missing, `null` or of a type nobody expects.
pub(super) fn or_default<'de, D, T>(field: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Ok(serde_json::from_value(Value::deserialize(field)?).unwrap_or_default())
}

const LONGEST_REASON: usize = 300;

/// `{reason}`, `{message}` or plain text, fit to be shown.
fn reason(body: &[u8], sent: &[&str]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let text = match serde_json::from_str::<Value>(text) {
        Ok(Value::String(text)) => text,
        Ok(json) => ["reason", "message"].iter().find_map(|field| json[field].as_str())?.to_owned(),
        // Somebody's HTML page, or half of something: nothing to read.
        Err(_) if text.trim_start().starts_with(['<', '{', '[']) => return None,
        Err(_) => text.to_owned(),
    };
    Some(redacted(&text, LONGEST_REASON, sent)).filter(|reason| !reason.is_empty())
}

/// The token in a header's value.
pub(super) fn token_of(bearer: &HeaderValue) -> &str {
    bearer.to_str().unwrap_or_default().strip_prefix("Bearer ").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn refusal(status: u16, body: &str) -> ContextError {
        let response = WireResponse {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: (status == 429).then_some(Duration::from_secs(7)),
            body: body.to_owned().into(),
        };
        let doing = Doing::new("remove").of("minio-minio").to("demo");
        judge(doing, response, &["eyJhbGciOiJIUzI1NiJ9.secret-part.signature", "two words", ""]).unwrap_err()
    }

    #[test]
    fn a_status_becomes_a_kind_and_its_reason_is_passed_on() {
        use ContextErrorKind as Kind;
        let cases = [
            (400, Kind::Refused),
            (401, Kind::Refused),
            (402, Kind::PlanRequired),
            (403, Kind::Refused),
            (404, Kind::NotFound),
            (409, Kind::Refused),
            (408, Kind::Unavailable),
            (425, Kind::Unavailable),
            (429, Kind::Unavailable),
            (500, Kind::Unavailable),
            (503, Kind::Unavailable),
            (302, Kind::UnexpectedAnswer),
            (304, Kind::UnexpectedAnswer),
        ];
        for (status, kind) in cases {
            let error = refusal(status, r#"{"reason":"because"}"#);
            assert_eq!((error.kind(), error.reason()), (kind, Some("because")), "{status}");
            assert_eq!(error.status().unwrap().as_u16(), status);
        }
        assert_eq!(refusal(429, "").retry_after(), Some(Duration::from_secs(7)));
        let text = refusal(403, r#"{"reason":"no tokens left"}"#).to_string();
        let expected =
            "could not remove demo (minio-minio): Open Source Cloud refuses (OSC says: no tokens left)";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_reason_is_a_short_line_from_json_or_text_and_never_a_page() {
        let reason = |body: &str| refusal(400, body).reason().map(str::to_owned);
        assert_eq!(reason(r#"{"message":" two\n lines\u0007 "}"#).unwrap(), "two lines");
        assert_eq!(reason(r#""a string""#).unwrap(), "a string");
        assert_eq!(reason("plain text").unwrap(), "plain text");
        let long = reason(&"word ".repeat(1000)).unwrap();
        assert!(long.chars().count() == 301 && long.ends_with('…'), "{long}");
        for nothing in ["", " ", "<!doctype html>", r#"{"reason":7}"#, "{\"rea", "[1]", "null", "{}"] {
            assert_eq!(reason(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_reason_repeats_no_secret_nor_a_telling_part_of_one() {
        let bodies = [
            "jwt eyJhbGciOiJIUzI1NiJ9.secret-part.signature is bad",
            "jwt secret-part.signature is bad",
            "jwt=x;iJIUzI1NiJ9.secret;y is bad",
        ];
        for body in bodies {
            let error = refusal(401, body).to_string();
            assert!(error.contains("[withheld] is bad"), "{error}");
            assert!(!error.contains("secret-part") && !error.contains("IUzI1NiJ9"), "{error}");
        }
        for whole in ["two words are bad", "two\r\nwords are bad", r#"{"reason":"got two words"}"#] {
            assert_eq!(refusal(401, whole).reason(), Some("[withheld: it repeats a secret]"), "{whole}");
        }
        assert_eq!(refusal(401, "the signature is bad").reason(), Some("the signature is bad"));
    }

    #[test]
    fn a_long_answer_takes_no_longer_than_a_short_one() {
        let token = "abcdefgh".repeat(100);
        let sent = [token.as_str()];
        assert!(reason("word ".repeat(800_000).as_bytes(), &sent).is_some());
        assert!(reason("w".repeat(4_000_000).as_bytes(), &sent).is_some());
    }

    #[test]
    fn what_a_caller_gave_is_shown_in_bounds() {
        let name = "x\n<".repeat(1000);
        let shown = Doing::new("create").to(&name).to_string();
        assert!(shown.len() < 120 && !shown.contains('\n'), "{shown}");
    }
}
