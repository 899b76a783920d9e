//! The sessions and requests that all contenders share.

use std::convert::Infallible;
use std::future::poll_fn;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header, request};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{OAuthClient, OscAuth, OscAuthLayer};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tower_layer::Layer;
use tower_service::Service;

use crate::contenders::{App, Body, Minimum, Sessions, Token, Tokens};

/// The length of Open Source Cloud's tokens.
pub(crate) const ACCESS_TOKEN: usize = 900;
pub(crate) const REFRESH_TOKEN: usize = 64;

pub(crate) const CLIENT_ID: &str = "osc_bench";
pub(crate) const CLIENT_SECRET: &str = "a secret of more than 32 characters";

/// A layer with its defaults, on https.
pub(crate) fn builder() -> osc_auth_layer::OscAuthLayerBuilder {
    OscAuthLayer::builder(OAuthClient::confidential(CLIENT_ID, CLIENT_SECRET))
        .public_url("https://app.example.com")
        .public_path("/public")
        .max_sessions(4_000_000)
}

pub(crate) fn test_token(n: usize) -> TestToken {
    TestToken::new(token(n, ACCESS_TOKEN)).refresh_token(token(n, REFRESH_TOKEN))
}

fn token(n: usize, length: usize) -> String {
    format!("{n:0>length$}")
}

/// Signs users in and returns their cookies.
pub(crate) async fn signed_in(layer: &OscAuthLayer, sessions: usize) -> Vec<HeaderValue> {
    let mut cookies = Vec::with_capacity(sessions);
    for n in 0..sessions {
        cookies.push(layer.sign_in_for_test(test_token(n)).await);
    }
    cookies
}

/// Returns the same users' sessions, for the minimum.
pub(crate) fn minimum(cookies: &[HeaderValue]) -> Arc<Sessions> {
    let sessions = Sessions::with_hasher(RandomState::default());
    for (n, cookie) in cookies.iter().enumerate() {
        sessions.insert(id_of(cookie), minimum_token(n));
    }
    Arc::new(sessions)
}

pub(crate) fn minimum_token(n: usize) -> Token {
    let (access_token, refresh_token) = (token(n, ACCESS_TOKEN), token(n, REFRESH_TOKEN));
    Token(Arc::new(Tokens { access_token: access_token.into(), refresh_token: refresh_token.into() }))
}

pub(crate) fn id_of(cookie: &HeaderValue) -> [u8; 43] {
    let bytes = cookie.as_bytes();
    bytes[bytes.len() - 43..].try_into().expect("a session cookie ends with its id")
}

/// Returns a browser's `Cookie` header: the session cookie and two others.
pub(crate) fn with_others(session: &HeaderValue) -> HeaderValue {
    let session = session.to_str().expect("cookies are ASCII");
    let all = format!("theme=dark; {session}; _ga=GA1.2.1234567890.1234567890");
    // Shared bytes: a copy for each request costs no allocation.
    HeaderValue::from_maybe_shared(Bytes::from(all)).expect("cookies are valid in a header")
}

/// Returns a browser's request with ten headers, cookies included.
pub(crate) fn template(path: &str) -> request::Parts {
    let mut headers = HeaderMap::new();
    let plain = [
        ("host", "app.example.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "application/json"),
        ("accept-language", "en-GB,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", "https://app.example.com/dashboard"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-site", "same-origin"),
    ];
    for (name, value) in plain {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(header::COOKIE, HeaderValue::from_static("theme=dark; _ga=GA1.2.1234567890.1234567890"));
    let mut request = Request::new(());
    *request.uri_mut() = path.parse().expect("a path");
    *request.headers_mut() = headers;
    request.into_parts().0
}

/// Returns a copy of the template with other cookies.
pub(crate) fn request(template: &request::Parts, cookies: Option<&HeaderValue>) -> Request<Body> {
    let mut request = Request::from_parts(template.clone(), Body::default());
    if let Some(cookies) = cookies {
        request.headers_mut().insert(header::COOKIE, cookies.clone());
    }
    request
}

/// Returns a function that sends requests one by one, each with the next user's cookies.
pub(crate) fn drive<S, B>(mut service: S, path: &str, cookies: &[HeaderValue]) -> impl FnMut(usize)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let template = template(path);
    let mut next = cookies.iter().cycle();
    move |requests| {
        for _ in 0..requests {
            let ready = poll_fn(|cx| service.poll_ready(cx)).now_or_never();
            assert!(ready.is_some(), "no contender makes a request wait");
            let answer = service.call(request(&template, next.next())).now_or_never();
            let Some(Ok(answer)) = answer else { panic!("no contender makes a request wait or fail") };
            assert_eq!(answer.status(), 200);
            black_box(answer);
        }
    }
}

/// The three contenders, with the same users.
pub(crate) struct Stage {
    pub(crate) bare: App,
    pub(crate) minimum: Minimum<App>,
    pub(crate) layer: OscAuth<App>,
    /// The users' `Cookie` headers, in random order.
    pub(crate) cookies: Vec<HeaderValue>,
}

impl Stage {
    pub(crate) async fn new(layer: &OscAuthLayer, sessions: usize) -> Self {
        let signed_in = signed_in(layer, sessions).await;
        let minimum = Minimum { inner: App, sessions: minimum(&signed_in) };
        let mut cookies: Vec<_> = signed_in.iter().map(with_others).collect();
        cookies.shuffle(&mut StdRng::seed_from_u64(1));
        Self { bare: App, minimum, layer: layer.layer(App), cookies }
    }
}
