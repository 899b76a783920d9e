//! Reads query parameters strictly. A duplicate parameter is an error (RFC 6749 §3.1).

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::response::{Refusal, RequestProblem};

/// The longest query of a callback. Code, state and issuer together are far shorter.
pub(crate) const LONGEST: usize = 8 * 1024;

/// The parameters of a query.
#[derive(Clone)]
pub(crate) struct Query(HashMap<String, String>);

impl Query {
    /// Parses a query of `most` bytes at most.
    pub(crate) fn parse(query: Option<&str>, most: usize) -> Result<Self, Refusal> {
        let query = query.unwrap_or_default();
        if query.len() > most {
            return Err(Refusal::InvalidRequest(RequestProblem::QueryTooLong));
        }
        let mut parameters = HashMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(Refusal::InvalidRequest(RequestProblem::QueryNotText));
            };
            if parameters.insert(name, value).is_some() {
                return Err(Refusal::InvalidRequest(RequestProblem::DuplicateParameter));
            }
        }
        Ok(Self(parameters))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Percent-decodes a name or value. `None` if an escape is malformed or the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut escapes = text.split('%').skip(1);
    if !escapes.all(|rest| rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit)) {
        return None;
    }
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse(Some("code=a%2Bb+c&state=&x&&iss=https%3A%2F%2Fa"), LONGEST)
            .unwrap_or_else(|_| panic!());
        assert_eq!(query.get("code"), Some("a+b c"));
        assert_eq!(query.get("iss"), Some("https://a"));
        assert_eq!(query.get("state"), None);
        assert_eq!(query.get("nothing"), None);
    }

    #[test]
    fn s13_duplicates_bad_escapes_and_excess_are_refused() {
        let long = format!("code={}", "a".repeat(LONGEST));
        for query in [
            "code=a&code=a",
            "code=a&c%6fde=b",
            "state=%",
            "state=%2",
            "state=%zz",
            "state=%ff",
            "code=%é",
            &long,
        ] {
            assert!(Query::parse(Some(query), LONGEST).is_err(), "{query}");
        }
    }
}
