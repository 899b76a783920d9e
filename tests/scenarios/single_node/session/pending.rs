//! A sign-in in progress: its cookie, the number and size of such cookies, and the ten-minute limit.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Stage, error_of, location, path_of};

const MINUTE: Duration = Duration::from_secs(60);

async fn stage() -> Stage {
    Stage::before_sign_in(MockOsc::builder(), |layer| layer).await
}

/// Returns the sizes of the cookies' values. Each name adds about thirty bytes.
fn sizes(stage: &Stage) -> Vec<usize> {
    stage.browser.cookies().values().map(String::len).collect()
}

#[tokio::test]
async fn s23_ten_sign_ins_begun_leave_four_small_cookies_and_the_newest_works() {
    let mut stage = stage().await;
    let mut newest = String::new();
    for attempt in 1..=10 {
        stage.clock.advance(Duration::from_secs(1));
        newest = stage.browser.begin_sign_in(&format!("/auth/signin?return_to=/{attempt}")).await;
        assert!(stage.browser.cookies().len() <= attempt.min(4), "{:?}", stage.browser.cookies());
        assert!(sizes(&stage).iter().all(|&size| size <= 1024), "{:?}", sizes(&stage));
    }
    let callback = stage.osc.approve(&newest).await.unwrap();
    let answer = stage.browser.navigate(path_of(&callback)).await;
    assert_eq!(location(&answer), "/10");
    assert_eq!(stage.fetch("/").await.status(), StatusCode::OK);
    // The session, three sign-ins, and the memory of the six that had to make room.
    assert_eq!(stage.browser.cookies().len(), 1 + 3 + 1);
    stage.browser.begin_sign_in("/auth/signin").await;
    assert_eq!(stage.browser.cookies().len(), 1 + 4);
}

#[tokio::test]
async fn s23_the_four_newest_sign_ins_can_all_be_completed() {
    let mut stage = stage().await;
    let mut begun = Vec::new();
    for attempt in 1..=6 {
        stage.clock.advance(Duration::from_secs(1));
        begun.push(stage.browser.begin_sign_in(&format!("/auth/signin?return_to=/{attempt}")).await);
    }
    for (attempt, authorize) in (1..).zip(&begun) {
        let callback = stage.osc.approve(authorize).await.unwrap();
        let answer = stage.browser.clone().navigate(path_of(&callback)).await;
        if attempt <= 2 {
            assert!(location(&answer).starts_with(&stage.osc.issuer()), "attempt {attempt} begins anew");
        } else {
            assert_eq!(location(&answer), format!("/{attempt}"));
        }
    }
}

#[tokio::test]
async fn s23_no_return_path_makes_a_cookie_too_large() {
    let mut stage = stage().await;
    // A quotation mark takes twice the space when sealed.
    for (character, escaped) in [("x", "x"), ("\"", "%22")] {
        for length in (10..400).step_by(10) {
            stage.browser.forget_cookies("");
            let target = format!("/{}", character.repeat(length));
            let signin = format!("/auth/signin?return_to=/{}", escaped.repeat(length));
            let authorize = stage.browser.begin_sign_in(&signin).await;
            assert!(sizes(&stage)[0] <= 1024, "{} for {length} {character}", sizes(&stage)[0]);
            let callback = stage.osc.approve(&authorize).await.unwrap();
            let back = location(&stage.browser.navigate(path_of(&callback)).await);
            assert!(back == target || back == "/", "{back}");
            assert!(back == target || length > 100, "{back}");
        }
    }
}

#[tokio::test]
async fn s02_a_sign_in_expires_after_ten_minutes() {
    let mut stage = stage().await;
    for (minutes, works) in [(10 * MINUTE - Duration::from_secs(1), true), (10 * MINUTE, false)] {
        let authorize = stage.browser.begin_sign_in("/auth/signin").await;
        let mut browser = stage.browser.clone();
        stage.clock.advance(minutes);
        let callback = stage.osc.approve(&authorize).await.unwrap();
        let requests = stage.osc.count(Endpoint::Token);
        let answer = browser.fetch(path_of(&callback)).await;
        if works {
            assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        } else {
            assert_eq!(
                (answer.status(), error_of(&answer).as_str()),
                (StatusCode::BAD_REQUEST, "invalid_state")
            );
            assert_eq!(stage.osc.count(Endpoint::Token), requests);
        }
    }
}

#[tokio::test]
async fn s02_a_declined_sign_in_uses_its_state() {
    let mut stage = stage().await;
    let authorize = stage.browser.begin_sign_in("/auth/signin").await;
    let mut copy = stage.browser.clone();
    let declined = stage.osc.deny(&authorize).await.unwrap();
    let allowed = stage.osc.approve(&authorize).await.unwrap();
    assert_eq!(error_of(&stage.browser.fetch(path_of(&declined)).await), "access_denied");

    assert_eq!(error_of(&copy.fetch(path_of(&allowed)).await), "invalid_state");

    assert_eq!(stage.osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s02_an_answer_of_another_issuer_uses_its_state() {
    let mut stage = stage().await;
    let authorize = stage.browser.begin_sign_in("/auth/signin").await;
    let mut copy = stage.browser.clone();
    let allowed = stage.osc.approve(&authorize).await.unwrap();
    let foreign =
        format!("{}&iss=https%3A%2F%2Fevil.example", path_of(&allowed).split("&iss=").next().unwrap());
    assert_eq!(error_of(&stage.browser.fetch(&foreign).await), "invalid_request");

    assert_eq!(error_of(&copy.fetch(path_of(&allowed)).await), "invalid_state");

    assert_eq!(stage.osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s02_a_state_is_used_once_even_with_a_copied_cookie() {
    let mut stage = stage().await;
    let authorize = stage.browser.begin_sign_in("/auth/signin").await;
    let copy = stage.browser.clone();
    let callback = stage.osc.approve(&authorize).await.unwrap();
    assert_eq!(stage.browser.navigate(path_of(&callback)).await.status(), StatusCode::SEE_OTHER);
    for minute in 0..12 {
        // The sweeper must not forget used states too early.
        let answer = copy.clone().fetch(path_of(&callback)).await;
        match minute {
            // The result is kept for one minute, for a second click.
            0 => assert_eq!(answer.status(), StatusCode::SEE_OTHER),
            _ => assert_eq!(error_of(&answer), "invalid_state", "minute {minute}"),
        }
        stage.clock.slept(osc_tests::WatchedClock::SWEEP, minute + 1).await;
        stage.clock.advance(MINUTE);
    }
    assert_eq!(stage.osc.count(Endpoint::Token), 1);
}
