//! hyper without a framework: the whole flow over real connections.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use mock_osc::MockOsc;
use osc_auth_layer::{OAuthClient, OscAuthLayer, ResponseBody};
use osc_tests::{Server, SocketBrowser, free_port};
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};

use super::token_in;

pub(super) type Body = BoxBody<Bytes, Infallible>;

pub(super) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed()
}

/// Serves HTTP/1 and HTTP/2 with upgrades through hyper-util.
pub(super) fn serve<S>(listener: TcpListener, service: S) -> Server
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody<Body>>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    Server::start(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // A client that disconnects must not fail the test.
                let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    })
}

/// Returns a layer without a public URL. The host that the browser uses counts.
pub(super) fn layer_anywhere(osc: &MockOsc) -> OscAuthLayer {
    OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .public_path("/public")
        .build()
        .expect("the test's layer builds")
}

/// A handler that returns a full body, a streamed one, or an echo, by path.
async fn handle(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let who = if token_in(&request).is_some() { "signed in" } else { "anonymous" };
    let body = match request.uri().path() {
        "/stream" => {
            let frames = ["one ", "two"].map(|text| Ok(Frame::data(Bytes::from(text))));
            StreamBody::new(futures_util::stream::iter(frames)).boxed()
        }
        "/echo" => full(request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default()),
        _ => full(who),
    };
    Ok(Response::new(body))
}

async fn start(osc: &MockOsc) -> (Server, SocketAddr) {
    let (listener, address) = free_port().await;
    (serve(listener, layer_anywhere(osc).layer(service_fn(handle))), address)
}

#[tokio::test]
async fn served_by_hyper_a_visitor_signs_in_and_out() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (_server, address) = start(&osc).await;
    let base = format!("http://{address}");
    let mut browser = SocketBrowser::new(&base);

    assert_eq!(browser.get("/").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/public").await.2, "anonymous");
    assert_eq!(browser.sign_in(&osc).await, "/");
    let name = format!("osc_session_{}", address.port());
    assert_eq!(browser.cookies().keys().collect::<Vec<_>>(), [&name]);
    for path in ["/", "/public", "/deep/er?x"] {
        assert_eq!(browser.get(path).await.2, "signed in", "{path}");
    }
    let own = [("origin", base.as_str())];
    assert_eq!(browser.send(Method::POST, "/auth/signout", &own).await.0, StatusCode::SEE_OTHER);
    assert!(browser.cookies().is_empty());
    assert_eq!(browser.get("/").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bodies_are_framed_as_without_the_layer() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (_server, address) = start(&osc).await;
    let mut browser = SocketBrowser::new(&format!("http://{address}"));

    let (_, refused, body) = browser.get("/stream").await;
    assert_eq!(refused[header::CONTENT_LENGTH], body.len().to_string());
    let (_, head, body) = browser.send(Method::HEAD, "/", &[]).await;
    assert!(head.contains_key(header::CONTENT_LENGTH) && body.is_empty());
    browser.sign_in(&osc).await;
    let (_, full, body) = browser.get("/").await;
    assert_eq!((&full[header::CONTENT_LENGTH], body.as_str()), (&"9".parse().unwrap(), "signed in"));
    let (_, streamed, body) = browser.get("/stream").await;
    assert_eq!(
        (&streamed[header::TRANSFER_ENCODING], body.as_str()),
        (&"chunked".parse().unwrap(), "one two")
    );
    assert!(!streamed.contains_key(header::CONTENT_LENGTH));
    let (status, redirect, _) = browser.get("/auth/signin").await;
    assert_eq!((status, &redirect[header::CONTENT_LENGTH]), (StatusCode::SEE_OTHER, &"0".parse().unwrap()));
}

#[tokio::test]
async fn a_large_body_goes_there_and_back() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (_server, address) = start(&osc).await;
    let base = format!("http://{address}");
    let mut browser = SocketBrowser::new(&base);
    browser.sign_in(&osc).await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let echo = client.post(format!("{base}/echo")).header(header::COOKIE, browser.cookie_header());
    let answer = echo.body(large.clone()).send().await.unwrap();

    assert_eq!(answer.headers()[header::CONTENT_LENGTH], "3000000");
    assert!(answer.bytes().await.unwrap() == large);
}

/// Checks the bounds that hyper sets on a service's future.
#[test]
fn the_future_is_fit_for_hyper() {
    fn sendable<F: Future + Send + 'static>(_: F) {}
    let auth = OscAuthLayer::builder(OAuthClient::public("cli")).build().unwrap();
    let mut service = auth
        .layer(service_fn(|_: Request<Bytes>| async { Ok::<_, Infallible>(Response::new(full("fine"))) }));
    sendable(service.call(Request::new(Bytes::new())));
}
