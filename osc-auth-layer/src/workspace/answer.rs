//! Describes calls, and reads fields and reasons of answers, without I/O.

use std::fmt;

use http::HeaderValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{ContextError, ContextErrorKind};
use crate::redact::{line, redacted};

/// Service and name.
pub(super) type Key = (String, String);

/// Describes a call: a verb for its errors and log lines, and the service and name that it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doing<'a> {
    verb: &'static str,
    service: Option<&'a str>,
    name: Option<&'a str>,
    /// True if the call may activate the service. Calls that only read must not change the workspace.
    pub(super) activates: bool,
}

impl<'a> Doing<'a> {
    pub(super) fn new(verb: &'static str) -> Self {
        Self { verb, service: None, name: None, activates: false }
    }

    pub(super) fn of(self, service: &'a str) -> Self {
        Self { service: Some(service), ..self }
    }

    pub(super) fn to(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }

    pub(super) fn activating(self) -> Self {
        Self { activates: true, ..self }
    }

    pub(super) fn service_id(&self) -> &'a str {
        self.service.unwrap_or_default()
    }

    pub(super) fn name(&self) -> &'a str {
        self.name.unwrap_or_default()
    }

    pub(super) fn key(&self) -> Key {
        (self.service_id().to_owned(), self.name().to_owned())
    }

    pub(super) fn error(&self, kind: ContextErrorKind, why: &'static str) -> ContextError {
        ContextError::new(kind, *self, why)
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

/// The most characters of a caller's argument that are shown. Arguments may have any length.
const LONGEST_GIVEN: usize = 64;

/// Reads a field that may be `null` or of an unexpected type, and then takes its default.
pub(super) fn or_default<'de, D, T>(field: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Ok(serde_json::from_value(Value::deserialize(field)?).unwrap_or_default())
}

const LONGEST_REASON: usize = 300;

/// Returns the reason in a body (`{reason}`, `{message}` or plain text) as one line, without the secrets that were `sent`.
pub(super) fn reason(body: &[u8], sent: &[&str]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let text = match serde_json::from_str::<Value>(text) {
        Ok(Value::String(text)) => text,
        Ok(json) => ["reason", "message"].iter().find_map(|field| json[field].as_str())?.to_owned(),
        // An HTML page or truncated JSON contains no readable reason.
        Err(_) if text.trim_start().starts_with(['<', '{', '[']) => return None,
        Err(_) => text.to_owned(),
    };
    Some(redacted(&text, LONGEST_REASON, sent)).filter(|reason| !reason.is_empty())
}

/// Returns the token in the header value `Bearer <token>`.
pub(super) fn token_of(bearer: &HeaderValue) -> &str {
    bearer.to_str().unwrap_or_default().strip_prefix("Bearer ").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::reply::Answer;
    use super::*;
    use crate::network::WireResponse;
    use http::StatusCode;
    use std::time::Duration;

    fn refusal(status: u16, body: &str) -> ContextError {
        let response = WireResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            retry_after: (status == 429).then_some(Duration::from_secs(7)),
            body: body.to_owned().into(),
        };
        let answer = Answer {
            doing: Doing::new("remove").of("minio-minio").to("demo"),
            response: Ok(response),
            secrets: ["eyJhbGciOiJIUzI1NiJ9.secret-part.signature", "two words", ""]
                .map(str::to_owned)
                .into(),
            only_reads: false,
            is_repeat: false,
            is_to_bare_token: false,
        };
        answer.success().unwrap_err()
    }

    #[test]
    fn a_status_becomes_a_kind_and_keeps_its_reason() {
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
        let expected = "could not remove demo (minio-minio): Open Source Cloud refused the request (OSC says: no tokens left)";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_reason_is_a_short_line_and_never_a_page() {
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
    fn a_reason_contains_no_part_of_a_secret() {
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
    fn very_long_answers_are_read_quickly() {
        let token = "abcdefgh".repeat(100);
        let sent = [token.as_str()];
        assert!(reason("word ".repeat(800_000).as_bytes(), &sent).is_some());
        assert!(reason("w".repeat(4_000_000).as_bytes(), &sent).is_some());
    }

    #[test]
    fn long_names_are_truncated_in_errors() {
        let name = "x\n<".repeat(1000);
        let shown = Doing::new("create").to(&name).to_string();
        assert!(shown.len() < 120 && !shown.contains('\n'), "{shown}");
    }
}
