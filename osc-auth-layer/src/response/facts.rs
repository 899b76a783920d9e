//! The facts about a request that an answer depends on.

use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use url::Url;

use super::Answer;
use super::return_to::{checked, in_query};
use crate::config::{Config, Endpoint, route};
use crate::pages::Language;
use crate::request::framing::may_send_body;
use crate::request::kind::{Htmx, RequestKind};
use crate::request::origin::{self, Origin};

/// The facts about a request that an answer depends on: who reads the answer, and where a sign-in starts and returns.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(super) kind: RequestKind,
    /// The language of a page for this browser.
    pub(super) language: Language,
    /// True for `GET` and `HEAD`.
    pub(super) is_read: bool,
    /// True if the request may change something in the app: an unsafe method, but no `CONNECT`, gRPC call or path of the layer.
    pub(super) is_write: bool,
    may_send_body: bool,
    /// True at the sign-in itself.
    pub(super) is_signin: bool,
    /// The path below which the browser finds the app.
    pub(crate) base_path: String,
    /// The path of the sign-in, as the browser sees it.
    pub(super) signin: String,
    /// The path that the browser asked for.
    pub(super) path: String,
    /// The targets that a sign-in can return to, the best first.
    targets: Vec<String>,
    pub(crate) session_cookie: String,
}

impl Facts {
    pub(crate) fn of<B>(config: &Config, request: &Request<B>) -> Self {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let base_path = match origin::select(&config.public_urls, uri, headers) {
            Origin::Known(url) | Origin::Elsewhere(url) => url.base_path,
            Origin::Unknown => String::new(),
        };
        let kind = RequestKind::of(method, headers);
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let endpoint = route(config, uri.path());
        let is_call = matches!(kind, RequestKind::Grpc(_)) || *method == Method::CONNECT;
        let mut facts = Self {
            language: Language::choose(headers, &config.pages.languages),
            is_read,
            may_send_body: may_send_body(request),
            is_write: !method.is_safe() && !is_call && endpoint.is_none(),
            is_signin: endpoint == Some(Endpoint::SignIn),
            signin: format!("{base_path}{}", config.signin_path),
            path: format!("{base_path}{}", uri.path()),
            targets: Vec::new(),
            session_cookie: config.cookies.session_name(|| origin::port(uri, headers)),
            base_path,
            kind,
        };
        let targets = match endpoint {
            // The browser comes from the provider, or from a page that chose `return_to` or left it out.
            Some(Endpoint::SignIn | Endpoint::Callback | Endpoint::SignOut) => Vec::new(),
            _ if facts.shows_its_address() => addresses(&facts.base_path, uri),
            _ => page(config, uri, headers).unwrap_or_default(),
        };
        facts.targets = targets;
        facts.targets.retain(|target| checked(target, config, &facts.base_path).is_some());
        facts
    }

    /// Returns the path as the app sees it.
    pub(crate) fn own_path(&self) -> &str {
        &self.path[self.base_path.len()..]
    }

    /// Returns true if the browser's address bar shows the address of this request, or will do so.
    fn shows_its_address(&self) -> bool {
        let replaces_the_page =
            matches!(self.kind, RequestKind::Navigation | RequestKind::Htmx(Htmx::Boosted | Htmx::Restore));
        self.is_read && replaces_the_page
    }

    /// Returns true if the page's own fragment, which the browser does not send, belongs to the target of a sign-in.
    pub(super) fn keeps_fragment(&self) -> bool {
        self.kind == RequestKind::Navigation && self.is_read && !self.targets.is_empty()
    }

    /// Closes the connection after an answer to a request whose body nobody reads, so that no part of the body is read as the
    /// next request. HTTP/2 forbids the header (RFC 9113 §8.2.2).
    pub(crate) fn close_if_unread(&self, mut answer: Answer) -> Answer {
        if self.may_send_body {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// Replaces the targets of a sign-in by the one that the request's query names.
    pub(crate) fn returning_to(mut self, target: Option<&str>) -> Self {
        if let Some(target) = target {
            self.targets = vec![target.to_owned()];
        }
        self
    }

    /// Replaces the targets of a sign-in by the page that the request came from.
    pub(super) fn returning_to_its_page<B>(mut self, config: &Config, request: &Request<B>) -> Self {
        self.targets = page(config, request.uri(), request.headers()).unwrap_or_default();
        self.targets.retain(|target| checked(target, config, &self.base_path).is_some());
        self
    }

    /// Returns the best page that a sign-in can return to.
    pub(super) fn target(&self) -> Option<&str> {
        self.targets.first().map(String::as_str)
    }

    /// Returns the links to a sign-in that returns to the user's page. The best comes first, and the last returns nowhere.
    pub(super) fn signin_links(&self) -> impl Iterator<Item = String> {
        let returning =
            self.targets.iter().map(|target| format!("{}?return_to={}", self.signin, in_query(target)));
        returning.chain([self.signin.clone()])
    }

    /// Returns the best of these links, for an answer's body.
    pub(crate) fn signin_link(&self) -> String {
        self.signin_links().next().unwrap_or_default()
    }
}

/// Returns the address of the request. If path and query are too long, the path alone is still better than the first page.
fn addresses(base_path: &str, uri: &Uri) -> Vec<String> {
    let Some(address) = uri.path_and_query() else { return Vec::new() };
    [address.as_str(), address.path()].map(|target| format!("{base_path}{target}")).into()
}

/// Returns the page that the request came from, if it is of the app's own origin.
fn page(config: &Config, uri: &Uri, headers: &HeaderMap) -> Option<Vec<String>> {
    // `Referer` has no fragment. The header of htmx has one.
    let page = headers.get("hx-current-url").or_else(|| headers.get(header::REFERER))?;
    let page = Url::parse(page.to_str().ok()?).ok()?;
    let origin = page.origin().ascii_serialization();
    let is_own = origin::is_own(origin.as_bytes(), &config.public_urls, uri, headers);
    let query = page.query().map(|query| format!("?{query}")).unwrap_or_default();
    let fragment = page.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
    let path = page.path();
    is_own.then(|| vec![format!("{path}{query}{fragment}"), format!("{path}{query}"), path.to_owned()])
}
