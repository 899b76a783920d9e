//! Every way in which a session of one process ends.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::SessionEventKind::{self, Ended, SignedIn, SignedOut};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{EndReason, OscAuthLayerBuilder, OscSession};
use osc_tests::{Answer, Browser, EXPIRED, Stage, WatchedClock, app, callback, error_of, soon, token_of};
use serde_json::json;

use crate::heard::{Heard, user_id};

const MINUTE: Duration = Duration::from_secs(60);

async fn signed_in(configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder) -> (Stage, Heard) {
    let heard = Heard::default();
    let stage = Stage::with(MockOsc::builder(), |layer| heard.listen(configure(layer))).await;
    (stage, heard)
}

async fn another(stage: &Stage) -> Browser {
    let mut browser = Browser::new(app(&stage.layer));
    assert_eq!(soon(browser.sign_in(&stage.osc)).await.status(), StatusCode::SEE_OTHER);
    browser
}

async fn sign_out(browser: &mut Browser) -> Answer {
    soon(browser.post_from("same-origin", "/auth/signout")).await
}

async fn session_of(browser: &Browser) -> OscSession {
    token_of(&soon(browser.clone().fetch("/")).await).expect("a signed-in user").session()
}

/// Waits until the layer has nothing to do any more, so that no event can follow.
async fn settled(stage: &Stage, heard: &Heard) -> Vec<SessionEventKind> {
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
    heard.now().iter().map(osc_auth_layer::SessionEvent::kind).collect()
}

/// Lets a minute pass, and waits until the sweep is over.
async fn sweep(stage: &Stage) {
    let sweeps = stage.clock.sleeps(WatchedClock::SWEEP);
    stage.pass(MINUTE);
    stage.clock.slept(WatchedClock::SWEEP, sweeps + 1).await;
}

#[tokio::test]
async fn s89_a_sign_in_and_a_sign_out_are_reported_with_user_and_session() {
    let (mut stage, heard) = signed_in(|layer| layer).await;
    let token = stage.token().await;
    sign_out(&mut stage.browser).await;
    sign_out(&mut stage.browser).await;
    assert_eq!(settled(&stage, &heard).await, [SignedIn, SignedOut]);
    for event in heard.now() {
        assert_eq!(event.session_id(), token.session().id());
        assert_eq!(event.user(), token.user().as_ref());
        assert_eq!(user_id(&event), Some("ada"));
        let text = format!("{event:?}");
        assert!(!text.contains(token.access_token()) && !text.contains("pat"), "{text}");
    }
}

#[tokio::test]
async fn a_sign_out_by_the_app_is_reported_as_a_sign_out() {
    let (stage, heard) = signed_in(|layer| layer).await;
    let session = stage.token().await.session();
    tokio::join!(session.sign_out(), session.sign_out());
    session.sign_out().await;
    assert_eq!(settled(&stage, &heard).await, [SignedIn, SignedOut]);
}

#[tokio::test]
async fn a_session_that_the_user_ends_from_another_one_is_reported_as_such() {
    let (stage, heard) = signed_in(|layer| layer).await;
    let others = [another(&stage).await, another(&stage).await];
    let this = stage.token().await.session();
    let ended = session_of(&others[0]).await.id();
    assert!(soon(this.end(&ended)).await.expect("it ends"));
    assert!(!soon(this.end(&ended)).await.expect("it has ended"));
    soon(this.sign_out_everywhere()).await.expect("they end");
    let kinds = settled(&stage, &heard).await;
    assert_eq!(kinds[3..], [Ended(EndReason::ByUser), Ended(EndReason::ByUser), SignedOut]);
    let events = heard.now();
    assert_eq!((events[3].session_id(), events[5].session_id()), (&*ended, &*this.id()));
    assert!(events.iter().all(|event| user_id(event) == Some("ada")));
}

#[tokio::test]
async fn a_session_that_the_app_ends_for_a_user_is_reported_as_such() {
    let (stage, heard) = signed_in(|layer| layer).await;
    another(&stage).await;
    let key = stage.token().await.user().and_then(|user| user.key()).expect("a key");
    let sessions = stage.layer.sessions_of(key);
    assert!(soon(sessions.end(&stage.token().await.session().id())).await.expect("it ends"));
    soon(sessions.end_all()).await.expect("they end");
    let by_app = Ended(EndReason::ByApp);
    assert_eq!(settled(&stage, &heard).await, [SignedIn, SignedIn, by_app, by_app]);
}

#[tokio::test]
async fn a_second_sign_in_of_a_browser_replaces_its_session() {
    let (mut stage, heard) = signed_in(|layer| layer).await;
    let old = stage.token().await.session().id();
    stage.osc.set_claim("userId", json!("grace"));
    stage.browser.sign_in(&stage.osc).await;
    assert_eq!(settled(&stage, &heard).await, [SignedIn, SignedIn, Ended(EndReason::Replaced)]);
    let events = heard.now();
    assert_eq!((events[2].session_id(), user_id(&events[2])), (&*old, Some("ada")));
    assert_eq!(user_id(&events[1]), Some("grace"));
}

#[tokio::test]
async fn a_refused_refresh_is_reported_once_whatever_follows() {
    let (mut stage, heard) = signed_in(|layer| layer).await;
    stage.osc.revoke_refresh_tokens();
    stage.pass(EXPIRED);
    let mut again = stage.browser.clone();
    for _ in 0..2 {
        assert_eq!(error_of(&soon(stage.browser.clone().fetch("/")).await), "session_ended");
    }
    sign_out(&mut stage.browser).await;
    again.sign_in(&stage.osc).await;
    let refused = Ended(EndReason::RefreshRefused);
    assert_eq!(settled(&stage, &heard).await, [SignedIn, refused, SignedIn]);
    assert_eq!(user_id(&heard.now()[1]), Some("ada"));
}

#[tokio::test]
async fn a_token_without_refresh_token_that_expires_ends_the_session() {
    let heard = Heard::default();
    let in_memory = |layer: OscAuthLayerBuilder| heard.listen(layer.store_url("memory:"));
    let stage = Stage::before_sign_in(MockOsc::builder(), in_memory).await;
    let mut browser = stage.browser_with(TestToken::new("opaque")).await;
    stage.pass(EXPIRED);
    for _ in 0..2 {
        assert_eq!(error_of(&soon(browser.clone().fetch("/")).await), "session_ended");
    }
    sign_out(&mut browser).await;
    assert_eq!(settled(&stage, &heard).await, [SignedIn, Ended(EndReason::RefreshRefused)]);
    assert!(heard.now().iter().all(|event| event.user().is_none()), "the token names nobody");
}

#[tokio::test]
async fn a_refresh_that_brings_another_user_is_reported_with_the_user_before() {
    let (mut stage, heard) = signed_in(|layer| layer).await;
    stage.osc.set_claim("userId", json!("grace"));
    stage.pass(EXPIRED);
    assert_eq!(error_of(&stage.fetch("/").await), "session_ended");
    assert_eq!(settled(&stage, &heard).await, [SignedIn, Ended(EndReason::UserChanged)]);
    assert_eq!(user_id(&heard.now()[1]), Some("ada"));
}

#[tokio::test]
async fn a_user_who_may_no_longer_enter_is_reported() {
    let allowed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let rule = allowed.clone();
    let may_enter = move |_: &_| rule.load(std::sync::atomic::Ordering::SeqCst);
    let (mut stage, heard) = signed_in(|layer| layer.authorize(may_enter)).await;
    allowed.store(false, std::sync::atomic::Ordering::SeqCst);
    stage.pass(EXPIRED);
    stage.fetch("/").await;
    let mut kinds = settled(&stage, &heard).await;
    if std::env::var_os("SCENARIO_STORE").is_some() {
        // A node that reads the session refuses the user before it refreshes the token.
        kinds.truncate(1);
        return assert_eq!(kinds, [SignedIn]);
    }
    assert_eq!(kinds, [SignedIn, Ended(EndReason::NotAllowed)]);
}

#[tokio::test]
async fn a_session_that_reached_no_browser_is_reported() {
    const UNCLAIMED_FOR: Duration = Duration::from_secs(12);
    let heard = Heard::default();
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| heard.listen(layer)).await;
    let path = callback(&mut stage.browser, &stage.osc).await;
    let hold = stage.osc.hold(Endpoint::Token);
    let mut browser = stage.browser.clone();
    let mut request = Box::pin(async move { browser.navigate(&path).await });
    assert!(futures_util::FutureExt::now_or_never(request.as_mut()).is_none());
    soon(hold.arrived(1)).await;
    drop(request);
    hold.release();
    stage.clock.slept(UNCLAIMED_FOR..=UNCLAIMED_FOR, 1).await;
    stage.clock.advance(UNCLAIMED_FOR);
    assert_eq!(heard.kinds(2).await, [SignedIn, Ended(EndReason::Undelivered)]);
}

#[tokio::test]
async fn a_session_in_memory_that_expires_is_reported_of_by_the_sweep() {
    let in_memory = |layer: OscAuthLayerBuilder| layer.store_url("memory:").idle_timeout(10 * MINUTE);
    for absolute in [false, true] {
        let (stage, heard) = signed_in(|layer| {
            let layer = in_memory(layer);
            if absolute { layer.absolute_timeout(15 * MINUTE) } else { layer }
        })
        .await;
        stage.clock.slept(WatchedClock::SWEEP, 1).await;
        for minute in 1..=8 {
            sweep(&stage).await;
            if minute == 8 {
                stage.token().await;
            }
        }
        for minute in 9..=(if absolute { 14 } else { 17 }) {
            assert_eq!(heard.now().len(), 1, "{minute}");
            sweep(&stage).await;
        }
        assert_eq!(heard.now().len(), 1);
        sweep(&stage).await;
        assert_eq!(heard.kinds(2).await, [SignedIn, Ended(EndReason::Expired)], "{absolute}");
        assert_eq!(user_id(&heard.now()[1]), Some("ada"));
        sweep(&stage).await;
        assert_eq!(settled(&stage, &heard).await.len(), 2);
    }
}

#[tokio::test]
async fn a_sign_out_or_sign_in_after_the_timeout_is_reported_as_an_expiry() {
    for signs_in in [false, true] {
        let (mut stage, heard) =
            signed_in(|layer| layer.store_url("memory:").idle_timeout(10 * MINUTE)).await;
        stage.pass(10 * MINUTE);
        if signs_in {
            stage.browser.sign_in(&stage.osc).await;
        } else {
            sign_out(&mut stage.browser).await;
        }
        let mut kinds = settled(&stage, &heard).await;
        kinds.retain(|kind| *kind != SignedIn);
        assert_eq!(kinds, [Ended(EndReason::Expired)], "{signs_in}");
    }
}

#[tokio::test]
async fn a_session_that_has_to_make_room_in_memory_is_reported() {
    let (stage, heard) = signed_in(|layer| layer.store_url("memory:").max_sessions(1)).await;
    let first = heard.all(1).await[0].session_id().to_owned();
    stage.pass(MINUTE);
    another(&stage).await;
    let events = heard.all(3).await;
    let evicted: Vec<_> = events.iter().filter(|event| event.kind() == Ended(EndReason::Evicted)).collect();
    assert_eq!((evicted.len(), evicted[0].session_id(), user_id(evicted[0])), (1, &*first, Some("ada")));
    assert_eq!(settled(&stage, &heard).await.len(), 3);
}
