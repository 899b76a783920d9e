use std::collections::HashMap;

use super::percent_decoded;
use crate::endpoints::query::{self, Query};

/// Input: the query of a callback. A duplicate name, a broken escape and text that is not UTF-8 are refused. All other queries
/// read as any form does.
pub fn callback_query(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let (parsed, expected) = (Query::parse(Some(query), query::LONGEST), parameters(query));
    let (Ok(parsed), Some(expected)) = (&parsed, &expected) else {
        assert!(parsed.is_err() && expected.is_none(), "one of the two refuses {query:?}");
        return;
    };
    for (name, value) in expected {
        assert_eq!(parsed.get(name), Some(value.as_str()).filter(|value| !value.is_empty()));
    }
    for name in ["state", "code", "iss", "error", "return_to"] {
        assert_eq!(parsed.get(name).is_some(), expected.get(name).is_some_and(|value| !value.is_empty()));
    }
    let form: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(&form, expected);
}

pub(super) fn parameters(query: &str) -> Option<HashMap<String, String>> {
    let mut parameters = HashMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if parameters.insert(decoded(name)?, decoded(value)?).is_some() {
            return None;
        }
    }
    (query.len() <= 8 * 1024).then_some(parameters)
}

fn decoded(text: &str) -> Option<String> {
    let is_hex = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    for at in (0..bytes.len()).filter(|at| bytes[*at] == b'%') {
        if !is_hex(bytes.get(at + 1)) || !is_hex(bytes.get(at + 2)) {
            return None;
        }
    }
    String::from_utf8(percent_decoded(text.replace('+', " ").as_bytes())).ok()
}
