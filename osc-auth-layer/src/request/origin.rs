//! Determines the origin under which the browser knows the app. A header that a client can set only *selects* one of the
//! configured URLs (RFC 9700 §4.13).

use http::uri::Authority;
use http::{HeaderMap, HeaderName, Uri, header};
use url::Url;

use crate::network::is_loopback_url;

/// The longest host with port that is looked at. Host names have at most 253 characters (RFC 1035 §2.3.4).
const LONGEST_AUTHORITY: usize = 260;

/// A configured public URL, under which browsers find the app's root.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PublicUrl {
    /// `scheme://host[:port]`, as a browser writes it in `Origin`.
    pub(crate) origin: String,
    /// The path below which the app is mounted, without a trailing slash. Empty at the root.
    pub(crate) base_path: String,
    pub(crate) is_secure: bool,
    pub(crate) port: u16,
}

impl PublicUrl {
    /// Parses `https://host[:port][/path]`, or `http://` on loopback. The error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim()).map_err(|_| "is not an absolute URL")?;
        let is_secure = match url.scheme() {
            "https" => true,
            "http" if is_loopback_url(&url) => false,
            "http" => return Err("is plain http on a host that is not loopback"),
            _ => return Err("is neither https nor http"),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("contains a user name or a password");
        }
        if crate::request::public_path::is_ambiguous(url.path()) {
            return Err("has an ambiguous path");
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            base_path: url.path().trim_end_matches('/').to_owned(),
            is_secure,
            port: url.port_or_known_default().unwrap_or(0),
        })
    }

    /// Returns the URL that browsers use for the app's own `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.base_path)
    }
}

/// Returns the configured URL that browsers find at `authority`.
fn at<'c>(configured: &'c [PublicUrl], authority: &str) -> Option<&'c PublicUrl> {
    // A browser's own spelling, which nearly all requests have, need not be parsed.
    let is_spelled =
        |url: &&PublicUrl| url.origin.split_once("://").is_some_and(|(_, host)| host == authority);
    configured.iter().find(is_spelled).or_else(|| {
        // All configured URLs have the same scheme.
        let scheme = if configured.first()?.is_secure { "https" } else { "http" };
        let origin = Url::parse(&format!("{scheme}://{authority}")).ok()?.origin().ascii_serialization();
        configured.iter().find(|url| url.origin == origin)
    })
}

/// The public URL that a request's host selects.
#[derive(Debug, PartialEq)]
pub(crate) enum Origin {
    /// The request came to this public URL.
    Known(PublicUrl),
    /// The request came to no configured URL. Contains the first one.
    Elsewhere(PublicUrl),
    /// No URL is configured, and it must not be derived from this request.
    Unknown,
}

/// Selects the public URL of a request. If none is configured, only a loopback host counts.
pub(crate) fn select(configured: &[PublicUrl], uri: &Uri, headers: &HeaderMap) -> Origin {
    let Some(first) = configured.first() else {
        return derive(uri, headers).map_or(Origin::Unknown, Origin::Known);
    };
    let named = authorities(uri, headers).find_map(|authority| at(configured, authority));
    named.map_or_else(|| Origin::Elsewhere(first.clone()), |url| Origin::Known(url.clone()))
}

/// Returns the host that the visitor opened, if the request names it and it is not a configured one.
///
/// A proxy may rewrite `Host` to the one that the app expects. So the host that the proxy was asked for comes first.
pub(crate) fn unknown_authority<'r>(
    configured: &[PublicUrl],
    uri: &'r Uri,
    headers: &'r HeaderMap,
) -> Option<&'r str> {
    let authority = authority(uri, headers)?;
    at(configured, authority).is_none().then_some(authority)
}

/// Returns the host that the browser asked for: the one in `X-Forwarded-Host`, or else that of the request itself.
pub(crate) fn authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    authorities(uri, headers).next()
}

fn authorities<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> impl Iterator<Item = &'r str> {
    let forwarded = headers
        .get("x-forwarded-host")
        .and_then(|value| value.to_str().ok())
        .and_then(|hosts| hosts.split(',').next())
        .map(str::trim)
        .filter(|authority| authority.len() <= LONGEST_AUTHORITY);
    forwarded.into_iter().chain(direct_authority(uri, headers))
}

/// Returns the host of the connection itself: `:authority` or the absolute-form target, else `Host` (RFC 9112 §3.3).
fn direct_authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let authority =
        uri.authority().map(Authority::as_str).or_else(|| headers.get(header::HOST)?.to_str().ok());
    authority.filter(|authority| authority.len() <= LONGEST_AUTHORITY)
}

fn derive(uri: &Uri, headers: &HeaderMap) -> Option<PublicUrl> {
    let is_of_a_proxy = |name: &HeaderName| {
        matches!(name.as_str(), "forwarded" | "via") || name.as_str().starts_with("x-forwarded-")
    };
    if headers.keys().any(is_of_a_proxy) {
        return None;
    }
    let authority: Authority = direct_authority(uri, headers)?.parse().ok()?;
    // Plain http is accepted on loopback only.
    PublicUrl::parse(&format!("http://{authority}")).ok()
}

/// Returns the port that the request names, for the cookie's name on loopback. 80 if it names none.
pub(crate) fn port(uri: &Uri, headers: &HeaderMap) -> u16 {
    direct_authority(uri, headers)
        .and_then(|authority| authority.rsplit_once(':')?.1.parse().ok())
        .unwrap_or(80)
}

/// Returns true if the request has an `Origin` header that names none of the app's own origins.
pub(crate) fn is_foreign(configured: &[PublicUrl], uri: &Uri, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    origin.is_some_and(|origin| !is_own(origin.as_bytes(), configured, uri, headers))
}

/// Returns true if `origin`, the value of an `Origin` header, is one of the app's own.
pub(crate) fn is_own(origin: &[u8], configured: &[PublicUrl], uri: &Uri, headers: &HeaderMap) -> bool {
    let is_it = |url: &PublicUrl| url.origin.as_bytes() == origin;
    if configured.is_empty() {
        // The scheme counts. A page that an attacker injects into plain http must not act in the https app.
        return derive(uri, headers).is_some_and(|url| is_it(&url));
    }
    configured.iter().any(is_it)
}

#[cfg(test)]
mod tests;
