//! Decides which addresses a service access token may go to, without I/O.
//!
//! The catalog names the address of each service's API, and an instance names links. Both are data from outside. A client
//! that follows them blindly would send tokens to an attacker's address.

use url::{Position, Url};

/// Returns the URL of a service's API in one of OSC's environments, if a token for this service may go there:
///
/// | host | API |
/// |---|---|
/// | `api-<serviceId>.auto.<environment>.osaas.io` | of the service |
/// | `api-<serviceId>.auto.<environment>-<site>.osaas.io` | of the service, on a hosting site of the environment |
/// | `api-ce.<environment>.osaas.io` | an old one, whose host does not name the service |
///
/// Everything else under `osaas.io` is refused, because tenants' own instances and apps live there too.
pub(super) fn service_api(environment: &str, service_id: &str, api_url: &str) -> Option<Url> {
    let url = plain(api_url)?;
    let host = url.host_str()?;
    let is_api = match host.split('.').collect::<Vec<_>>()[..] {
        ["api-ce", old, "osaas", "io"] => old == environment,
        [api, "auto", cluster, "osaas", "io"] => {
            let named = api.strip_prefix("api-").filter(|named| !named.is_empty());
            named == Some(service_id) && is_cluster(environment, cluster)
        }
        _ => false,
    };
    (is_api && url.scheme() == "https" && url.port().is_none()).then_some(url)
}

/// Returns true if the cluster belongs to the environment: `prod` runs on `prod`, `prod-se`, …
///
/// An environment with a hyphen in its name has no sites here. `prod-se-x` could belong to `prod` as well, and a token must
/// not go to an environment that did not issue it.
fn is_cluster(environment: &str, cluster: &str) -> bool {
    let is_site = |site: &str| {
        !site.is_empty() && site.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let site = cluster.strip_prefix(environment).and_then(|rest| rest.strip_prefix('-'));
    cluster == environment || (!environment.contains('-') && site.is_some_and(is_site))
}

/// Parses an address in its plainest form: no user, query, fragment, escape, default port or dot segment, and no capital
/// letters or Unicode in the host. Refuses other spellings, because two parsers may read them differently.
pub(super) fn plain(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_as_written = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    (is_as_written && is_bare(&url) && url.path().bytes().all(is_plain)).then_some(url)
}

/// Returns true if the URL has no user, password, query or fragment.
pub(super) fn is_bare(url: &Url) -> bool {
    url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
}

/// Returns the URL of an instance's link. It is always a path on the host of the service's API, whatever the link looks like.
pub(super) fn link(api: &Url, href: &str) -> Option<Url> {
    if !href.starts_with('/') {
        return None;
    }
    let origin = &api[..Position::BeforePath];
    let url = Url::parse(&format!("{origin}{href}")).ok()?;
    (url[..Position::BeforePath] == *origin).then_some(url)
}

#[cfg(test)]
mod tests;
