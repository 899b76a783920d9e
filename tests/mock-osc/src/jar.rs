//! The cookies of one visitor, kept as a browser keeps them for one host.

use std::collections::BTreeMap;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

#[derive(Default)]
pub(crate) struct Jar(BTreeMap<String, String>);

impl Jar {
    /// Returns the value of the `Cookie` header, which hides itself in `Debug` output.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let cookies: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::try_from(cookies.join("; ")).ok()?;
        header.set_sensitive(true);
        (!cookies.is_empty()).then_some(header)
    }

    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        headers.extend(self.header().map(|cookies| (COOKIE, cookies)));
    }

    /// Stores the cookies that an answer sets, and drops those that it removes.
    pub(crate) fn keep(&mut self, answer: &HeaderMap) {
        for cookie in answer.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()) {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let Some((name, value)) = pair.split_once('=') else { continue };
            if is_removal(attributes) {
                self.0.remove(name.trim());
            } else {
                self.0.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// A server removes a cookie by an expiry that has passed (RFC 6265 §3.1).
fn is_removal(attributes: &str) -> bool {
    attributes.split(';').any(|attribute| {
        let attribute = attribute.trim().to_ascii_lowercase();
        attribute == "max-age=0" || attribute.starts_with("expires=thu, 01 jan 1970")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_cookies_are_not_sent() {
        let mut jar = Jar::default();
        let mut answer = HeaderMap::new();
        for cookie in ["a=1; Path=/", "b=2; Max-Age=3600", "c=3", "malformed"] {
            answer.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        jar.keep(&answer);
        answer.clear();
        answer.append(SET_COOKIE, HeaderValue::from_static("a=; Max-Age=0; Path=/"));
        answer.append(SET_COOKIE, HeaderValue::from_static("c=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
        jar.keep(&answer);
        assert_eq!(jar.header().unwrap(), "b=2");
        assert!(Jar::default().header().is_none());
    }
}
