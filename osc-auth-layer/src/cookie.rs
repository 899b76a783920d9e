//! The layer's cookies: their names, how one is found in a request, and the one place that builds them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use memchr::memmem;
use tower_cookies::Cookie;
use tower_cookies::cookie::SameSite;

use crate::session::SessionId;

/// The longest value a browser is bound to keep (RFC 6265 §6.1), and the most of one we ever look at.
pub(crate) const LONGEST: usize = 4096;

/// How the session cookie is called, fixed when the layer is built.
pub(crate) struct CookieMode {
    /// The name, or what of it does not depend on the request, ready to be searched for.
    base: memmem::Finder<'static>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// `__Host-`: Secure, host-only, Path=/ (a sibling domain cannot toss one in).
    Secure,
    /// Plain-http loopback at a known port; cookies ignore ports, so the port goes into the name.
    Loopback,
    /// Plain-http loopback, at whichever port the request names.
    AnyLoopbackPort,
}

impl CookieMode {
    pub(crate) fn secure(base: &str) -> Self {
        Self::new(&format!("__Host-{base}"), Kind::Secure)
    }

    pub(crate) fn loopback(base: &str, port: u16) -> Self {
        Self::new(&format!("{base}_{port}"), Kind::Loopback)
    }

    pub(crate) fn any_loopback_port(base: &str) -> Self {
        Self::new(&format!("{base}_"), Kind::AnyLoopbackPort)
    }

    fn new(base: &str, kind: Kind) -> Self {
        Self { base: memmem::Finder::new(base).into_owned(), kind }
    }

    /// What follows the base in requests that name `port`.
    fn suffix(&self, port: impl FnOnce() -> u16) -> Option<u16> {
        (self.kind == Kind::AnyLoopbackPort).then(port)
    }

    pub(crate) fn session_name(&self, port: impl FnOnce() -> u16) -> String {
        let base = String::from_utf8_lossy(self.base.needle());
        match self.suffix(port) {
            None => base.into_owned(),
            Some(port) => format!("{base}{port}"),
        }
    }

    /// Finds the session id among the request's cookies without allocating, and without parsing any other cookie.
    /// `port` is asked for only when the name depends on it.
    pub(crate) fn find_session(
        &self,
        headers: &HeaderMap,
        port: impl FnOnce() -> u16,
    ) -> Result<Option<SessionId>, BadCookie> {
        let port = self.suffix(port);
        let mut found: Option<&[u8]> = None;
        for header in headers.get_all(header::COOKIE) {
            for value in (Values { header: header.as_bytes(), at: 0, base: &self.base, port }) {
                if value.len() > LONGEST {
                    return Err(BadCookie::TooLong);
                }
                if found.replace(value).is_some() {
                    return Err(BadCookie::Duplicate);
                }
            }
        }
        Ok(found.and_then(SessionId::parse))
    }

    /// Builds a cookie of ours; removing one uses the same attributes, or browsers would keep the old one.
    pub(crate) fn build(&self, name: String, value: String, max_age: Duration) -> Cookie<'static> {
        let max_age = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        Cookie::build((name, value))
            .http_only(true)
            .secure(self.kind == Kind::Secure)
            .same_site(SameSite::Lax)
            .path("/")
            .max_age(tower_cookies::cookie::time::Duration::seconds(max_age))
            .build()
    }

    pub(crate) fn removal(&self, name: String) -> Cookie<'static> {
        self.build(name, String::new(), Duration::ZERO)
    }
}

impl std::fmt::Debug for CookieMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.kind, String::from_utf8_lossy(self.base.needle()))
    }
}

/// Cookies of ours that no browser sends which only we have talked to.
#[derive(Debug, PartialEq)]
pub(crate) enum BadCookie {
    /// Two of one name: somebody tossed one in, and nobody can tell which.
    Duplicate,
    /// Longer than a browser is bound to keep.
    TooLong,
}

impl BadCookie {
    pub(crate) fn problem(&self) -> &'static str {
        match self {
            Self::Duplicate => {
                "A cookie of this app was sent twice. Delete this site's cookies and try again."
            }
            Self::TooLong => "A cookie of this app is too long. Delete this site's cookies and try again.",
        }
    }
}

/// The values of the cookies in `header` whose raw name is `base`, followed by `port` when there is one.
struct Values<'h> {
    header: &'h [u8],
    at: usize,
    base: &'h memmem::Finder<'static>,
    port: Option<u16>,
}

impl<'h> Iterator for Values<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        loop {
            let (before, found) = self.header.split_at(self.at + self.base.find(&self.header[self.at..])?);
            let mut rest = &found[self.base.needle().len()..];
            self.at = self.header.len() - rest.len();
            if let Some(port) = self.port {
                let Some(after_port) = rest.strip_prefix(decimal(port, &mut [0; 5])) else { continue };
                rest = after_port;
            }
            let Some(rest) = rest.strip_prefix(b"=").filter(|_| ends_a_pair(before)) else { continue };
            let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
            return Some(rest[..end].trim_ascii());
        }
    }
}

fn ends_a_pair(before: &[u8]) -> bool {
    let before = before.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
    before.is_none_or(|byte| *byte == b';')
}

fn decimal(number: u16, digits: &mut [u8; 5]) -> &[u8] {
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        // A remainder of ten always fits.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &digits[at..];
        }
    }
}

/// Only the pairs whose raw name starts with `prefix`: `tower-cookies` percent-decodes names, so a foreign
/// `%5F_Host-…` would otherwise pass for ours. A name sent twice is refused, as is a cookie no browser would keep.
pub(crate) fn only_ours(headers: &HeaderMap, prefix: &str) -> Result<Option<HeaderValue>, BadCookie> {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut ours = String::new();
    for header in headers.get_all(header::COOKIE) {
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            let Some(at) = memchr::memchr(b'=', pair) else {
                continue;
            };
            let (name, value) = (&pair[..at], pair[at + 1..].trim_ascii());
            if !name.starts_with(prefix.as_bytes()) || !name.iter().copied().all(is_name_byte) {
                continue;
            }
            if value.len() > LONGEST {
                return Err(BadCookie::TooLong);
            }
            if names.contains(&name) {
                return Err(BadCookie::Duplicate);
            }
            names.push(name);
            // Counted all the same, as on the app's paths.
            let Ok(pair) = std::str::from_utf8(pair) else {
                continue;
            };
            ours.push_str(if ours.is_empty() { "" } else { "; " });
            ours.push_str(pair);
        }
    }
    // What was split out of header values is valid in one again.
    Ok(HeaderValue::from_str(&ours).ok().filter(|_| !ours.is_empty()))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

impl SessionId {
    /// Reads a cookie's value; `None` when it is none of ours.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        // Checked first: the decoder would otherwise accept shorter values. It is the one part of the way of a request
        // that handles every byte of the id, hence the faster crate.
        if value.len() != 43 {
            return None;
        }
        let out = base64_simd::Out::from_slice(&mut bytes);
        let length = base64_simd::URL_SAFE_NO_PAD.decode(value, out).ok()?.len();
        (length == bytes.len()).then(|| Self::new(bytes))
    }

    pub(crate) fn cookie_value(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_bytes())
    }
}

#[cfg(test)]
mod tests;
