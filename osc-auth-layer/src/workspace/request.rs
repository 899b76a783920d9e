//! Requests to the platform, as values.
//!
//! Each type carries one kind of token and accepts only addresses for that kind. So a token cannot reach the wrong address
//! (draft "OAuth 2.0 for browser-based applications" §6.1.3.6).

use http::{HeaderName, HeaderValue, Method, header};
use url::Url;

use super::hosts;
use crate::network::WireRequest;

const PAT: HeaderName = HeaderName::from_static("x-pat-jwt");
const SAT: HeaderName = HeaderName::from_static("x-jwt");
const JSON: &str = "application/json";

/// Appends escaped segments to a URL's path. No segment can leave that path.
pub(super) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

fn request(method: Method, url: Url) -> WireRequest {
    WireRequest::new(method, url).header(header::ACCEPT, HeaderValue::from_static("*/*"))
}

/// Adds the content type JSON. OSC's own clients send it even without a body, so its servers are known to accept that.
fn json(request: WireRequest) -> WireRequest {
    request.header(header::CONTENT_TYPE, HeaderValue::from_static(JSON))
}

/// A request that carries the personal access token.
pub(crate) struct PlatformRequest(WireRequest);

impl PlatformRequest {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self(json(request(method, url)))
    }

    pub(super) fn body(self, body: &serde_json::Value) -> Self {
        Self(self.0.body(JSON, body.to_string()))
    }

    /// Removes the content type. Some servers answer 400 to a `POST` that announces JSON but has no body.
    pub(super) fn without_content_type(mut self) -> Self {
        self.0.headers.remove(header::CONTENT_TYPE);
        self
    }

    pub(super) fn authorized(&self, personal_access_token: HeaderValue) -> WireRequest {
        self.0.clone().header(PAT, personal_access_token)
    }
}

/// The API of one service, which is the only address for its service access token.
#[derive(Clone, Debug)]
pub(crate) struct Api(Url);

impl Api {
    /// Makes an API. The caller has checked that the URL belongs to the service.
    pub(super) fn at(url: Url) -> Self {
        Self(url)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Makes a request to the collection of instances.
    pub(super) fn instances(&self, method: Method) -> ServiceRequest {
        ServiceRequest { request: json(request(method, self.0.clone())), header: SAT }
    }

    pub(super) fn instance(&self, method: Method, name: &str) -> ServiceRequest {
        ServiceRequest { request: json(request(method, below(&self.0, &[name]))), header: SAT }
    }

    /// Makes a request to one of an instance's links. `None` if the link leads to another host.
    pub(super) fn link(&self, method: Method, href: &str) -> Option<ServiceRequest> {
        let url = hosts::link(&self.0, href)?;
        Some(ServiceRequest { request: request(method, url), header: SAT })
    }
}

/// A request that carries a service access token.
pub(crate) struct ServiceRequest {
    request: WireRequest,
    header: HeaderName,
}

impl ServiceRequest {
    pub(super) fn body(mut self, body: &serde_json::Value) -> Self {
        self.request = self.request.body(JSON, body.to_string());
        self
    }

    pub(super) fn saying_json(mut self) -> Self {
        self.request = json(self.request);
        self
    }

    /// Sends the token in `Authorization`. Only scaling uses this standard header.
    pub(super) fn by_authorization(mut self) -> Self {
        self.header = header::AUTHORIZATION;
        self.saying_json()
    }

    /// Adds a query parameter after those that the link has already.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.request.url.query_pairs_mut().append_pair(name, value);
        self
    }

    pub(super) fn authorized(self, service_access_token: HeaderValue) -> WireRequest {
        self.request.header(self.header, service_access_token)
    }
}
