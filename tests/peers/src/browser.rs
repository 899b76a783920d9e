//! A browser for an app in the same process. It keeps cookies and completes sign-ins.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use axum::{Router, body};
use http::{HeaderMap, HeaderValue, Request, header};
use tower::ServiceExt;

use crate::provider::Provider;

#[derive(Clone)]
pub(crate) struct Browser {
    app: Router,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(app: Router) -> Self {
        Self { app, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        let mut request = Request::get(path)
            .header(header::HOST, "app.example.com")
            .header(header::ACCEPT, "text/html")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .body(Body::empty())
            .expect("a valid request");
        if !self.cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, self.cookie_header());
        }
        let Ok(answer) = self.app.clone().oneshot(request).await;
        self.keep(answer.headers());
        answer
    }

    /// Signs in. `path` redirects to the provider, and the provider sends the browser back to the app.
    pub(crate) async fn sign_in(&mut self, provider: &Provider, path: &str) {
        let answer = self.get(path).await;
        let callback = provider.approve(location(&answer));
        let path = callback.strip_prefix(crate::peers::ORIGIN).expect("the provider redirects to the app");
        let answer = self.get(path).await;
        assert!(!answer.status().is_client_error() && !answer.status().is_server_error(), "{answer:?}");
    }

    pub(crate) fn cookie_header(&self) -> HeaderValue {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ").parse().expect("cookies are valid in a header")
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("cookies are ASCII");
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            if value.is_empty() || attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn location(answer: &Response) -> &str {
    let location = answer.headers().get(header::LOCATION);
    location.unwrap_or_else(|| panic!("no redirect: {answer:?}")).to_str().expect("ASCII")
}

pub(crate) async fn text(answer: Response) -> String {
    let body = body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    String::from_utf8_lossy(&body).into_owned()
}
