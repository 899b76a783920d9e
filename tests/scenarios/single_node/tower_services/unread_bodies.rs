//! The connection of a request that the layer answers without its body.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::map_request;
use axum::response::Response;
use axum::{Router, routing::any};
use http::{HeaderValue, Method, StatusCode, Version, header};
use osc_auth_layer::{DrainLayer, OscAuthLayer};
use osc_tests::{Server, free_port, soon};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt, service_fn};

use super::{Due, cookie, due, lonely};

/// A server with the layer on axum, and the targets of the requests that it reads.
struct Site {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _server: Server,
}

impl Site {
    /// Starts a server without a [`DrainLayer`].
    async fn bare() -> Self {
        Self::serve(|app| app).await
    }

    async fn with(drain: DrainLayer) -> Self {
        Self::serve(|app| app.layer(drain)).await
    }

    async fn serve(finish: impl FnOnce(Router) -> Router) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let note = move |request: Request| {
            noted.lock().expect("no panic").push(request.uri().to_string());
            async { request }
        };
        let app = Router::new()
            .route("/upload", any(async || "kept"))
            .route("/public", any(async |_: String| "kept").layer(DefaultBodyLimit::max(9)))
            .layer(lonely())
            .route("/late", any(late));
        let app = finish(app).layer(map_request(note));
        let (listener, address) = free_port().await;
        let server = Server::start(async { axum::serve(listener, app).await });
        Self { address, seen, _server: server }
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.write_all(text.as_bytes()).await.expect("the server takes the request");
        stream
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

/// Answers without the body, when all other tasks have had their turns.
async fn late() -> &'static str {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    "kept"
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /upload HTTP/1.1\r\nHost: localhost:3000\r\n{headers}\r\n\r\n{body}")
}

/// Reads until the server closes or resets the connection.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    // A reset ends the connection too.
    let _ = soon(stream.read_to_end(&mut read)).await;
    String::from_utf8(read).expect("UTF-8")
}

/// Reads to the end of an answer's head.
async fn head(stream: &mut TcpStream) -> String {
    until(stream, "\r\n\r\n").await
}

/// Reads a refusal to the end of its JSON.
async fn answer(stream: &mut TcpStream) -> String {
    until(stream, "}").await
}

async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    while !read.ends_with(end) {
        let byte = soon(stream.read_u8()).await.expect("a whole answer");
        read.push(byte.into());
    }
    read
}

#[tokio::test]
async fn the_rest_of_a_body_is_never_read_as_a_request() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";
    let padded = format!("{smuggled}{}", "x".repeat(1_000_000));
    let chunk = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for request in [
        post(&format!("Content-Length: {}", smuggled.len()), smuggled),
        post(&format!("Content-Length: {}", padded.len()), &padded),
        post("Transfer-Encoding: chunked", &chunk),
        // The client announces a body, but sends a request.
        post("Content-Length: 100000\r\nExpect: 100-continue", smuggled),
    ] {
        for site in [Site::bare().await, Site::with(DrainLayer::new()).await] {
            let mut stream = TcpStream::connect(site.address).await.unwrap();
            let (mut reader, mut writer) = stream.split();
            // The request that follows gets no answer at all. The server may close before it takes everything.
            let next = "GET /next HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";
            let send = async { _ = writer.write_all((request.clone() + next).as_bytes()).await };
            let ((), answers) = tokio::join!(send, rest(&mut reader));
            assert!(
                answers.starts_with("HTTP/1.1 401 ") && answers.contains("connection: close\r\n"),
                "{answers}"
            );
            assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
            assert_eq!(site.seen(), ["/upload"]);
        }
    }
}

#[tokio::test]
async fn a_client_that_expects_leave_to_send_gets_the_final_answer_alone() {
    for site in [Site::bare().await, Site::with(DrainLayer::new()).await] {
        for (path, status) in [("/upload", "401"), ("/late", "200")] {
            let upload = post("Content-Length: 100000\r\nExpect: 100-continue", "").replace("/upload", path);
            let answer = rest(&mut site.send(&upload).await).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        }
    }
}

#[tokio::test]
async fn the_answer_does_not_wait_for_the_body() {
    let site = Site::with(DrainLayer::new()).await;
    let mut stream = site.send(&post("Content-Length: 2", "x")).await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 401 "));
    // The connection ends with the body, and not before.
    stream.write_all(b"x").await.unwrap();
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_slow_body_holds_its_connection_no_longer_than_the_limit() {
    let site = Site::with(DrainLayer::new().timeout(Duration::from_millis(1))).await;
    let mut stream = site.send(&post("Content-Length: 1000000", "slow")).await;
    answer(&mut stream).await;
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_limit() {
    const LIMIT: usize = 1024 * 1024;
    // The buffers of both sockets and of hyper.
    const BUFFERS: usize = 32 * 1024 * 1024;
    let drain = DrainLayer::new().limit(LIMIT as u64).timeout(Duration::from_secs(3600));
    let site = Site::with(drain).await;
    let mut stream = site.send(&post("Transfer-Encoding: chunked", "")).await;
    answer(&mut stream).await;
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    let mut sent = 0;
    while soon(stream.write_all(&chunk)).await.is_ok() {
        sent += 0x10000;
        assert!(sent <= LIMIT + BUFFERS, "the server still reads");
    }
    assert!(sent >= LIMIT, "{sent}");
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_not_read() {
    let site = Site::with(DrainLayer::new().limit(1000).timeout(Duration::from_secs(3600))).await;
    let mut stream = site.send(&post("Content-Length: 1001", "x")).await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn a_connection_goes_on_after_an_early_answer_of_the_app() {
    let site = Site::with(DrainLayer::new()).await;
    let upload = post("Content-Length: 2000000", &"x".repeat(2_000_000)).replace("/upload", "/public");
    let mut stream = site.send(&upload).await;
    assert!(soon(head(&mut stream)).await.starts_with("HTTP/1.1 413 "));
    stream.write_all(post("Connection: close", "").as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.contains("HTTP/1.1 401 "));
}

/// Returns the answer's `Connection` header.
async fn connection_of(auth: &OscAuthLayer, request: http::request::Builder) -> Option<HeaderValue> {
    let app = auth.layer(service_fn(async |_: Request| Ok::<_, Infallible>(Response::<Body>::default())));
    let request = request.header(header::HOST, "localhost:3000").body(Body::from("body")).expect("a request");
    let answer = app.oneshot(request).await.expect("an answer");
    answer.headers().get(header::CONNECTION).cloned()
}

#[tokio::test]
async fn an_own_answer_closes_the_connection_if_a_body_may_come() {
    let auth = lonely();
    let length = |length: &str| (header::CONTENT_LENGTH, HeaderValue::from_str(length).unwrap());
    let chunked = (header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    for (version, framing, closes) in [
        (Version::HTTP_11, Some(length("4")), true),
        (Version::HTTP_11, Some(chunked), true),
        (Version::HTTP_10, Some(length("4")), true),
        (Version::HTTP_11, Some(length("0")), false),
        (Version::HTTP_11, None, false),
        (Version::HTTP_2, Some(length("4")), false),
        (Version::HTTP_3, Some(length("4")), false),
    ] {
        // A refusal, the layer's own paths, and one of them with a wrong method.
        for (method, path) in [
            (Method::GET, "/"),
            (Method::POST, "/auth/signout"),
            (Method::GET, "/auth/session"),
            (Method::POST, "/auth/session"),
        ] {
            let mut request = http::Request::builder().method(&method).uri(path).version(version);
            request.headers_mut().unwrap().extend(framing.clone());
            let connection = connection_of(&auth, request).await;
            let expected = closes.then(|| HeaderValue::from_static("close"));
            assert_eq!(connection, expected, "{version:?} {framing:?} {method} {path}");
        }
    }
}

#[tokio::test]
async fn an_answer_after_a_wait_closes_the_connection_too() {
    let Due { osc, auth, due, .. } = due().await;
    osc.revoke_refresh_tokens();
    let request = || http::Request::post("/").header(header::COOKIE, &due).header(header::CONTENT_LENGTH, 4);
    assert_eq!(connection_of(&auth, request()).await.unwrap(), "close");
}

#[tokio::test]
async fn an_answer_of_the_app_keeps_the_connection() {
    let auth = lonely();
    let cookie = cookie(&auth, "pat").await;
    for path in ["/", "/public"] {
        let request =
            http::Request::post(path).header(header::COOKIE, &cookie).header(header::CONTENT_LENGTH, 4);
        assert_eq!(connection_of(&auth, request).await, None, "{path}");
    }
}

#[tokio::test]
async fn the_router_of_the_own_paths_closes_the_connection_too() {
    let router: Router = lonely().routes();
    let request = http::Request::post("/auth/signout").header(header::CONTENT_LENGTH, 4);
    let answer = router.oneshot(request.body(Body::from("body")).unwrap()).await.unwrap();
    assert_ne!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.headers()[header::CONNECTION], "close");
}
