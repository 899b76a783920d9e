//! The facts about a request that an answer depends on.

use http::{HeaderMap, HeaderValue, Method, Request, header};

use super::return_to;
use crate::config::Config;
use crate::request::origin::{self, Origin};

/// The facts about a request that an answer depends on: who reads the answer, and where a sign-in starts and returns.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(super) is_navigation: bool,
    pub(super) is_safe: bool,
    /// The path below which the browser finds the app.
    pub(crate) base_path: String,
    pub(super) signin: String,
    /// The path that the browser asked for.
    pub(super) path: String,
    /// The path and query that a sign-in can return to, if the request is a navigation.
    return_to: Option<String>,
    pub(crate) session_cookie: String,
}

impl Facts {
    pub(crate) fn of<B>(config: &Config, request: &Request<B>) -> Self {
        let (uri, headers) = (request.uri(), request.headers());
        let base_path = match origin::select(&config.public_urls, uri, headers) {
            Origin::Known(url) | Origin::Elsewhere(url) => url.base_path,
            Origin::Unknown => String::new(),
        };
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_navigation = is_navigation(headers);
        let target = uri.path_and_query().filter(|_| is_navigation && is_safe);
        // If path and query are too long, the path alone is still better than the app's first page.
        let targets = target.into_iter().flat_map(|target| [target.as_str(), target.path()]);
        Self {
            is_navigation,
            is_safe,
            signin: format!("{base_path}{}", config.signin_path),
            path: format!("{base_path}{}", uri.path()),
            return_to: targets
                .map(|target| format!("{base_path}{target}"))
                .find(|target| target.len() <= return_to::LONGEST),
            session_cookie: config.cookies.session_name(|| origin::port(uri, headers)),
            base_path,
        }
    }

    /// Removes the return path. For the layer's own endpoints, which a sign-in must not return to.
    pub(crate) fn without_return(mut self) -> Self {
        self.return_to = None;
        self
    }

    /// Returns the same facts with another return path.
    pub(crate) fn returning_to(&self, return_to: Option<String>) -> Self {
        Self { return_to, ..self.clone() }
    }

    pub(super) fn signin_link(&self) -> String {
        let Some(return_to) = &self.return_to else { return self.signin.clone() };
        let query: String = form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
        format!("{}?return_to={query}", self.signin)
    }
}

/// Returns true for a top-level navigation: if Fetch Metadata says so, or else if the request accepts `text/html`.
fn is_navigation(headers: &HeaderMap) -> bool {
    let value = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    match (value("sec-fetch-mode"), value("sec-fetch-dest")) {
        (None, None) => headers
            .get_all(header::ACCEPT)
            .iter()
            .any(|accept| memchr::memmem::find(accept.as_bytes(), b"text/html").is_some()),
        (mode, dest) => {
            mode.is_none_or(|mode| mode == b"navigate") && dest.is_none_or(|dest| dest == b"document")
        }
    }
}
