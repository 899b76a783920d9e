//! The cookies of one browser, kept as browsers keep them.

use std::collections::BTreeMap;

use http::{HeaderMap, header};

/// The cookies that a browser has for one host.
#[derive(Clone, Debug, Default)]
pub struct CookieJar(pub(crate) BTreeMap<String, String>);

impl CookieJar {
    /// Returns the value of the `Cookie` header, or `None` if there are no cookies.
    pub fn header(&self) -> Option<String> {
        let cookies: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some(cookies.join("; ")).filter(|cookies| !cookies.is_empty())
    }

    /// Stores the cookies that an answer sets and drops those that it removes.
    ///
    /// # Panics
    /// If a `Set-Cookie` header is malformed.
    pub fn keep(&mut self, answer: &HeaderMap) {
        for cookie in answer.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("cookies are ASCII");
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            if attributes.contains("Max-Age=0") || attributes.contains("01 Jan 1970") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
