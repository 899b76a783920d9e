//! A browser for an app in this process or in another. It keeps cookies and completes sign-ins.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::{Router, body};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use tower::ServiceExt;

use crate::provider::Provider;

/// Where the app runs.
#[derive(Clone)]
pub(crate) enum App {
    Here(Router),
    /// On this port of loopback.
    There(reqwest::Client, u16),
}

impl App {
    pub(crate) fn at(port: u16) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self::There(client.expect("a client without TLS"), port)
    }

    async fn answer(&self, mut request: Request<Body>) -> Response<Bytes> {
        match self {
            Self::Here(app) => {
                let Ok(answer) = app.clone().oneshot(request).await;
                let (parts, body) = answer.into_parts();
                Response::from_parts(parts, body::to_bytes(body, 1 << 20).await.expect("a body"))
            }
            Self::There(client, port) => {
                *request.uri_mut() =
                    format!("http://127.0.0.1:{port}{}", request.uri()).parse().expect("a URL");
                let request = request.map(|_| reqwest::Body::default()).try_into().expect("a request");
                let mut answer = client.execute(request).await.expect("the app answers");
                let mut response = Response::builder().status(answer.status());
                if let Some(headers) = response.headers_mut() {
                    *headers = std::mem::take(answer.headers_mut());
                }
                response.body(answer.bytes().await.expect("a body")).expect("valid parts")
            }
        }
    }
}

#[derive(Clone)]
pub(crate) struct Browser {
    app: App,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(app: App) -> Self {
        Self { app, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response<Bytes> {
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
        let answer = self.app.answer(request).await;
        self.keep(answer.headers());
        answer
    }

    /// Signs in. `path` redirects to the provider, and the provider sends the browser back to the app.
    pub(crate) async fn sign_in(&mut self, provider: &Provider, path: &str) {
        let answer = self.get(path).await;
        let callback: Uri = provider.approve(location(&answer)).parse().expect("a URL");
        let path = callback.path_and_query().expect("the callback has a query");
        let answer = self.get(path.as_str()).await;
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
            if value.is_empty()
                || attributes.contains("Max-Age=0")
                || attributes.contains("expires=Thu, 01 Jan 1970")
            {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn location(answer: &Response<Bytes>) -> &str {
    let location = answer.headers().get(header::LOCATION);
    location.unwrap_or_else(|| panic!("no redirect: {answer:?}")).to_str().expect("ASCII")
}

pub(crate) fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).expect("the app answers with text").trim()
}
