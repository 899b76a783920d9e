//! Exchanges the user's credentials in a request for the token.

use http::{HeaderMap, HeaderValue, header};

use crate::sessions::OscToken;

/// Removes the headers that must not reach an API. The app may have copied them from the user's own request.
///
/// `Cookie` holds the session's id, which signs in as the user. Behind a shared proxy, `Host` decides who gets the request and its
/// token, so only the origin's own is left.
pub(super) fn clean(headers: &mut HeaderMap, authority: &HeaderValue) {
    for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
    if headers.contains_key(header::HOST) {
        headers.insert(header::HOST, authority.clone());
    }
}

/// Puts the token in, marked sensitive, instead of an older one.
pub(super) fn attach(headers: &mut HeaderMap, token: &OscToken) {
    headers.insert(header::AUTHORIZATION, token.bearer());
}
