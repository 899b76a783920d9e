//! Uploads without a session: the 401 reaches the client, directly and through nginx.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Stdio;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use osc_auth_layer::{DrainBody, DrainLayer};
use osc_tests::{Nginx, Server, free_port, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tower::{Layer, service_fn};

use super::hyper_server::{Body, full, serve};
use super::lonely;

/// Sizes of uploads, and how often each is sent. The smaller ones fail only now and then without the layer's care.
const UPLOADS: [(usize, usize); 3] = [(200_000, 5), (1_000_000, 5), (20_000_000, 1)];

/// Returns an app with the layer, on axum.
async fn on_axum() -> (Server, SocketAddr) {
    let (listener, address) = free_port().await;
    let app = Router::new().route("/upload", post(async || "kept")).layer(lonely()).layer(DrainLayer::new());
    (Server::start(async { axum::serve(listener, app).await }), address)
}

/// Returns an app with the layer, on hyper.
async fn on_hyper() -> (Server, SocketAddr) {
    async fn keep(_: Request<DrainBody<Incoming>>) -> Result<Response<Body>, Infallible> {
        Ok(Response::new(full("kept")))
    }
    let (listener, address) = free_port().await;
    (serve(listener, DrainLayer::new().layer(lonely().layer(service_fn(keep)))), address)
}

/// Sends the whole body before it reads anything, as simple clients do. Returns the status.
async fn send_then_read(address: SocketAddr, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the server takes the head");
    if let Err(error) = stream.write_all(body).await {
        return error.to_string();
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        Ok(_) => String::from_utf8_lossy(&answer).chars().skip("HTTP/1.1 ".len()).take(3).collect(),
        Err(error) => error.to_string(),
    }
}

/// Sends the body with curl. Returns the status, or curl's error.
async fn curl(address: SocketAddr, body: &[u8], header: &str) -> String {
    let mut curl = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
        ])
        .args([
            "--request",
            "POST",
            "--header",
            "Host: localhost:3000",
            "--header",
            header,
            "--data-binary",
            "@-",
        ])
        .arg(format!("http://{address}/upload"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curl runs");
    let mut input = curl.stdin.take().expect("its input is open");
    input.write_all(body).await.expect("curl reads its input");
    drop(input);
    let output = curl.wait_with_output().await.expect("curl ends");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Sends uploads of every size with every client. All must get a 401.
async fn all_are_refused(address: SocketAddr) {
    let reqwest = reqwest::Client::builder().no_proxy().build().expect("the client builds");
    for (size, times) in UPLOADS {
        let body = Bytes::from(vec![b'x'; size]);
        for _ in 0..times {
            assert_eq!(soon(send_then_read(address, &body)).await, "401", "{size} bytes, all sent first");
            let upload = reqwest.post(format!("http://{address}/upload")).body(body.clone());
            let answer =
                soon(upload.send()).await.unwrap_or_else(|error| panic!("{size} bytes, reqwest: {error:?}"));
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{size} bytes, reqwest");
            for header in ["Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"] {
                assert_eq!(
                    soon(curl(address, &body, header)).await,
                    "401",
                    "{size} bytes, curl with {header}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_upload_to_axum_without_a_session_gets_its_401() {
    let (_server, address) = on_axum().await;
    all_are_refused(address).await;
}

#[tokio::test]
async fn an_upload_to_hyper_without_a_session_gets_its_401() {
    let (_server, address) = on_hyper().await;
    all_are_refused(address).await;
}

#[tokio::test]
async fn an_upload_through_nginx_without_a_session_gets_its_401() {
    for (_server, address) in [on_axum().await, on_hyper().await] {
        for buffering in ["on", "off"] {
            let nginx = Nginx::start(address, &format!("proxy_request_buffering {buffering};")).await;
            all_are_refused(nginx.addr()).await;
        }
    }
}
