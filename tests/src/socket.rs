//! Apps on real sockets, and a browser for them.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use http::{HeaderMap, Method, StatusCode, header};
use mock_osc::MockOsc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cookie_jar::CookieJar;

/// Binds a free port of 127.0.0.1, for an app that must know its address before it starts.
///
/// # Panics
/// If no port is free.
pub async fn free_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// A server that stops when the test ends.
#[derive(Debug)]
pub struct Server(JoinHandle<()>);

impl Server {
    /// Runs `serve` in the background.
    pub fn start(serve: impl Future<Output = io::Result<()>> + Send + 'static) -> Self {
        Self(tokio::spawn(async move { serve.await.expect("the server runs") }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A browser with a cookie jar that talks to one address over real connections.
#[derive(Debug)]
pub struct SocketBrowser {
    http: reqwest::Client,
    base: String,
    cookies: CookieJar,
}

impl SocketBrowser {
    /// Returns a browser for the app at `base`, such as `http://127.0.0.1:3000`.
    ///
    /// Build the layer first, because it installs the TLS provider of the process.
    ///
    /// # Panics
    /// If the HTTP client cannot be built.
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let http = http.build().expect("the client builds");
        Self { http, base: base.to_owned(), cookies: CookieJar::default() }
    }

    /// Returns the cookies by name.
    pub fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies.0
    }

    /// Returns the value of the `Cookie` header that it would send.
    pub fn cookie_header(&self) -> String {
        self.cookies.header().unwrap_or_default()
    }

    /// Sends a request without a body. Redirects are not followed.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, String) {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookies) = self.cookies.header() {
            request = request.header(header::COOKIE, cookies);
        }
        let response = request.send().await.expect("the app answers");
        let (status, headers) = (response.status(), response.headers().clone());
        self.cookies.keep(&headers);
        (status, headers, response.text().await.expect("the body ends"))
    }

    /// Sends `GET path`.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn get(&mut self, path: &str) -> (StatusCode, HeaderMap, String) {
        self.send(Method::GET, path, &[]).await
    }

    /// Sends `GET path` and returns the URL that the answer redirects to.
    ///
    /// # Panics
    /// If the answer does not redirect.
    pub async fn follow(&mut self, path: &str) -> String {
        let (status, headers, body) = self.get(path).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
        headers[header::LOCATION].to_str().expect("ASCII").to_owned()
    }

    /// Signs in as a user does. Returns the URL that the callback redirects to.
    ///
    /// # Panics
    /// If a step does not redirect, or the callback is not at this address.
    pub async fn sign_in(&mut self, osc: &MockOsc) -> String {
        let authorize = self.follow("/auth/signin").await;
        let callback = osc.approve(&authorize).await.expect("the provider asks for consent");
        let callback = callback.strip_prefix(&self.base).expect("the callback is ours").to_owned();
        self.follow(&callback).await
    }
}
