//! The layer among other layers, and on single method routers.

use axum::Router;
use axum::routing::{get, post};
use http::{HeaderValue, Method, StatusCode, header};
use mock_osc::MockOsc;
use osc_tests::layer;
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;

use super::{browser, open, private, signs_in, signs_out, status};

const FRIEND: &str = "https://friend.example";
const PREFLIGHT: [(&str, &str); 2] = [("origin", FRIEND), ("access-control-request-method", "GET")];

fn cors() -> CorsLayer {
    CorsLayer::new().allow_origin(HeaderValue::from_static(FRIEND)).allow_methods([Method::GET])
}

#[tokio::test]
async fn innermost_in_a_service_builder_it_works_behind_tracing_and_cors() {
    let osc = MockOsc::builder().start().await.unwrap();
    let stack =
        ServiceBuilder::new().layer(TraceLayer::new_for_http()).layer(cors()).layer(layer(&osc)).into_inner();
    let app = Router::new().route("/private", get(private)).layer(stack);

    let mut visitor = browser(app.clone());
    let preflight = visitor.send(Method::OPTIONS, "/private", &PREFLIGHT).await;
    assert_eq!(preflight.status(), StatusCode::OK);
    assert_eq!(preflight.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], FRIEND);
    let refused = visitor.send(Method::GET, "/private", &[("origin", FRIEND)]).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], FRIEND, "the script can read the 401");
    let mut member = signs_in(app, &osc, "").await;
    signs_out(&mut member, "").await;
}

#[tokio::test]
async fn outside_of_cors_it_refuses_preflights() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = Router::new().route("/private", get(private)).layer(cors()).layer(layer(&osc));

    let preflight = browser(app.clone()).send(Method::OPTIONS, "/private", &PREFLIGHT).await;

    assert_eq!(preflight.status(), StatusCode::UNAUTHORIZED);
    signs_in(app, &osc, "").await;
}

#[tokio::test]
async fn a_method_router_can_be_protected_alone() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let app = Router::new()
        .route("/private", get(private).post(private).layer(auth.clone()))
        .route("/mixed", get(open).merge(post(private).layer(auth.clone())))
        .route("/elsewhere", get(open))
        .merge(auth.routes());

    let mut visitor = browser(app.clone());
    for (method, path, expected) in [
        (Method::GET, "/elsewhere", StatusCode::OK),
        (Method::GET, "/mixed", StatusCode::OK),
        (Method::POST, "/mixed", StatusCode::UNAUTHORIZED),
        (Method::GET, "/private", StatusCode::UNAUTHORIZED),
        (Method::POST, "/private", StatusCode::UNAUTHORIZED),
        (Method::HEAD, "/private", StatusCode::UNAUTHORIZED),
        (Method::DELETE, "/private", StatusCode::UNAUTHORIZED),
    ] {
        let answer = visitor.send(method.clone(), path, &[]).await;
        assert_eq!(answer.status(), expected, "{method} {path}");
    }
    let mut member = signs_in(app, &osc, "").await;
    for (method, path, expected) in [
        (Method::POST, "/private", StatusCode::OK),
        (Method::POST, "/mixed", StatusCode::OK),
        (Method::DELETE, "/private", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = member.send(method.clone(), path, &[]).await;
        assert_eq!(answer.status(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn methods_an_app_does_not_have_are_behind_the_sign_in_too() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = Router::new()
        .route("/private", get(private))
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "only reading") })
        .layer(layer(&osc));

    let refused = browser(app.clone()).send(Method::PUT, "/private", &[]).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let mut member = signs_in(app, &osc, "").await;
    assert_eq!(member.send(Method::PUT, "/private", &[]).await.body(), "only reading");
}

#[tokio::test]
async fn two_layers_in_a_stack_still_pass_the_token_on() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let app = Router::new().route("/private", get(private)).route_layer(auth.clone()).layer(auth);

    let mut member = signs_in(app, &osc, "").await;
    assert_eq!(status(&mut member, "/nothing").await, StatusCode::NOT_FOUND);
    signs_out(&mut member, "").await;
}
