//! The services to compare with the layer: the bare app, and the app behind a hand-written minimum.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use dashmap::DashMap;
use foldhash::fast::RandomState;
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower_service::Service;

pub(crate) type Body = Full<Bytes>;
pub(crate) type Answer = Result<Response<Body>, Infallible>;

/// The app: answers 200 with an empty body, and with one header, as almost every answer has some.
#[derive(Clone)]
pub(crate) struct App;

impl Service<Request<Body>> for App {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        black_box(&request);
        let mut answer = Response::default();
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        ready(Ok(answer))
    }
}

/// The least that a person could write by hand: scans the `Cookie` header, looks up the session, clones an `Arc` and
/// inserts one extension. A request without a session gets 401, or passes on `/public`.
///
/// It checks no expiry, idle timeout, clock or duplicate cookie, and knows one cookie name only.
#[derive(Clone)]
pub(crate) struct Minimum<S> {
    pub(crate) inner: S,
    pub(crate) sessions: Arc<Sessions>,
}

pub(crate) type Sessions = DashMap<[u8; 43], Token, RandomState>;

/// The extension that a handler gets.
#[derive(Clone)]
pub(crate) struct Token(#[expect(dead_code, reason = "no handler here reads it")] pub(crate) Arc<Tokens>);

#[expect(dead_code, reason = "no handler here reads them")]
pub(crate) struct Tokens {
    pub(crate) access_token: Box<str>,
    pub(crate) refresh_token: Box<str>,
}

impl<S, B, R> Service<Request<B>> for Minimum<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let token = session_cookie(request.headers()).and_then(|id| Some(self.sessions.get(id)?.clone()));
        match token {
            Some(token) => {
                request.extensions_mut().insert(token);
            }
            None if request.uri().path() == "/public" => {}
            None => {
                let mut refusal = Response::new(R::default());
                *refusal.status_mut() = StatusCode::UNAUTHORIZED;
                return Either::Right(ready(Ok(refusal)));
            }
        }
        Either::Left(self.inner.call(request))
    }
}

fn session_cookie(headers: &HeaderMap) -> Option<&[u8; 43]> {
    const NAME: &[u8] = b"__Host-osc_session=";
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies.flat_map(|cookies: &HeaderValue| Pairs(cookies.as_bytes()));
    pairs.find_map(|pair| pair.strip_prefix(NAME))?.try_into().ok()
}

struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b';', self.0).unwrap_or(self.0.len());
        let pair = self.0[..end].trim_ascii_start();
        self.0 = &self.0[(end + 1).min(self.0.len())..];
        Some(pair)
    }
}
