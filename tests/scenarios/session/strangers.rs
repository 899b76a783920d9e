//! What strangers can do to a server that they ask for more than anybody would: nothing that lasts.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Browser, Stage, app, error_of, refusal};

use super::memory::held;

const SESSION: &str = "osc_session_3000";
const REQUESTS: usize = 4_000;

/// 43 characters of base64url, as ids have.
fn made_up(number: usize) -> String {
    format!("{number:A<43}")
}

/// Without a cookie, or every other time with one of a sign-in that nobody began.
fn comes_anew(stranger: &mut Browser, number: usize) {
    stranger.forget_cookies("");
    if number.is_multiple_of(2) {
        stranger.set_cookie(&format!("{SESSION}_signin_AAAAAAAA"), &made_up(number));
    }
}

/// The session that was there before still is, alone, and the provider has heard of nobody but its visitor.
async fn is_untouched(mut stage: Stage) {
    assert_eq!(held(&stage.layer), 1);
    assert_eq!(stage.layer.tasks_under_way(), 0);
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s72_thousands_of_sign_ins_that_are_only_begun_leave_no_trace() {
    let stage = Stage::signed_in().await;
    let mut stranger = Browser::new(app(&stage.layer));
    for number in 0..REQUESTS {
        comes_anew(&mut stranger, number);
        stranger.begin_sign_in("/auth/signin?return_to=/x").await;
    }
    is_untouched(stage).await;
}

#[tokio::test]
async fn s72_thousands_of_made_up_callbacks_reach_nobody() {
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
async fn s72_thousands_of_made_up_sessions_are_none() {
    let stage = Stage::signed_in().await;
    let mut stranger = Browser::new(app(&stage.layer));
    for number in 0..REQUESTS {
        stranger.set_cookie(SESSION, &made_up(number));
        assert_eq!(error_of(&stranger.fetch("/").await), "unauthenticated");
    }
    is_untouched(stage).await;
}

#[tokio::test]
async fn s72_sign_ins_far_beyond_the_table_push_out_nobody_who_is_there() {
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
        // Every half minute somebody clicks.
        let visitor = turn % in_use.len();
        assert_eq!(in_use[visitor].fetch("/").await.status(), StatusCode::OK, "{turn}");
    }
    assert_eq!(held(&stage.layer), MOST);
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK, "nor the newest");
}
