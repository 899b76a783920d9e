//! The visitor of a public path: signed in, anonymous, or unknown in an outage.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::axum::OscForm;
use osc_auth_layer::test_util::{MemoryStore, TestToken};
use osc_auth_layer::{OscAuthLayerBuilder, OscToken, OscUser, OscVisitor};
use osc_tests::{Answer, Browser, Op, QuickClock, RiggedStore, Trouble, boxed, layer_for};

const SIGNED_IN: &str = "signed in, signed in, a token";
const ANONYMOUS: &str = "anonymous, anonymous, no token";
const UNAVAILABLE: &str = "unavailable, unavailable, no token";

fn name(visitor: &OscVisitor) -> &'static str {
    match visitor {
        OscVisitor::SignedIn(_) => "signed in",
        OscVisitor::Unavailable { retry_after } if *retry_after >= Duration::from_secs(1) => "unavailable",
        OscVisitor::Anonymous => "anonymous",
        other => panic!("{other:?}"),
    }
}

/// Answers with what the extractor, the extensions and the optional token say.
async fn who(visitor: OscVisitor, token: Option<OscToken>, request: Request) -> String {
    let token = if token.is_some() { "a token" } else { "no token" };
    format!("{}, {}, {token}", name(&visitor), name(&OscVisitor::of(request.extensions())))
}

fn app() -> Router {
    Router::new().route("/", get(who)).route("/public", get(who))
}

fn browser(layer: OscAuthLayerBuilder) -> Browser {
    Browser::new(boxed(app().layer(layer.build().expect("the test's layer builds"))))
}

fn told(answer: &Answer) -> &str {
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    assert!(!answer.headers().contains_key("set-cookie"), "the session is kept: {answer:?}");
    std::str::from_utf8(answer.body()).expect("UTF-8")
}

#[tokio::test]
async fn s56_an_expired_token_in_an_outage_of_the_provider_makes_the_visitor_unknown() {
    let (osc, clock) = (MockOsc::builder().start().await.unwrap(), QuickClock::new());
    let mut user = browser(layer_for(&osc).clock(clock.clone()));
    assert_eq!(told(&user.fetch("/public").await), ANONYMOUS);
    user.sign_in(&osc).await;
    assert_eq!(told(&user.fetch("/public").await), SIGNED_IN);
    assert_eq!(told(&user.fetch("/").await), SIGNED_IN);

    clock.advance(Duration::from_secs(3600));
    osc.stop_listening().await;
    assert_eq!(told(&user.fetch("/public").await), UNAVAILABLE, "it asks the provider");
    assert_eq!(user.fetch("/").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(told(&user.fetch("/public").await), UNAVAILABLE, "it backs off");
    let mut stranger = user.clone();
    stranger.forget_cookies("");
    assert_eq!(told(&stranger.fetch("/public").await), ANONYMOUS);

    osc.resume_listening().await.unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(told(&user.fetch("/").await), SIGNED_IN);
    assert_eq!(told(&user.fetch("/public").await), SIGNED_IN);
}

#[tokio::test]
async fn the_end_of_a_session_makes_the_visitor_anonymous() {
    let (osc, clock) = (MockOsc::builder().start().await.unwrap(), QuickClock::new());
    let mut user = browser(layer_for(&osc).clock(clock.clone()));
    user.sign_in(&osc).await;
    osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));
    clock.advance(Duration::from_secs(3600));
    assert_eq!(user.clone().fetch("/").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(told(&user.fetch("/public").await), ANONYMOUS);
}

#[tokio::test]
async fn s56_an_outage_of_the_store_makes_the_visitor_unknown() {
    let osc = MockOsc::builder().start().await.unwrap();
    for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::Panics] {
        let clock = QuickClock::new();
        let store = RiggedStore::new(MemoryStore::without_notifications(clock.clone()));
        let mut user = browser(layer_for(&osc).clock(clock).store(store.clone()));
        user.sign_in(&osc).await;
        assert_eq!(told(&user.fetch("/public").await), SIGNED_IN);

        store.trouble(Op::Read, trouble);
        assert_eq!(told(&user.fetch("/public").await), UNAVAILABLE, "{trouble:?}");
        let mut stranger = user.clone();
        stranger.forget_cookies("");
        assert_eq!(told(&stranger.fetch("/public").await), ANONYMOUS, "{trouble:?}");

        store.mend();
        assert_eq!(told(&user.fetch("/public").await), SIGNED_IN, "{trouble:?}");
    }
}

/// An extractor that needs a token must not send a visitor to a sign-in, which would replace a session that is still good.
#[tokio::test]
async fn s56_an_extractor_on_a_public_path_answers_an_outage_and_offers_no_sign_in() {
    let (osc, clock) = (MockOsc::builder().start().await.unwrap(), QuickClock::new());
    let layer = layer_for(&osc).clock(clock.clone()).allow_anonymous().redirect_to_signin().build().unwrap();
    let app = Router::new()
        .route("/token", get(async |_: OscToken| "").post(async |_: OscForm<()>| ""))
        .route("/user", get(async |_: OscUser| ""));
    let mut user = Browser::new(boxed(app.layer(layer)));
    user.sign_in(&osc).await;
    assert_eq!(user.navigate("/user").await.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(3600));
    osc.stop_listening().await;
    for path in ["/token", "/user"] {
        for answer in [user.navigate(path).await, user.fetch(path).await] {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}: {answer:?}");
            assert!(
                answer.headers().contains_key("retry-after") && !answer.headers().contains_key("set-cookie")
            );
            let text = String::from_utf8_lossy(answer.body());
            assert!(text.contains("cannot reach Open Source Cloud. You are still signed in."), "{text}");
            assert!(!text.contains("/auth/signin"), "{text}");
        }
    }
    let form = user.post_from("same-origin", "/token").await;
    assert_eq!(form.status(), StatusCode::SERVICE_UNAVAILABLE, "{form:?}");
    user.forget_cookies("");
    let stranger = user.navigate("/token").await;
    assert_eq!(stranger.status(), StatusCode::SEE_OTHER, "a visitor without a session may sign in");
}

#[tokio::test]
async fn an_optional_app_is_told_of_an_outage_on_every_path() {
    let (osc, clock) = (MockOsc::builder().start().await.unwrap(), QuickClock::new());
    let mut user = browser(layer_for(&osc).clock(clock.clone()).allow_anonymous());
    assert_eq!(told(&user.fetch("/").await), ANONYMOUS);
    user.sign_in(&osc).await;
    assert_eq!(told(&user.fetch("/").await), SIGNED_IN);
    clock.advance(Duration::from_secs(3600));
    osc.stop_listening().await;
    for path in ["/", "/public"] {
        assert_eq!(told(&user.fetch(path).await), UNAVAILABLE, "{path}");
    }
}

#[tokio::test]
async fn the_innermost_layer_decides_who_the_visitor_is() {
    let (osc, clock) = (MockOsc::builder().start().await.unwrap(), QuickClock::new());
    let outer = layer_for(&osc).clock(clock.clone()).cookie_name("outer").build().unwrap();
    let inner = layer_for(&osc).cookie_name("inner").allow_anonymous().build().unwrap();
    let mut user = Browser::new(boxed(app().layer(inner.clone()).layer(outer)));
    user.sign_in(&osc).await;
    clock.advance(Duration::from_secs(3600));
    osc.stop_listening().await;

    assert_eq!(told(&user.fetch("/public").await), ANONYMOUS, "the outer layer is in an outage");
    let cookie = inner.sign_in_for_test(TestToken::new("a-token")).await;
    let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
    user.set_cookie(name, value);
    assert_eq!(told(&user.fetch("/public").await), SIGNED_IN);
}
