//! Checks the redirect URIs that a client may use.

use url::{Host, Url};

/// The redirect URIs of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RedirectUris {
    /// Any http URI on a loopback host, for local development.
    AnyLoopback,
    /// Only these URIs.
    Listed(Vec<String>),
}

impl RedirectUris {
    pub(crate) fn allow(&self, uri: &str) -> bool {
        match self {
            Self::AnyLoopback => Url::parse(uri).is_ok_and(|url| url.scheme() == "http" && is_loopback(&url)),
            Self::Listed(entries) => entries.iter().any(|entry| matches(entry, uri)),
        }
    }
}

/// Compares exactly (RFC 9700 §2.1), but allows any port on a loopback host (RFC 8252 §7.3).
fn matches(entry: &str, uri: &str) -> bool {
    if entry == uri {
        return true;
    }
    let (Ok(mut entry), Ok(mut uri)) = (Url::parse(entry), Url::parse(uri)) else {
        return false;
    };
    let portless = |url: &mut Url| is_loopback(url) && url.set_port(None).is_ok();
    portless(&mut entry) && portless(&mut uri) && entry == uri
}

/// Parses a redirect URI: http or https, without a fragment (RFC 6749 §3.1.2).
pub(crate) fn parse(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.fragment().is_none()).then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(entry: &str) -> RedirectUris {
        RedirectUris::Listed(vec![entry.to_owned()])
    }

    #[test]
    fn a_listed_uri_must_match_exactly() {
        let uris = listed("https://app.example/cb");
        assert!(uris.allow("https://app.example/cb"));
        for foreign in [
            "https://app.example/cb/",
            "https://app.example/cb?x=1",
            "https://app.example:8443/cb",
            "http://app.example/cb",
            "https://app.example.evil/cb",
            "https://app.example@evil/cb",
        ] {
            assert!(!uris.allow(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_loopback_entry_matches_any_port_and_nothing_else() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let uris = listed(&format!("http://{host}:3000/cb"));
            assert!(uris.allow(&format!("http://{host}:9/cb")), "{host}");
            assert!(!uris.allow(&format!("http://{host}:3000/other")), "{host}");
            assert!(!uris.allow("http://app.example:3000/cb"), "{host}");
        }
        assert!(!listed("http://localhost/cb").allow("http://127.0.0.1/cb"));
    }

    #[test]
    fn any_loopback_means_this_machine_only() {
        assert!(RedirectUris::AnyLoopback.allow("http://localhost:3000/auth/callback"));
        assert!(RedirectUris::AnyLoopback.allow("http://[::1]:1/x"));
        assert!(!RedirectUris::AnyLoopback.allow("http://localhost.evil/auth/callback"));
        assert!(!RedirectUris::AnyLoopback.allow("http://localhost@evil/auth/callback"));
    }

    #[test]
    fn script_urls_are_refused_as_redirect_uris() {
        for uri in ["javascript:alert(1)", "data:text/html,x", "/relative", "https://a/cb#fragment"] {
            assert_eq!(parse(uri), None, "{uri}");
        }
    }
}
