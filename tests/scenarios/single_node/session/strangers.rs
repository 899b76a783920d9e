//! Floods of requests from strangers, which must have no lasting effect.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Browser, Stage, app, error_of, refusal};

use super::memory::held;

const SESSION: &str = "osc_session_3000";
const REQUESTS: usize = 4_000;

/// Returns a made-up session id: 43 characters of base64url.
fn made_up(number: usize) -> String {
    format!("{number:A<43}")
}

/// Removes the stranger's cookies, and every other time adds one of a sign-in that was never begun.
fn comes_anew(stranger: &mut Browser, number: usize) {
    stranger.forget_cookies("");
    if number.is_multiple_of(2) {
        stranger.set_cookie(&format!("{SESSION}_signin_AAAAAAAA"), &made_up(number));
    }
}

/// Checks that the only session is the one from the start, and that only its visitor reached the provider.
async fn is_untouched(mut stage: Stage) {
    assert_eq!(held(&stage.layer), 1);
    assert_eq!(stage.layer.tasks_under_way(), 0);
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s72_thousands_of_abandoned_sign_ins_leave_no_trace() {
    let stage = Stage::signed_in().await;
    let mut stranger = Browser::new(app(&stage.layer));
    for number in 0..REQUESTS {
        comes_anew(&mut stranger, number);
        stranger.begin_sign_in("/auth/signin?return_to=/x").await;
    }
    is_untouched(stage).await;
}

#[tokio::test]
async fn s72_thousands_of_forged_callbacks_never_reach_the_provider() {
    let stage = Stage::signed_in().await;
    let mut stranger = Browser::new(app(&stage.layer));
    for number in 0..REQUESTS {
        comes_anew(&mut stranger, number);
        let path = format!("/auth/callback?state=AAAAAAAA{}&code={}", made_up(number), made_up(number));
        assert_eq!(refusal(&stranger.navigate(&path).await), (400, "invalid_state".to_owned()));
    }
    is_untouched(stage).await;
}

#[tokio::test]
async fn s72_thousands_of_forged_sessions_are_refused() {
    let stage = Stage::signed_in().await;
    let mut stranger = Browser::new(app(&stage.layer));
    for number in 0..REQUESTS {
        stranger.set_cookie(SESSION, &made_up(number));
        assert_eq!(error_of(&stranger.fetch("/").await), "unauthenticated");
    }
    is_untouched(stage).await;
}

#[tokio::test]
async fn s72_a_flood_of_sign_ins_evicts_no_active_session() {
    const MOST: usize = 50;
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.max_sessions(MOST)).await;
    let mut in_use = Vec::new();
    for _ in 0..10 {
        let mut browser = Browser::new(app(&stage.layer));
        browser.sign_in(&stage.osc).await;
        in_use.push(browser);
    }
    for turn in 0..10 * MOST {
        stage.browser.forget_cookies("");
        let answer = stage.browser.sign_in(&stage.osc).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert!(held(&stage.layer) <= MOST);
        stage.pass(Duration::from_secs(3));
        // Every half minute, one visitor sends a request.
        let visitor = turn % in_use.len();
        assert_eq!(in_use[visitor].fetch("/").await.status(), StatusCode::OK, "{turn}");
    }
    assert_eq!(held(&stage.layer), MOST);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK, "the newest session is kept");
}
