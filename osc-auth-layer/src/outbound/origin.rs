//! Decides where a token may go, without I/O.

use std::fmt;

use http::{HeaderValue, Uri};
use url::{Host, Url};

/// Scheme, host and port of an API (RFC 6454 §4).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: u16,
    /// The host, and the port unless it is the scheme's default.
    authority: HeaderValue,
}

impl Origin {
    /// Parses an origin that the app names.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let Ok(url) = Url::parse(text) else { return Err("is not an absolute URL") };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("is plain http on a host that is not loopback"),
            _ => return Err("is neither https nor http"),
        }
        if url.host_str().is_some_and(|host| host.contains('*')) {
            return Err("contains a wildcard");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("contains a user name or a password");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("has a path, a query or a fragment");
        }
        Self::of(&url).ok_or("is not an absolute URL")
    }

    /// Returns the origin of a URL. Returns `None` if it has a user name, which some clients send as credentials.
    pub(super) fn of(url: &Url) -> Option<Self> {
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let (scheme, host) = (url.scheme().to_owned(), url.host_str()?.to_owned());
        let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let authority = HeaderValue::try_from(authority).ok()?;
        Some(Self { scheme, host, port: url.port_or_known_default()?, authority })
    }

    /// Returns true if a client that gets `uri` connects to this origin.
    ///
    /// Compares the text of the authority. Two parsers may disagree about other spellings, such as a user name or a port out of
    /// range, and the client's parser decides where the token goes.
    pub(super) fn is_of(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
        let is_host = |authority: &str| authority.eq_ignore_ascii_case(&self.host);
        let is_authority = match authority.as_str().rsplit_once(':') {
            _ if self.has_default_port() && is_host(authority.as_str()) => true,
            Some((host, port)) => is_host(host) && port == self.port.to_string(),
            None => false,
        };
        scheme == self.scheme && is_authority
    }

    /// Returns the value of a `Host` header (RFC 9112 §3.2).
    pub(super) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    pub(super) fn is_plain_http(&self) -> bool {
        self.scheme == "http"
    }

    /// Returns true for hosts under `osaas.io`, apps excepted.
    ///
    /// | host | it runs |
    /// |---|---|
    /// | `<tenant>-<name>.<service>.auto.<cluster>.osaas.io` | a tenant's content or code |
    /// | `api-<service>.auto.<cluster>.osaas.io`, `api-ce.<environment>.osaas.io` | OSC's API of a service, which takes other tokens |
    /// | `<name>.svc.<environment>.osaas.io`, `app.osaas.io` | OSC itself, which takes the token in another header |
    /// | `<id>.apps.osaas.io` | one app: its own developer can name it |
    pub(super) fn belongs_to_osc(&self) -> bool {
        let labels: Vec<_> = self.host.trim_end_matches('.').split('.').collect();
        match labels[..] {
            [app, "apps", "osaas", "io"] => app.is_empty(),
            [.., "osaas", "io"] => true,
            _ => false,
        }
    }

    fn has_default_port(&self) -> bool {
        self.port == if self.is_plain_http() { 80 } else { 443 }
    }
}

/// Returns true if plain http stays on this machine. Not for names below `localhost`, which some resolvers ask the network for.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority.to_str().unwrap_or(&self.host))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
