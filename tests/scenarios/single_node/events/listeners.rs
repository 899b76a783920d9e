//! The app's functions: they hold up nothing, and break nothing.

use std::sync::{Arc, Mutex, mpsc};

use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::SessionEventKind::{SignedIn, SignedOut};
use osc_auth_layer::test_util::TestToken;
use osc_tests::{EXPIRED, Logs, Stage, soon};

use crate::heard::Heard;

#[tokio::test]
async fn s89_a_panic_in_a_listener_is_logged_and_breaks_nothing() {
    let logs = Logs::collect();
    let heard = Heard::default();
    let panics = |layer: osc_auth_layer::OscAuthLayerBuilder| {
        layer.on_session_event(|_| panic!("a mistake of the app"))
    };
    let mut stage = Stage::with(MockOsc::builder(), |layer| heard.listen(panics(layer))).await;
    let answer = stage.browser.post_from("same-origin", "/auth/signout").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(heard.kinds(2).await, [SignedIn, SignedOut], "the other function hears all");
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
    assert_eq!(logs.text().matches("A function of on_session_event panicked").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s89_a_listener_that_blocks_holds_up_no_request_and_loses_no_event() {
    let (heard, (release, blocked)) = (Heard::default(), mpsc::channel::<()>());
    let blocked = Mutex::new(blocked);
    let blocks = |layer: osc_auth_layer::OscAuthLayerBuilder| {
        layer.on_session_event(move |_| _ = blocked.lock().expect("nobody panics").recv())
    };
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| heard.listen(blocks(layer))).await;
    for _ in 0..20 {
        assert_eq!(soon(stage.browser.sign_in(&stage.osc)).await.status(), StatusCode::SEE_OTHER);
        soon(stage.browser.post_from("same-origin", "/auth/signout")).await;
    }
    assert_eq!(heard.now(), [], "the first function has not returned yet");
    drop(release);
    let kinds = heard.kinds(40).await;
    assert!(kinds.chunks(2).all(|pair| pair == [SignedIn, SignedOut]), "{kinds:?}");
}

#[tokio::test]
async fn a_listener_may_use_the_layer() {
    let layer: Arc<Mutex<Option<osc_auth_layer::OscAuthLayer>>> = Arc::default();
    let (used, heard) = (layer.clone(), Heard::default());
    let listener = move |event: &osc_auth_layer::SessionEvent| {
        let Some(layer) = used.lock().expect("nobody panics").clone() else { return };
        let Some(key) = event.user().and_then(|user| user.key()) else { return };
        if event.kind() == SignedOut {
            tokio::spawn(async move { layer.sessions_of(key).end_all().await });
        }
    };
    let stage = Stage::with(MockOsc::builder(), |layer| heard.listen(layer.on_session_event(listener))).await;
    *layer.lock().expect("nobody panics") = Some(stage.layer.clone());
    let other = stage.token().await;
    let mut second = stage.browser_with(TestToken::new(other.access_token())).await;
    soon(second.post_from("same-origin", "/auth/signout")).await;
    assert_eq!(heard.all(4).await[3].session_id(), other.session().id());
    layer.lock().expect("nobody panics").take();
}

#[test]
fn events_survive_the_end_of_a_runtime() {
    let heard = Heard::default();
    let run = |event: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(event);
    };
    let layer = osc_auth_layer::OscAuthLayer::builder(osc_auth_layer::OAuthClient::public("cli"));
    let layer = heard.listen(layer).build().expect("the test's layer builds");
    for count in 1..=3 {
        // Its task never runs, because the runtime ends first.
        run(Box::pin(async { _ = layer.sign_in_for_test(TestToken::new("opaque")).await }));
        assert_eq!(heard.now().len(), 0, "{count}");
    }
    run(Box::pin(async {
        layer.sign_in_for_test(TestToken::new("opaque")).await;
        heard.all(4).await;
    }));
}
