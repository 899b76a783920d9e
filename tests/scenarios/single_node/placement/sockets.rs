//! axum on a real socket.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::{Method, StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscToken};
use osc_tests::{Server, SocketBrowser, free_port};
use tower::Layer;

use super::{open, private};

fn layer_at(osc: &MockOsc, base: &str) -> OscAuthLayer {
    OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .public_url(base)
        .public_path("/public")
        .build()
        .expect("the test's layer builds")
}

#[tokio::test]
async fn served_by_axum_a_visitor_signs_in_and_out() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (listener, address) = free_port().await;
    let base = format!("http://{address}");
    let app = Router::new()
        .route("/private", get(private))
        .route("/public", get(open))
        .layer(layer_at(&osc, &base));
    let _server = Server::start(async { axum::serve(listener, app).await });
    let mut browser = SocketBrowser::new(&base);

    let (status, headers, body) = browser.get("/private").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[header::CONTENT_LENGTH], body.len().to_string());
    assert_eq!(browser.get("/public").await.2, "anonymous");
    assert_eq!(browser.sign_in(&osc).await, "/");
    assert_eq!(browser.get("/private").await.2, "private");
    assert_eq!(browser.get("/public").await.2, "signed in");
    let own = [("origin", base.as_str()), ("sec-fetch-site", "same-origin")];
    let (status, _, _) = browser.send(Method::POST, "/auth/signout", &own).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(browser.cookies().is_empty());
    assert_eq!(browser.get("/private").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn connect_info_and_token_reach_the_same_handler() {
    async fn who(ConnectInfo(peer): ConnectInfo<SocketAddr>, token: OscToken) -> String {
        format!("{} {}", peer.ip(), token.session().id().len())
    }
    let osc = MockOsc::builder().start().await.unwrap();
    let (listener, address) = free_port().await;
    let base = format!("http://{address}");
    let app = Router::new().route("/who", get(who)).layer(layer_at(&osc, &base));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let _server = Server::start(async { axum::serve(listener, app).await });
    let mut browser = SocketBrowser::new(&base);

    browser.sign_in(&osc).await;

    assert_eq!(browser.get("/who").await.2, "127.0.0.1 22");
}

#[tokio::test]
async fn wrapped_around_a_router_it_is_the_fallback_service_of_another() {
    async fn who(ConnectInfo(peer): ConnectInfo<SocketAddr>, _: OscToken) -> String {
        peer.ip().to_string()
    }
    let osc = MockOsc::builder().start().await.unwrap();
    let (listener, address) = free_port().await;
    let base = format!("http://{address}");
    let app = layer_at(&osc, &base).layer(Router::new().route("/who", get(who)));
    let app = Router::new().fallback_service(app).into_make_service_with_connect_info::<SocketAddr>();
    let _server = Server::start(async { axum::serve(listener, app).await });
    let mut browser = SocketBrowser::new(&base);

    browser.sign_in(&osc).await;

    assert_eq!(browser.get("/who").await.2, "127.0.0.1");
}
