//! A platform whose answers a test decides.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::IntoResponse;
use http::{Response, header};
use http_body_util::BodyExt;

use crate::{Server, free_port};

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Method, path and query.
    pub line: String,
    /// The headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Asking {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A server that answers every request with the test's function and records the requests.
#[derive(Debug)]
pub struct Scripted {
    base: String,
    asked: Arc<Mutex<Vec<Asking>>>,
    _server: Server,
}

impl Scripted {
    /// Starts a server. `answer` receives the server's base URL and a request, and returns a status, a
    /// content type and a body.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start<F>(answer: F) -> Self
    where
        F: Fn(&str, &Asking) -> (u16, &'static str, String) + Clone + Send + Sync + 'static,
    {
        Self::answering(move |base, asking| {
            let (status, content_type, body) = answer(base, asking);
            let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
            response.body(body).expect("a status and a content type")
        })
        .await
    }

    /// Starts a server. `answer` receives the server's base URL and a request, and returns a response.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn answering<F>(answer: F) -> Self
    where
        F: Fn(&str, &Asking) -> Response<String> + Clone + Send + Sync + 'static,
    {
        let (listener, address) = free_port().await;
        let (base, asked) = (format!("http://{address}"), Arc::<Mutex<Vec<Asking>>>::default());
        let (own, log) = (base.clone(), asked.clone());
        let serve = move |request: Request| {
            let (own, log, answer) = (own.clone(), log.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let headers = parts.headers.iter();
                let asking = Asking {
                    line: format!("{} {}", parts.method, parts.uri),
                    headers: headers
                        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                        .collect(),
                    body: text(&body),
                };
                let response = answer(&own, &asking);
                log.lock().expect("no panic").push(asking);
                response.into_response()
            }
        };
        let app = Router::new().fallback(serve);
        let server = Server::start(async move { axum::serve(listener, app).await });
        Self { base, asked, _server: server }
    }

    /// Returns the base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the requests so far.
    ///
    /// # Panics
    /// Never: an answer that panics is the test's.
    pub fn asked(&self) -> Vec<Asking> {
        self.asked.lock().expect("no panic").clone()
    }
}
