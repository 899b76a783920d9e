//! `layer`, `route_layer`, `merge`, `fallback`.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{boxed, layer};
use tower::{Layer, service_fn};

use super::{Browser, browser, open, private, signs_in, signs_out, status};

fn app() -> Router {
    Router::new().route("/private", get(private)).route("/public", get(open))
}

#[tokio::test]
async fn the_last_layer_on_the_outermost_router_sees_everything() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app().layer(layer(&osc));

    let mut visitor = browser(app.clone());
    assert_eq!(status(&mut visitor, "/public").await, StatusCode::OK);
    assert_eq!(
        status(&mut visitor, "/nothing").await,
        StatusCode::UNAUTHORIZED,
        "a 404 is behind the sign-in"
    );
    let mut member = signs_in(app, &osc, "").await;
    assert_eq!(status(&mut member, "/nothing").await, StatusCode::NOT_FOUND);
    signs_out(&mut member, "").await;
}

#[tokio::test]
async fn the_layer_around_the_whole_router_sees_everything() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(boxed(layer(&osc).layer(app())));

    assert_eq!(status(&mut browser, "/private").await, StatusCode::UNAUTHORIZED);
    browser.sign_in(&osc).await;
    assert_eq!(status(&mut browser, "/private").await, StatusCode::OK);
    assert_eq!(status(&mut browser, "/nothing").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_route_layer_does_not_see_the_sign_in_paths() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = browser(app().route_layer(layer(&osc)));

    assert_eq!(status(&mut browser, "/private").await, StatusCode::UNAUTHORIZED);
    for path in ["/auth/signin", "/auth/callback", "/auth/signout", "/nothing"] {
        assert_eq!(status(&mut browser, path).await, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_route_layer_with_the_auth_routes_merged_signs_in_and_out() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let app = app().route_layer(auth.clone()).merge(auth.routes()).route("/late", get(open));

    let mut visitor = browser(app.clone());
    let late = visitor.fetch("/late").await;
    assert_eq!(&late.body()[..], b"anonymous", "routes added after a route layer are not protected");
    assert_eq!(status(&mut visitor, "/nothing").await, StatusCode::NOT_FOUND);
    assert_eq!(status(&mut visitor, "/auth/signout").await, StatusCode::METHOD_NOT_ALLOWED);
    let mut member = signs_in(app, &osc, "").await;
    signs_out(&mut member, "").await;
}

#[tokio::test]
async fn auth_routes_beside_the_layer_change_nothing() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let app = app().merge(auth.routes()).layer(auth);

    let mut member = signs_in(app, &osc, "").await;
    signs_out(&mut member, "").await;
}

#[tokio::test]
async fn auth_routes_of_an_app_with_state_merge_before_and_after_with_state() {
    #[derive(Clone)]
    struct Motto(&'static str);
    async fn motto(state: axum::extract::State<Motto>, _: osc_auth_layer::OscToken) -> &'static str {
        state.0.0
    }
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let routes = || Router::new().route("/motto", get(motto)).route("/private", get(private));
    let before = routes().route_layer(auth.clone()).merge(auth.routes()).with_state(Motto("one"));
    let after = routes().with_state(Motto("two")).route_layer(auth.clone()).merge(auth.routes());

    for (app, expected) in [(before, "one"), (after, "two")] {
        let mut member = signs_in(app, &osc, "").await;
        assert_eq!(member.fetch("/motto").await.body(), expected);
    }
}

#[tokio::test]
async fn routes_added_after_the_layer_are_open() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = Router::new().route("/private", get(private)).layer(layer(&osc)).route("/late", get(open));

    let late = browser(app.clone()).fetch("/late").await;
    assert_eq!((late.status(), &late.body()[..]), (StatusCode::OK, &b"anonymous"[..]));
    signs_in(app, &osc, "").await;
}

#[tokio::test]
async fn routers_merged_before_the_layer_are_protected() {
    let osc = MockOsc::builder().start().await.unwrap();
    let other = Router::new().route("/private", get(private));
    let app = Router::new().route("/", get(open)).merge(other).layer(layer(&osc));

    assert_eq!(status(&mut browser(app.clone()), "/").await, StatusCode::UNAUTHORIZED);
    signs_in(app, &osc, "").await;
}

#[tokio::test]
async fn a_layered_router_merged_into_an_open_one_brings_its_sign_in_along() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layered = Router::new().route("/private", get(private)).layer(layer(&osc));
    let app = Router::new().route("/", get(open)).merge(layered);

    assert_eq!(browser(app.clone()).fetch("/").await.body(), "anonymous");
    signs_in(app, &osc, "").await;
}

#[tokio::test]
async fn a_router_merged_after_the_layer_needs_the_auth_routes() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let other = Router::new().route("/", get(open));
    let app = Router::new().route("/private", get(private)).layer(auth.clone()).merge(other);

    let mut visitor = browser(app.clone());
    assert_eq!(visitor.fetch("/").await.body(), "anonymous");
    assert_eq!(status(&mut visitor, "/private").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&mut visitor, "/auth/signin").await, StatusCode::NOT_FOUND);
    let mut member = signs_in(app.merge(auth.routes()), &osc, "").await;
    signs_out(&mut member, "").await;
}

#[tokio::test]
async fn a_fallback_before_the_layer_is_behind_the_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let lost = || async { (StatusCode::NOT_FOUND, "lost") };
    let app = Router::new().route("/private", get(private)).fallback(lost).layer(layer(&osc));

    let mut visitor = browser(app.clone());
    let refused = visitor.fetch("/nothing").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(!refused.body().windows(4).any(|bytes| bytes == b"lost"));
    assert_eq!(visitor.fetch("/assets/nothing").await.body(), "lost", "it is public by its path");
    let mut member = signs_in(app, &osc, "").await;
    let answer = member.fetch("/nothing").await;
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::NOT_FOUND, &b"lost"[..]));
}

#[tokio::test]
async fn a_fallback_service_is_protected_and_gets_the_token() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = Router::new()
        .route("/private", get(private))
        .fallback_service(service_fn(osc_tests::echo::<axum::body::Body>))
        .layer(layer(&osc));

    assert_eq!(status(&mut browser(app.clone()), "/files/a").await, StatusCode::UNAUTHORIZED);
    let mut member = signs_in(app, &osc, "").await;
    let answer = member.fetch("/files/a").await;
    assert_eq!(answer.body(), "signed in");
}

#[tokio::test]
async fn a_fallback_after_the_layer_needs_the_auth_routes() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer(&osc);
    let app = Router::new().route("/private", get(private)).layer(auth.clone()).fallback(open);

    let mut visitor = browser(app.clone());
    for path in ["/nothing", "/auth/signin"] {
        assert_eq!(visitor.fetch(path).await.body(), "anonymous", "{path}");
    }
    let mut member = signs_in(app.merge(auth.routes()), &osc, "").await;
    signs_out(&mut member, "").await;
}
