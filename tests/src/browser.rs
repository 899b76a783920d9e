//! A browser for in-process apps. It keeps cookies and sends the headers that browsers send.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use mock_osc::MockOsc;
use tower::ServiceExt;

use crate::cookie_jar::CookieJar;
use crate::{App, Body, callback};

/// A browser with its own cookie jar for one app. A clone starts with the same cookies and then keeps its
/// own.
#[derive(Clone, Debug)]
pub struct Browser {
    app: App,
    cookies: CookieJar,
    host: String,
    /// The text of every response so far, with cookies and bodies.
    seen: String,
}

/// A response with its whole body.
pub type Answer = Response<Bytes>;

impl Browser {
    /// Returns a browser that reaches the app as `localhost:3000`.
    pub fn new(app: App) -> Self {
        Self { app, cookies: CookieJar::default(), host: "localhost:3000".to_owned(), seen: String::new() }
    }

    /// Returns the same browser at another host.
    #[must_use]
    pub fn at(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Returns the cookies by name.
    pub fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies.0
    }

    /// Adds or replaces a cookie.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.0.insert(name.to_owned(), value.to_owned());
    }

    /// Removes all cookies whose name starts with `prefix`.
    pub fn forget_cookies(&mut self, prefix: &str) {
        self.cookies.0.retain(|name, _| !name.starts_with(prefix));
    }

    /// Returns status lines, headers and bodies of all responses so far. They must hold no token.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// Replaces the app and keeps the cookies, as after a restart.
    pub fn switch_app(&mut self, app: App) {
        self.app = app;
    }

    /// Sends a request as a script does.
    pub async fn fetch(&mut self, path: &str) -> Answer {
        let headers =
            [("accept", "application/json"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
        self.send(Method::GET, path, &headers).await
    }

    /// Sends a request as a browser does when the user types an address or clicks a link.
    pub async fn navigate(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &NAVIGATION).await
    }

    /// Posts a form from a page of `site` (`same-origin`, `cross-site`, …).
    pub async fn post_from(&mut self, site: &'static str, path: &str) -> Answer {
        let mut headers = NAVIGATION.to_vec();
        headers.push(("sec-fetch-site", site));
        self.send(Method::POST, path, &headers).await
    }

    /// Submits a form of a page of the app, with these fields.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut headers = NAVIGATION.to_vec();
        headers.push(("sec-fetch-site", "same-origin"));
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        let mut request = self.request(Method::POST, path, &headers);
        *request.body_mut() = form.into();
        self.send_raw(request).await
    }

    /// Sends a request with the browser's cookies and host before `headers`.
    ///
    /// # Panics
    /// If the app fails, or the request cannot be made.
    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send_raw(self.request(method, path, headers)).await
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
        let mut request = Request::new(Body::default());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a path");
        request.headers_mut().insert(header::HOST, self.host.parse().expect("a host"));
        if let Some(cookies) = self.cookies.header() {
            request.headers_mut().insert(header::COOKIE, cookies.parse().expect("cookies"));
        }
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header name");
            request.headers_mut().append(name, value.parse().expect("a header value"));
        }
        request
    }

    /// Sends a request unchanged, without the browser's cookies. The browser keeps the cookies of the answer.
    ///
    /// # Panics
    /// If the app fails.
    pub async fn send_raw(&mut self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.expect("the app answers");
        let body = String::from_utf8_lossy(response.body()).into_owned();
        self.seen.push_str(&format!("{} {{", response.status()));
        for (name, value) in response.headers() {
            // `Debug` hides header values that are marked sensitive, but a browser receives them.
            self.seen.push_str(&format!("\"{name}\": \"{}\", ", String::from_utf8_lossy(value.as_bytes())));
        }
        self.seen.push_str(&format!("}} {body}\n"));
        self.cookies.keep(response.headers());
        response
    }

    /// Keeps the cookies of an answer that arrived later.
    pub fn keep(&mut self, answer: &Answer) {
        self.cookies.keep(answer.headers());
    }

    /// Begins a sign-in. Returns the provider's URL that the browser is redirected to.
    ///
    /// # Panics
    /// If the answer does not redirect.
    pub async fn begin_sign_in(&mut self, path: &str) -> String {
        let answer = self.navigate(path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        location(&answer)
    }

    /// Signs in as a user does and allows the access. Returns the answer to the callback.
    ///
    /// # Panics
    /// If the sign-in does not begin, or the provider does not ask for consent.
    pub async fn sign_in(&mut self, osc: &MockOsc) -> Answer {
        let callback = callback(self, osc).await;
        self.navigate(&callback).await
    }
}

/// Returns the URL that an answer redirects to.
///
/// # Panics
/// If the answer does not redirect.
pub fn location(answer: &Answer) -> String {
    let location = answer.headers().get(header::LOCATION);
    location.unwrap_or_else(|| panic!("no redirect: {answer:?}")).to_str().expect("ASCII").to_owned()
}

/// Returns path and query of an absolute URL.
///
/// # Panics
/// If this is not an absolute URL.
pub fn path_of(url: &str) -> &str {
    let after_scheme = url.find("://").expect("an absolute URL") + 3;
    let path = url[after_scheme..].find('/').expect("a path");
    &url[after_scheme + path..]
}

const NAVIGATION: [(&str, &str); 4] = [
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-user", "?1"),
];
