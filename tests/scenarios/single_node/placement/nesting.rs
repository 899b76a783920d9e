//! `nest` and `nest_service`. Below a prefix, the layer sees paths without it and must add it again for
//! browsers.

use axum::Router;
use axum::routing::get;
use http::{StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayer;
use osc_tests::{layer, layer_for};
use url::Url;

use super::{browser, location, open, private, signs_in, signs_out, status};

fn below_app(osc: &MockOsc) -> OscAuthLayer {
    let client = osc_auth_layer::OAuthClient::confidential(osc.client_id(), osc.client_secret());
    OscAuthLayer::builder(client)
        .issuer(osc.issuer())
        .public_url("http://localhost:3000/app")
        .public_path("/public")
        .build()
        .expect("the test's layer builds")
}

fn routes() -> Router {
    Router::new().route("/private", get(private)).route("/public", get(open))
}

#[tokio::test]
async fn a_nested_layer_protects_but_does_not_see_the_sign_in_paths() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = Router::new().route("/", get(open)).nest("/app", routes().layer(below_app(&osc)));

    let mut visitor = browser(app);
    assert_eq!(visitor.fetch("/").await.body(), "anonymous");
    assert_eq!(visitor.fetch("/app/public").await.body(), "anonymous");
    assert_eq!(status(&mut visitor, "/app/private").await, StatusCode::UNAUTHORIZED);
    for path in ["/app/auth/signin", "/auth/signin", "/app/nothing"] {
        assert_eq!(status(&mut visitor, path).await, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn nested_with_the_auth_routes_it_signs_in_and_out_below_the_prefix() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = below_app(&osc);
    let app =
        Router::new().route("/", get(open)).nest("/app", routes().layer(auth.clone()).merge(auth.routes()));

    let mut member = signs_in(app, &osc, "/app").await;
    signs_out(&mut member, "/app").await;
    assert_eq!(status(&mut member, "/auth/signin").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_auth_routes_can_be_nested_beside_what_they_sign_in_to() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = below_app(&osc);
    let app = Router::new()
        .route("/app/private", get(private))
        .route_layer(auth.clone())
        .nest("/app", auth.routes());

    let mut member = signs_in(app, &osc, "/app").await;
    signs_out(&mut member, "/app").await;
}

#[tokio::test]
async fn a_nested_fallback_brings_the_sign_in_paths_along() {
    let osc = MockOsc::builder().start().await.unwrap();
    let lost = || async { (StatusCode::NOT_FOUND, "lost") };
    let app = Router::new().nest("/app", routes().fallback(lost).layer(below_app(&osc)));

    let mut visitor = browser(app.clone());
    assert_eq!(status(&mut visitor, "/app/nothing").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&mut visitor, "/nothing").await, StatusCode::NOT_FOUND);
    let mut member = signs_in(app, &osc, "/app").await;
    assert_eq!(member.fetch("/app/nothing").await.body(), "lost");
}

#[tokio::test]
async fn nested_as_a_service_it_sees_everything_below_the_prefix() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = Router::new().route("/", get(open)).nest_service("/app", routes().layer(below_app(&osc)));

    let mut visitor = browser(app.clone());
    assert_eq!(visitor.fetch("/").await.body(), "anonymous");
    assert_eq!(status(&mut visitor, "/app/nothing").await, StatusCode::UNAUTHORIZED);
    let mut member = signs_in(app, &osc, "/app").await;
    assert_eq!(status(&mut member, "/app/nothing").await, StatusCode::NOT_FOUND);
    signs_out(&mut member, "/app").await;
}

#[tokio::test]
async fn below_a_prefix_every_url_for_the_browser_contains_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = below_app(&osc);
    let app = Router::new().nest("/app", routes().layer(auth.clone()).merge(auth.routes()));
    let mut visitor = browser(app);

    let json = visitor.fetch("/app/private").await;
    let json: serde_json::Value = serde_json::from_slice(json.body()).unwrap();
    assert_eq!(json["signin"], "/app/auth/signin");
    let page = visitor.navigate("/app/private?x=1").await;
    let challenge = page.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.contains("\"/app/auth/signin\""), "{challenge}");
    let html = String::from_utf8_lossy(page.body());
    assert!(html.contains("/app/auth/signin?return_to=/app/private?x=1"), "{html}");
    let authorize = visitor.begin_sign_in("/app/auth/signin").await;
    let redirect_uri = Url::parse(&authorize).unwrap();
    let redirect_uri =
        redirect_uri.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    assert_eq!(redirect_uri, "http://localhost:3000/app/auth/callback");
}

#[tokio::test]
async fn an_outermost_layer_sees_whole_paths_of_nested_routers() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = Router::new()
        .nest("/api", Router::new().route("/items", get(private)))
        .nest("/assets", Router::new().route("/app.css", get(open)))
        .route("/private", get(private))
        .layer(layer(&osc));

    let mut visitor = browser(app.clone());
    assert_eq!(visitor.fetch("/assets/app.css").await.body(), "anonymous");
    assert_eq!(status(&mut visitor, "/api/items").await, StatusCode::UNAUTHORIZED);
    let mut member = signs_in(app, &osc, "").await;
    assert_eq!(status(&mut member, "/api/items").await, StatusCode::OK);
}

#[tokio::test]
async fn auth_routes_at_configured_paths_answer_only_there() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth =
        layer_for(&osc).signin_path("/in").callback_path("/back").signout_path("/out").build().unwrap();
    let app = Router::new().route("/private", get(private)).route_layer(auth.clone()).merge(auth.routes());

    let mut browser = browser(app);
    assert_eq!(status(&mut browser, "/auth/signin").await, StatusCode::NOT_FOUND);
    let authorize = browser.begin_sign_in("/in").await;
    let callback = osc.approve(&authorize).await.unwrap();
    assert!(callback.starts_with("http://localhost:3000/back?"), "{callback}");
    browser.navigate(super::path_of(&callback)).await;
    assert_eq!(status(&mut browser, "/private").await, StatusCode::OK);
    assert_eq!(location(&browser.post_from("same-origin", "/out").await), "/");
    assert_eq!(status(&mut browser, "/private").await, StatusCode::UNAUTHORIZED);
}
