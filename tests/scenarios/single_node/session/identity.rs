//! The identity of a session: its cookie, which is secret, and its public id, which is not.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{Browser, EXPIRED, Stage, WatchedClock, app, error_of, soon, token_of};

const COOKIE: &str = "osc_session_3000";

#[tokio::test]
async fn s21_every_sign_in_drops_the_old_session_without_revoking() {
    let mut stage = Stage::signed_in().await;
    let mut ids = BTreeSet::new();
    let mut before = stage.token().await;
    for _ in 0..4 {
        let mut old = stage.browser.clone();
        assert!(ids.insert(stage.browser.cookies()[COOKIE].clone()));
        stage.browser.sign_in(&stage.osc).await;
        assert_eq!(error_of(&old.fetch("/").await), "unauthenticated", "the old id still works");
        let now = stage.token().await;
        assert_ne!(now.session().id(), before.session().id());
        assert!(soon(before.session().token()).await.is_err());
        assert!(stage.osc.is_live(before.access_token()), "the provider may have given the same grant again");
        before = now;
    }
    // Revocations run in the background. None is running after this.
    assert!(soon(stage.layer.shutdown(Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.count(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn s21_a_sign_in_during_a_refresh_revokes_nothing() {
    let mut stage = Stage::signed_in().await;
    let mut old = stage.browser.clone();
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::Status(503)).once();
    let mut request = Box::pin(old.fetch("/"));
    assert!(request.as_mut().now_or_never().is_none());
    // Between the two tries, the visitor signs in again.
    let pause = stage.clock.slept(WatchedClock::SECOND_TRY, 1).await;
    assert_eq!(stage.browser.sign_in(&stage.osc).await.status(), StatusCode::SEE_OTHER);
    stage.clock.advance(pause);
    assert_eq!(error_of(&soon(request).await), "unauthenticated");

    assert!(soon(stage.layer.shutdown(Duration::from_secs(5))).await.is_ok());
    assert_eq!(stage.osc.count(Endpoint::Revoke), 0, "the provider may have given the same grant again");
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s21_sign_in_replaces_a_planted_session_id() {
    let attacker = Stage::signed_in().await;
    for planted in [attacker.browser.cookies()[COOKIE].clone(), "A".repeat(43), "planted".to_owned()] {
        let mut victim = Browser::new(app(&attacker.layer));
        victim.set_cookie(COOKIE, &planted);
        victim.sign_in(&attacker.osc).await;
        assert_ne!(victim.cookies()[COOKIE], planted);
        assert_eq!(victim.fetch("/").await.status(), StatusCode::OK);
        let mut thief = Browser::new(app(&attacker.layer));
        thief.set_cookie(COOKIE, &planted);
        assert_eq!(error_of(&thief.fetch("/").await), "unauthenticated");
    }
}

#[tokio::test]
async fn s69_the_public_id_is_stable_and_useless_as_a_cookie() {
    let mut stage = Stage::signed_in().await;
    let id = stage.token().await.session().id();
    for _ in 0..3 {
        stage.pass(EXPIRED);
        assert_eq!(stage.token().await.session().id(), id);
    }
    let cookie = stage.browser.cookies()[COOKIE].clone();
    assert!(!cookie.contains(&id) && !id.contains(&cookie));
    for impostor in [id.clone(), format!("{id}{id}")[..43].to_owned()] {
        let mut thief = Browser::new(app(&stage.layer));
        thief.set_cookie(COOKIE, &impostor);
        assert_eq!(error_of(&thief.fetch("/").await), "unauthenticated");
    }
    stage.browser.sign_in(&stage.osc).await;
    assert_ne!(stage.token().await.session().id(), id);
}

#[tokio::test]
async fn s20_session_ids_carry_256_bits_and_never_repeat() {
    let stage = Stage::signed_in().await;
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let token = osc_auth_layer::test_util::TestToken::new("pat");
        let cookie = stage.layer.sign_in_for_test(token).await.to_str().unwrap().to_owned();
        // 43 characters of base64url.
        assert_eq!(cookie.len(), COOKIE.len() + 1 + 43, "{cookie}");
        assert!(seen.insert(cookie));
    }
}

#[tokio::test]
async fn two_apps_on_localhost_keep_their_cookies_apart_by_port() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer =
        |configure: fn(osc_auth_layer::OscAuthLayerBuilder, u16) -> osc_auth_layer::OscAuthLayerBuilder,
         port| {
            let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
            let builder = OscAuthLayer::builder(client).issuer(osc.issuer());
            app(&configure(builder, port).build().unwrap())
        };
    for configure in [
        // With the configured public URL, and with the port from the request.
        (|builder: osc_auth_layer::OscAuthLayerBuilder, port: u16| {
            builder.public_url(format!("http://localhost:{port}"))
        }) as fn(osc_auth_layer::OscAuthLayerBuilder, u16) -> osc_auth_layer::OscAuthLayerBuilder,
        (|builder, _| builder)
            as fn(osc_auth_layer::OscAuthLayerBuilder, u16) -> osc_auth_layer::OscAuthLayerBuilder,
    ] {
        let (one, two) = (layer(configure, 4001), layer(configure, 4002));
        // One browser for both, because cookies depend on the host and not on the port.
        let mut browser = Browser::new(one.clone()).at("localhost:4001");
        browser.sign_in(&osc).await;
        let at_one = token_of(&browser.fetch("/").await).expect("a token");
        browser.switch_app(two.clone());
        let mut browser = browser.at("localhost:4002");
        assert_eq!(error_of(&browser.fetch("/").await), "unauthenticated");
        browser.sign_in(&osc).await;
        let at_two = token_of(&browser.fetch("/").await).expect("a token");
        assert_ne!(at_one.access_token(), at_two.access_token());
        assert_eq!(browser.cookies().len(), 2, "{:?}", browser.cookies());

        // Signing out of one app does not affect the other.
        browser.post_from("same-origin", "/auth/signout").await;
        assert_eq!(error_of(&browser.fetch("/").await), "unauthenticated");
        browser.switch_app(one);
        let again = token_of(&browser.at("localhost:4001").fetch("/").await).expect("a token");
        assert_eq!(again.access_token(), at_one.access_token());
    }
}
