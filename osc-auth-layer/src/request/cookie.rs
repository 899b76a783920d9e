//! The layer's cookies: their names, how to find them in a request, and how to build them.

mod ours;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderMap, header};
use tower_cookies::Cookie;
use tower_cookies::cookie::SameSite;

pub(crate) use self::ours::{BESIDE_EACH, TAG, only_ours, pending_name};
use crate::sessions::SessionId;

/// The longest value that browsers have to keep (RFC 6265 §6.1). The layer refuses longer values unread.
pub(crate) const LONGEST: usize = 4096;

/// The most paths that one cookie is removed from. Short paths are the likeliest and come first.
const MOST_PATHS: usize = 8;

/// The naming and security of the session cookie, fixed when the layer is built.
pub(crate) struct CookieMode {
    /// The name, or the part of it that does not depend on the request.
    base: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// `https`, with the prefix `__Host-`: `Secure`, host-only, `Path=/`. So a sibling domain cannot plant a cookie.
    Secure,
    /// Plain-http loopback at a known port. Cookies ignore ports, so the name contains the port.
    Loopback,
    /// Plain-http loopback at the port that the request names.
    AnyLoopbackPort,
}

impl CookieMode {
    pub(crate) fn secure(base: &str) -> Self {
        Self { base: format!("__Host-{base}"), kind: Kind::Secure }
    }

    pub(crate) fn loopback(base: &str, port: u16) -> Self {
        Self { base: format!("{base}_{port}"), kind: Kind::Loopback }
    }

    pub(crate) fn any_loopback_port(base: &str) -> Self {
        Self { base: format!("{base}_"), kind: Kind::AnyLoopbackPort }
    }

    /// Returns the port that follows the base, if the name depends on the request.
    fn suffix(&self, port: impl FnOnce() -> u16) -> Option<u16> {
        (self.kind == Kind::AnyLoopbackPort).then(port)
    }

    pub(crate) fn session_name(&self, port: impl FnOnce() -> u16) -> String {
        self.name(self.suffix(port))
    }

    fn name(&self, suffix: Option<u16>) -> String {
        match suffix {
            None => self.base.clone(),
            Some(port) => format!("{}{port}", self.base),
        }
    }

    /// Finds the session id among the request's cookies, without allocating and without parsing other cookies. Calls `port`
    /// only if the name depends on it.
    ///
    /// # Errors
    /// The session cookie is duplicate or oversized.
    pub(crate) fn find_session(
        &self,
        headers: &HeaderMap,
        port: impl FnOnce() -> u16,
    ) -> Result<Option<SessionId>, BadCookie> {
        let port = self.suffix(port);
        let mut found: Option<&[u8]> = None;
        for header in headers.get_all(header::COOKIE) {
            let mut rest = header.as_bytes();
            while !rest.is_empty() {
                let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
                let (pair, after) = rest.split_at(end);
                rest = after.get(1..).unwrap_or_default();
                let Some(value) = self.value(pair.trim_ascii_start(), port) else { continue };
                if found.replace(value.trim_ascii()).is_some() {
                    return Err(BadCookie::Duplicate(self.name(port)));
                }
            }
        }
        match found {
            Some(value) if value.len() > LONGEST => Err(BadCookie::TooLong(self.name(port))),
            found => Ok(found.and_then(SessionId::parse)),
        }
    }

    /// Returns the value of a cookie if its raw name is the session's.
    fn value<'h>(&self, pair: &'h [u8], port: Option<u16>) -> Option<&'h [u8]> {
        let rest = pair.strip_prefix(self.base.as_bytes())?;
        let rest = port.map_or(Some(rest), |port| rest.strip_prefix(port.to_string().as_bytes()))?;
        rest.strip_prefix(b"=")
    }

    /// Builds a cookie. A removal needs the same attributes, because browsers would otherwise keep the old cookie.
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

    /// Returns removals of a cookie, for every cookie path that matches a request for `path`.
    ///
    /// A `__Host-` cookie has only the path `/`. On plain http, another app on the same host may have set a cookie of the same
    /// name with any path.
    pub(crate) fn removals(&self, name: &str, path: &str) -> impl Iterator<Item = Cookie<'static>> {
        let path = if self.kind == Kind::Secure { "/" } else { path };
        cookie_paths(path).take(MOST_PATHS).map(|path| {
            let mut removal = self.removal(name.to_owned());
            removal.set_path(path.to_owned());
            removal
        })
    }
}

/// Returns the cookie paths that match a request for `path` (RFC 6265 §5.1.4), the shortest first.
fn cookie_paths(path: &str) -> impl Iterator<Item = &str> {
    // Stop at a semicolon, which ends an attribute, and at characters that are invalid in a header.
    let path = path.split(|c: char| c == ';' || !c.is_ascii_graphic()).next().unwrap_or_default();
    let slashes = path.match_indices('/').flat_map(|(at, _)| [at, at + 1]);
    let ends = slashes.chain((!path.ends_with('/')).then_some(path.len()));
    ends.filter(|end| *end > 0).map(|end| &path[..end])
}

impl std::fmt::Debug for CookieMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.kind, self.base)
    }
}

/// A cookie with one of the layer's names that the layer cannot have set alone. Contains the name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BadCookie {
    /// The request has two cookies of this name. Somebody else set one of them, and the layer cannot tell which.
    Duplicate(String),
    /// The value is longer than [`LONGEST`].
    TooLong(String),
}

impl BadCookie {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Duplicate(name) | Self::TooLong(name) => name,
        }
    }
}
