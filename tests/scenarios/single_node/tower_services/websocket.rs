//! WebSockets through axum. Pages of the app may open them, and foreign pages may not.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::Message;
use axum::response::Response;
use axum::routing::any;
use http::{StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::OscToken;
use osc_tests::{Server, SocketBrowser, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::hyper_server::layer_anywhere;
use super::upgrades::{ask, upgrade, upgraded};

async fn chat(token: Option<OscToken>, upgrade: WebSocketUpgrade) -> Response {
    let who = if token.is_some() { "member" } else { "guest" };
    upgrade.on_upgrade(move |mut socket| async move {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            let answer = format!("{who}: {text}");
            if socket.send(Message::Text(answer.into())).await.is_err() {
                return;
            }
        }
    })
}

struct At {
    _osc: MockOsc,
    _server: Server,
    address: SocketAddr,
    cookie: String,
}

async fn at() -> At {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let (listener, address) = free_port().await;
    let app = Router::new().route("/chat", any(chat)).route("/public", any(chat)).layer(layer_anywhere(&osc));
    let server = Server::start(async { axum::serve(listener, app).await });
    let mut browser = SocketBrowser::new(&format!("http://{address}"));
    browser.sign_in(&osc).await;
    At { _osc: osc, _server: server, address, cookie: browser.cookie_header() }
}

impl At {
    /// Makes the handshake of RFC 6455 §1.3, with the key of its example.
    async fn handshake(&self, path: &str, headers: &[(&str, &str)]) -> http::Response<hyper::body::Incoming> {
        let mut all = vec![
            ("cookie", self.cookie.as_str()),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        all.extend_from_slice(headers);
        ask(self.address, upgrade(self.address, path, "websocket", &all)).await
    }
}

/// Sends a masked text frame (RFC 6455 §5.2) and reads the text of the answer.
async fn talk(response: http::Response<hyper::body::Incoming>, text: &str) -> String {
    let mut connection = upgraded(response).await;
    let mask = [7, 11, 13, 17];
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).expect("a short text")];
    frame.extend_from_slice(&mask);
    frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    connection.write_all(&frame).await.expect("the server reads");
    let mut head = [0; 2];
    connection.read_exact(&mut head).await.expect("a frame comes back");
    assert_eq!(head[0], 0x81, "a text in one frame");
    let mut answer = vec![0; usize::from(head[1])];
    connection.read_exact(&mut answer).await.expect("the frame is whole");
    String::from_utf8(answer).expect("a text")
}

#[tokio::test]
async fn a_websocket_opens_and_talks() {
    let at = at().await;

    let response = at.handshake("/chat", &[]).await;

    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(talk(response, "hello").await, "member: hello");
}

#[tokio::test]
async fn only_pages_of_the_app_can_open_websockets() {
    let at = at().await;
    let port = at.address.port();
    let own = format!("http://127.0.0.1:{port}");
    let other_port = format!("http://127.0.0.1:{}", port ^ 1);
    let other_name = format!("http://localhost:{port}");
    let longer_name = format!("http://127.0.0.1:{port}.evil.example");
    for (origins, expected) in [
        (&[own.as_str()][..], StatusCode::SWITCHING_PROTOCOLS),
        (&["https://evil.example"], StatusCode::UNAUTHORIZED),
        (&["null"], StatusCode::UNAUTHORIZED),
        (&[""], StatusCode::UNAUTHORIZED),
        (&[&other_port], StatusCode::UNAUTHORIZED),
        (&[&other_name], StatusCode::UNAUTHORIZED),
        (&[&longer_name], StatusCode::UNAUTHORIZED),
        (&[&own, "https://evil.example"], StatusCode::UNAUTHORIZED),
        (&["https://evil.example", &own], StatusCode::UNAUTHORIZED),
    ] {
        let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
        let response = at.handshake("/chat", &headers).await;
        assert_eq!(response.status(), expected, "{origins:?}");
    }
}

#[tokio::test]
async fn on_a_public_path_a_foreign_page_gets_a_websocket_without_a_token() {
    let at = at().await;

    let own = at.handshake("/public", &[]).await;
    let foreign = at.handshake("/public", &[("origin", "https://evil.example")]).await;

    assert_eq!(talk(own, "hi").await, "member: hi");
    assert_eq!(talk(foreign, "hi").await, "guest: hi");
}

#[tokio::test]
async fn a_websocket_lives_on_after_the_sign_out_of_its_session() {
    let at = at().await;
    let response = at.handshake("/chat", &[]).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);

    let signout = http::Request::post("/auth/signout")
        .header(header::HOST, at.address.to_string())
        .header(header::ORIGIN, format!("http://{}", at.address))
        .header(header::COOKIE, &at.cookie)
        .body(http_body_util::Empty::new())
        .unwrap();
    assert_eq!(ask(at.address, signout).await.status(), StatusCode::SEE_OTHER);

    assert_eq!(talk(response, "still").await, "member: still");
    assert_eq!(at.handshake("/chat", &[]).await.status(), StatusCode::UNAUTHORIZED);
}
