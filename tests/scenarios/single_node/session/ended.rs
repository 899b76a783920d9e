//! Waiting for the end of a session, on one node.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscSession};
use osc_tests::{EXPIRED, Stage, soon};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The pauses between two looks at a session that somebody waits for.
pub(crate) const LOOK_AGAIN: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(10);

pub(crate) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Begins to wait for the end of a live session.
pub(crate) fn wait(session: &OscSession) -> Wait {
    let session = session.clone();
    let mut wait: Wait = Box::pin(async move { session.ended().await });
    assert!(is_pending(&mut wait), "the session has ended");
    wait
}

pub(crate) fn is_pending(wait: &mut Wait) -> bool {
    wait.as_mut().now_or_never().is_none()
}

#[tokio::test]
async fn every_way_to_sign_out_ends_every_wait() {
    for way in 0..5 {
        let mut stage = Stage::signed_in().await;
        let token = stage.token().await;
        let (session, user) = (token.session(), token.user().unwrap().key().unwrap());
        let (mut first, second) = (wait(&session), wait(&session));
        assert!(session.is_live().await.unwrap());
        match way {
            0 => _ = stage.browser.post_from("same-origin", "/auth/signout").await,
            1 => session.sign_out().await,
            2 => session.sign_out_everywhere().await.unwrap(),
            3 => assert!(session.end(&session.id()).await.unwrap()),
            _ => stage.layer.sessions_of(user).end_all().await.unwrap(),
        }
        assert!(!is_pending(&mut first), "way {way}");
        soon(second).await;
        assert!(!session.is_live().await.unwrap());
        assert!(session.ended().now_or_never().is_some(), "way {way}: it has ended already");
    }
}

#[tokio::test]
async fn the_sign_out_of_another_session_ends_no_wait() {
    let stage = Stage::signed_in().await;
    let mut waits = wait(&stage.token().await.session());
    let mut other = stage.browser_with(TestToken::new("another-token")).await;
    other.post_from("same-origin", "/auth/signout").await;
    assert!(is_pending(&mut waits));
}

#[tokio::test]
async fn a_refusal_by_the_provider_ends_the_wait() {
    let mut stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    let mut waits = wait(&session);
    stage.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));
    stage.pass(EXPIRED);
    tokio::task::yield_now().await;
    assert!(is_pending(&mut waits) && session.is_live().await.unwrap(), "nobody asked the provider");
    assert_eq!(stage.fetch("/").await.status(), StatusCode::UNAUTHORIZED);
    soon(waits).await;
    assert!(!session.is_live().await.unwrap());
}

#[tokio::test]
async fn an_outage_of_the_provider_ends_no_wait() {
    let mut stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    let mut waits = wait(&session);
    stage.osc.fault(Endpoint::Token, Fault::Status(429));
    stage.pass(EXPIRED);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(is_pending(&mut waits) && session.is_live().await.unwrap());
}

#[tokio::test]
async fn s26_neither_a_wait_nor_a_look_is_a_use_of_the_session() {
    let osc = || MockOsc::builder().token_ttl(10_000 * HOUR);
    let stage = Stage::with(osc(), |layer| layer.idle_timeout(10 * MINUTE)).await;
    let session = stage.token().await.session();
    let mut waits = wait(&session);
    for looks in 1..=9 {
        stage.clock.slept(LOOK_AGAIN, looks).await;
        stage.pass(MINUTE);
        assert!(is_pending(&mut waits) && session.is_live().await.unwrap(), "{looks}");
    }
    stage.pass(MINUTE);
    soon(waits).await;
    assert!(!session.is_live().await.unwrap());
}

#[tokio::test]
async fn s27_the_absolute_timeout_ends_the_wait_of_a_session_in_use() {
    let osc = MockOsc::builder().token_ttl(10_000 * HOUR);
    let mut stage = Stage::with(osc, |layer| layer.absolute_timeout(48 * HOUR)).await;
    let mut waits = wait(&stage.token().await.session());
    for _ in 0..47 {
        stage.pass(HOUR);
        assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
        // A store hears of the use beside the request.
        tokio::task::yield_now().await;
        assert!(is_pending(&mut waits));
    }
    stage.pass(HOUR);
    soon(waits).await;
}

#[tokio::test]
async fn a_wait_does_not_keep_the_layer_alive_and_ends_with_it() {
    let stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    let mut waits = wait(&session);
    let Stage { layer, browser, .. } = stage;
    assert!(soon(layer.shutdown(HOUR)).await.is_ok());
    assert!(is_pending(&mut waits), "a shutdown ends no session");
    drop((layer, browser));
    assert!(!is_pending(&mut waits), "the layer is gone");
    assert!(!session.is_live().await.unwrap());
}

#[tokio::test]
async fn a_session_that_is_pushed_out_of_memory_has_ended() {
    let layer = OscAuthLayer::builder(OAuthClient::public("test")).max_sessions(1);
    let layer = layer.public_url("http://localhost:3000").build().unwrap();
    let session = session_of(&layer).await;
    let mut waits = wait(&session);
    session_of(&layer).await;
    assert!(!is_pending(&mut waits), "nobody can use it any more");
}

/// Returns the session of a new user.
async fn session_of(layer: &OscAuthLayer) -> OscSession {
    let cookie = layer.sign_in_for_test(TestToken::new("a-token")).await;
    let (name, value) = cookie.to_str().expect("cookies are ASCII").split_once('=').expect("name and value");
    let mut browser = osc_tests::Browser::new(osc_tests::app(layer));
    browser.set_cookie(name, value);
    osc_tests::token_of(&browser.fetch("/").await).expect("a token").session()
}

#[tokio::test]
async fn a_stream_ends_with_its_session_or_by_itself() {
    let stage = Stage::signed_in().await;
    let session = stage.token().await.session();
    assert_eq!(session.until_ended(stream::iter([1, 2, 3])).collect::<Vec<_>>().await, [1, 2, 3]);

    let mut endless = Box::pin(session.until_ended(stream::iter([1]).chain(stream::pending())));
    assert_eq!(endless.next().await, Some(1));
    assert!(endless.next().now_or_never().is_none());
    session.sign_out().await;
    assert_eq!(soon(endless.next()).await, None);
    assert_eq!(
        session.until_ended(stream::repeat(1)).collect::<Vec<_>>().await,
        [0; 0],
        "it has ended before"
    );
}
