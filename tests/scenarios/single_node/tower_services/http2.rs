//! HTTP/2 without TLS: the host is in `:authority`, cookies are split over header fields, and a WebSocket is
//! a CONNECT request.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mock_osc::MockOsc;
use osc_tests::{Server, free_port, path_of};
use tokio::net::TcpStream;
use url::Url;

use super::hyper_server::layer_anywhere;

/// A client with prior knowledge, on one connection.
struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
    address: SocketAddr,
}

impl Http2 {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { sender, address }
    }

    fn request(&self, path: &str, crumbs: &[&str]) -> Request<Empty<Bytes>> {
        let request = Request::get(format!("http://{}{path}", self.address)).version(Version::HTTP_2);
        let request = crumbs.iter().fold(request, |request, crumb| request.header(header::COOKIE, *crumb));
        request.body(Empty::new()).expect("a request")
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> Response<Incoming> {
        self.sender.send_request(request).await.expect("an answer")
    }

    async fn get(&mut self, path: &str, crumbs: &[&str]) -> Response<Incoming> {
        let request = self.request(path, crumbs);
        self.send(request).await
    }
}

fn set_cookie(headers: &HeaderMap) -> Vec<String> {
    let cookies = headers.get_all(header::SET_COOKIE).iter();
    let pairs = cookies.map(|cookie| cookie.to_str().expect("ASCII").split(';').next().expect("a pair"));
    pairs.map(str::to_owned).collect()
}

fn location<B>(response: &Response<B>) -> String {
    response.headers()[header::LOCATION].to_str().expect("ASCII").to_owned()
}

/// Returns an app that answers with the HTTP/2 parts of the request, and the session cookie of a user of it.
async fn signed_in(osc: &MockOsc) -> (Server, Http2, String) {
    async fn show(request: axum::extract::Request) -> String {
        let host = request.headers().contains_key(header::HOST);
        format!("{:?} {:?} {host}", request.version(), request.uri().authority().map(|name| name.to_string()))
    }
    let (listener, address) = free_port().await;
    let app = Router::new()
        .route("/", any(show))
        .route("/chat", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(|_| async {}) }))
        .layer(layer_anywhere(osc));
    let server = Server::start(async { axum::serve(listener, app).await });
    let mut client = Http2::connect(address).await;
    let signin = client.get("/auth/signin", &[]).await;
    assert_eq!(signin.status(), StatusCode::SEE_OTHER);
    let pending = set_cookie(signin.headers());
    let authorize = Url::parse(&location(&signin)).expect("a URL");
    let redirect_uri =
        authorize.query_pairs().find(|(name, _)| name == "redirect_uri").expect("it is there").1;
    assert_eq!(redirect_uri, format!("http://{address}/auth/callback"));
    let callback = osc.approve(authorize.as_str()).await.expect("the provider asks for consent");
    let crumbs = ["theme=dark", &pending[0], "lang=sv"];
    let back = client.get(path_of(&callback), &crumbs).await;
    assert_eq!((back.status(), location(&back).as_str()), (StatusCode::SEE_OTHER, "/"));
    let name = format!("osc_session_{}=", address.port());
    let session = set_cookie(back.headers())
        .into_iter()
        .find(|cookie| cookie.strip_prefix(&name).is_some_and(|value| !value.is_empty()));
    (server, client, session.expect("a session cookie"))
}

#[tokio::test]
async fn a_visitor_signs_in_by_authority_with_cookies_in_crumbs() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (_server, mut client, session) = signed_in(&osc).await;

    for crumbs in [&["a=1", session.as_str(), "b=2"][..], &[&session], &[&format!("a=1; {session}"), "b=2"]] {
        let answer = client.get("/", crumbs).await;
        assert_eq!(answer.status(), StatusCode::OK, "{crumbs:?}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("HTTP/2.0 Some(\"{}\") false", client.address));
    }
}

#[tokio::test]
async fn a_session_cookie_in_two_crumbs_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (_server, mut client, session) = signed_in(&osc).await;

    let answer = client.get("/", &[&session, "a=1", &session]).await;

    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn signing_out_works_by_authority() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (_server, mut client, session) = signed_in(&osc).await;
    for (origin, status) in [
        ("http://evil.example".to_owned(), StatusCode::FORBIDDEN),
        (format!("http://{}", client.address), StatusCode::SEE_OTHER),
    ] {
        let mut signout = client.request("/auth/signout", &[&session]);
        *signout.method_mut() = Method::POST;
        signout.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        assert_eq!(client.send(signout).await.status(), status, "{origin}");
    }
    assert_eq!(client.get("/", &[&session]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_websocket_over_http2_opens_only_for_the_app() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (_server, mut client, session) = signed_in(&osc).await;
    let own = format!("http://{}", client.address);
    for (origin, expected) in [
        (None, StatusCode::OK),
        (Some(own.as_str()), StatusCode::OK),
        (Some("https://evil.example"), StatusCode::UNAUTHORIZED),
        (Some("null"), StatusCode::UNAUTHORIZED),
    ] {
        let mut connect = client.request("/chat", &[&session]);
        *connect.method_mut() = Method::CONNECT;
        connect.extensions_mut().insert(Protocol::from_static("websocket"));
        connect.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, "13".parse().unwrap());
        if let Some(origin) = origin {
            connect.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        }
        assert_eq!(client.send(connect).await.status(), expected, "{origin:?}");
    }
}
