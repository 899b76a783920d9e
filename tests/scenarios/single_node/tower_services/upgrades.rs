//! Protocol upgrades of any kind pass through hyper and the layer to the handler.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use mock_osc::MockOsc;
use osc_tests::{SocketBrowser, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;
use tower::{Layer, service_fn};

use super::hyper_server::{Body, full, layer_anywhere, serve};
use super::token_in;

/// Sends an upgrade request over a connection of its own.
pub(super) async fn ask(address: SocketAddr, request: Request<Empty<Bytes>>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1");
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.expect("an answer")
}

/// Returns a request for `protocol` with these additional headers.
pub(super) fn upgrade(
    address: SocketAddr,
    path: &str,
    protocol: &str,
    headers: &[(&str, &str)],
) -> Request<Empty<Bytes>> {
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, protocol);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Empty::new()).expect("a request")
}

pub(super) async fn upgraded(response: Response<Incoming>) -> TokioIo<Upgraded> {
    TokioIo::new(hyper::upgrade::on(response).await.expect("it was upgraded"))
}

/// Upgrades requests of signed-in users, sends a greeting and then echoes. Other requests get `anonymous`.
async fn parrot(mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let Some(token) = token_in(&request).map(|_| "a token") else {
        return Ok(Response::new(full("anonymous")));
    };
    let connection = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut read, mut write) = split(TokioIo::new(connection.await.expect("it is upgraded")));
        write.write_all(token.as_bytes()).await.expect("the client reads");
        let _ = copy(&mut read, &mut write).await;
    });
    let switching = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let switching = switching.header(header::CONNECTION, "Upgrade").header(header::UPGRADE, "parrot");
    Ok(switching.body(full("")).expect("a response"))
}

#[tokio::test]
async fn a_signed_in_client_upgrades_to_a_protocol_of_the_apps_own() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (listener, address) = free_port().await;
    let _server = serve(listener, layer_anywhere(&osc).layer(service_fn(parrot)));
    let mut browser = SocketBrowser::new(&format!("http://{address}"));
    browser.sign_in(&osc).await;
    let cookie = browser.cookie_header();

    let response = ask(address, upgrade(address, "/", "parrot", &[("cookie", &cookie)])).await;

    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut connection = upgraded(response).await;
    let mut greeting = [0; 7];
    connection.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"a token");
    for word in [b"hello", b"world"] {
        connection.write_all(word).await.unwrap();
        let mut echo = [0; 5];
        connection.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, word);
    }
}

#[tokio::test]
async fn without_a_session_upgrades_are_refused_or_get_no_token() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (listener, address) = free_port().await;
    let _server = serve(listener, layer_anywhere(&osc).layer(service_fn(parrot)));

    let refused = ask(address, upgrade(address, "/", "parrot", &[])).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let bare = ask(address, upgrade(address, "/public", "parrot", &[])).await;
    assert_eq!(bare.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_upgrade_of_a_request_that_waited_for_its_token_works_too() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = osc_auth_layer::test_util::TestClock::new();
    let client = osc_auth_layer::OAuthClient::confidential(osc.client_id(), osc.client_secret());
    let auth = osc_auth_layer::OscAuthLayer::builder(client).issuer(osc.issuer()).clock(clock.clone());
    let (listener, address) = free_port().await;
    let _server = serve(listener, auth.build().unwrap().layer(service_fn(parrot)));
    let mut browser = SocketBrowser::new(&format!("http://{address}"));
    browser.sign_in(&osc).await;
    clock.advance(std::time::Duration::from_secs(3601));
    let cookie = browser.cookie_header();

    let response = ask(address, upgrade(address, "/", "parrot", &[("cookie", &cookie)])).await;

    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(osc.count_grants("refresh_token"), 1);
    let mut greeting = [0; 7];
    upgraded(response).await.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"a token");
}
