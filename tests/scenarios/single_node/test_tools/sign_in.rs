//! Sign-ins of an app's tests, with the mock and without it.

use axum::Router;
use axum::routing::get;
use http::{HeaderValue, Request, Response, StatusCode, header};
use mock_osc::{Endpoint, MockOsc, Visitor};
use osc_auth_layer::test_util::{TestClock, TestToken};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder, OscUser};
use osc_tests::{EXPIRED, echo, layer_for, soon};
use tower::{Layer, ServiceExt, service_fn};

async fn whose(user: OscUser) -> String {
    format!("{}/{}", user.user_id().unwrap_or("?"), user.workspace())
}

fn router(layer: &OscAuthLayer) -> Router {
    Router::new().route("/", get(whose)).layer(layer.clone())
}

async fn mock() -> MockOsc {
    MockOsc::builder().start().await.expect("the mock starts")
}

/// Returns a builder for a layer at these public URLs.
fn at(osc: &MockOsc, urls: &[&str]) -> OscAuthLayerBuilder {
    let layer = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()));
    urls.iter().fold(layer.issuer(osc.issuer()), |layer, url| layer.public_url(*url))
}

fn build(layer: OscAuthLayerBuilder) -> OscAuthLayer {
    layer.build().expect("it builds")
}

async fn answer(app: &Router, request: http::request::Builder) -> (StatusCode, String) {
    let request = request.body(axum::body::Body::empty()).expect("a valid request");
    let answer = soon(app.clone().oneshot(request)).await.expect("infallible");
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.expect("a short body");
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn with_cookie(cookie: &HeaderValue) -> http::request::Builder {
    Request::get("/").header(header::COOKIE, cookie)
}

#[tokio::test]
async fn a_user_signs_in_to_a_router() {
    let osc = mock().await;
    let app = router(&build(layer_for(&osc)));
    let ada = soon(osc.sign_in_as("ada", &app)).await.expect("ada signs in");
    assert_eq!(answer(&app, ada.get("/")).await, (StatusCode::OK, "ada/adalovelace".to_owned()));
    assert_eq!(ada.location(), "/");
    let debug = format!("{ada:?}");
    let (_, secret) = ada
        .cookie()
        .to_str()
        .expect("ASCII")
        .split_once('=')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a cookie");
    assert!(!debug.contains(&secret) && !format!("{:?}", ada.get("/")).contains(&secret), "{debug}");
}

#[tokio::test]
async fn many_users_sign_in_at_the_same_time() {
    let osc = mock().await;
    let app = router(&build(layer_for(&osc)));
    let users = [("ada", "team"), ("ada", "adalovelace"), ("grace", "team"), ("grace", "gracehopper")];
    let sign_ins = (0..20).map(|n| {
        let (osc, app, (user, workspace)) = (&osc, &app, users[n % users.len()]);
        async move {
            let signed_in = osc.sign_in_as((user, workspace), app).await.expect("the user signs in");
            assert_eq!(answer(app, signed_in.get("/")).await.1, format!("{user}/{workspace}"));
        }
    });
    soon(futures_util::future::join_all(sign_ins)).await;
    assert_eq!(osc.grant_uses().codes, 20);
}

#[tokio::test]
async fn a_sign_in_may_begin_at_any_page_host_and_prefix() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.expect("the mock starts");
    let one = build(at(&osc, &["https://one.example"]));
    let several = build(at(&osc, &["https://one.example", "https://two.example"]));
    let moved = build(layer_for(&osc).signin_path("/login").redirect_to_signin());
    let below = build(at(&osc, &["https://one.example/app"]));
    let none = build(at(&osc, &[]));
    for (layer, visitor, location) in [
        (&one, Visitor::new("ada"), "/"),
        (&one, Visitor::new("ada").enters_at("/auth/signin?return_to=/page"), "/page"),
        (&several, Visitor::new("ada").enters_at("https://two.example/auth/signin"), "/"),
        (&moved, Visitor::new("ada").enters_at("/login"), "/"),
        (&moved, Visitor::new("ada").enters_at("/deep/page"), "/deep/page"),
        (&none, Visitor::new("ada"), "/"),
        (&none, Visitor::new("ada").enters_at("http://127.0.0.1:4321/auth/signin"), "/"),
        (&below, Visitor::new("ada").behind_proxy_without("/app").enters_at("/app/auth/signin"), "/app/"),
    ] {
        let shown = format!("{visitor:?}");
        let ada = soon(osc.sign_in_as(visitor, &router(layer))).await;
        let ada = ada.unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(ada.location(), location, "{shown}");
        assert_eq!(answer(&router(layer), ada.get("/")).await.1, "ada/adalovelace", "{shown}");
    }
}

#[tokio::test]
async fn a_service_with_any_body_takes_visitors() {
    let osc = mock().await;
    let app = build(layer_for(&osc)).layer(service_fn(echo::<Vec<u8>>));
    let ada = soon(osc.sign_in_as(Visitor::new("ada").with_body::<Vec<u8>>(), &app)).await;
    assert!(ada.is_ok(), "{ada:?}");
}

#[tokio::test]
async fn an_automatic_consent_of_another_user_does_not_matter() {
    let osc = MockOsc::builder().auto_consent("grace").start().await.expect("the mock starts");
    let app = router(&build(layer_for(&osc)));
    let ada = soon(osc.sign_in_as("ada", &app)).await.expect("ada signs in");
    assert_eq!(answer(&app, ada.get("/")).await.1, "ada/adalovelace");
}

#[tokio::test]
async fn a_refused_user_gets_the_403_as_an_error() {
    let osc = mock().await;
    let app = router(&build(layer_for(&osc).allowed_workspaces(["adalovelace"])));
    let refused = soon(osc.sign_in_as("grace", &app)).await.expect_err("grace may not enter");
    assert_eq!(refused.status(), Some(403), "{refused}");
    assert!(refused.to_string().contains("not_allowed"), "{refused}");
    assert!(soon(osc.sign_in_as("ada", &app)).await.is_ok());
}

#[tokio::test]
#[should_panic(
    expected = "do not admit the user \"grace\" of the workspace \"gracehopper\" (tests/scenarios/single_node/test_tools"
)]
async fn a_session_without_a_sign_in_keeps_the_rules() {
    let osc = mock().await;
    let layer = build(layer_for(&osc).allowed_workspaces(["adalovelace"]));
    layer.sign_in_for_test(TestToken::from_answer(osc.grant_for("ada"))).await;
    layer.sign_in_for_test(TestToken::from_answer(osc.grant_for("grace"))).await;
}

#[tokio::test]
async fn a_session_with_a_grant_of_the_mock_refreshes_and_revokes() {
    let (osc, clock) = (mock().await, TestClock::new());
    let layer = build(layer_for(&osc).clock(clock.clone()));
    let app = router(&layer);
    let cookie = layer.sign_in_for_test(TestToken::from_answer(osc.grant_in("ada", "team"))).await;
    assert_eq!(answer(&app, with_cookie(&cookie)).await.1, "ada/team");
    assert!(!format!("{cookie:?}").contains("osc_session"), "{cookie:?}");

    clock.advance(EXPIRED);
    osc.advance(EXPIRED);
    assert_eq!(answer(&app, with_cookie(&cookie)).await, (StatusCode::OK, "ada/team".to_owned()));
    assert_eq!((osc.count_grants("refresh_token"), osc.live_refresh_tokens()), (1, 1));

    let sign_out = Request::post("/auth/signout").header(header::COOKIE, &cookie);
    assert_eq!(answer(&app, sign_out).await.0, StatusCode::SEE_OTHER);
    soon(osc.wait_for_requests(Endpoint::Revoke, 1)).await;
    assert_eq!(osc.live_refresh_tokens(), 0);
}

#[tokio::test]
async fn a_sign_in_that_fails_names_the_step() {
    let osc = mock().await;
    let elsewhere = at(&osc, &["https://app.example.com"]);
    let other = mock().await;
    let cases = [
        (
            router(&build(layer_for(&osc))),
            Visitor::new("ada").enters_at("/nowhere"),
            Some(401),
            "at GET /nowhere, which answered 401: ",
        ),
        (
            router(&build(layer_for(&osc))),
            Visitor::new("ada").enters_at("http://["),
            None,
            "\"http://[\" is no address",
        ),
        (
            router(&build(layer_for(&osc))),
            Visitor::new("alan"),
            None,
            "at the consent: the provider did not answer: the mock has no user \"alan\"; it has ada/",
        ),
        (
            router(&build(elsewhere)),
            Visitor::new("ada"),
            Some(400),
            "redirect_uri is not registered with this client. Use a public URL",
        ),
        (router(&build(layer_for(&other))), Visitor::new("ada"), None, "Set the app's issuer to this mock's"),
        (looping(), Visitor::new("ada"), None, "after 20 redirects"),
    ];
    for (app, visitor, status, words) in cases {
        let error = soon(osc.sign_in_as(visitor, &app)).await.expect_err(words);
        assert_eq!(error.status(), status, "{error}");
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(text.contains(words) && text.contains("the sign-in of a"), "{text}");
            assert!(!text.contains('\n') && !text.contains("state="), "{text}");
        }
    }
    let broken = service_fn(|_: Request<String>| async { Err::<Response<String>, _>("out\nof order") });
    let error = osc.sign_in_as("ada", &broken).await.expect_err("it is broken");
    assert_eq!(
        error.to_string(),
        "the sign-in of ada failed at GET /auth/signin: the app failed: out of order"
    );
}

fn looping() -> Router {
    Router::new().fallback(async || (StatusCode::SEE_OTHER, [(header::LOCATION, "/round")]))
}
