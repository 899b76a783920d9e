//! An outage of the provider.

use std::time::Duration;

use http::{Method, StatusCode};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::OscAuthLayerBuilder;
use osc_tests::{
    Browser, QuickClock, StillClock, app, callback, is_page, layer, layer_for, refusal, soon, token_of,
};

use super::{everything, header_of, keeps_all_cookies, refused_both_ways};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns a browser that is signed in with an expired token, and a provider that is down.
async fn outage(
    configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
) -> (MockOsc, QuickClock, Browser) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let clock = QuickClock::new();
    let layer = configure(layer_for(&osc).clock(clock.clone())).build().expect("it builds");
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    clock.advance(HOUR);
    osc.stop_listening().await;
    (osc, clock, browser)
}

#[tokio::test]
async fn an_expired_token_in_an_outage_gets_503_with_retry_after_and_keeps_the_session() {
    let (osc, clock, mut browser) = outage(|layer| layer).await;

    let answers = refused_both_ways(&browser, "/a", 503, "temporarily_unavailable").await;

    let mut longest = 0;
    for answer in &answers {
        longest = longest.max(header_of(answer, "retry-after").parse::<u64>().expect("seconds"));
        assert!(keeps_all_cookies(answer), "{answer:?}");
    }
    assert!((1..=3).contains(&longest), "{longest}");
    // Retrying after the announced time works once the provider is back.
    osc.resume_listening().await.unwrap();
    clock.advance(Duration::from_secs(longest));
    assert_eq!(browser.fetch("/a").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn outage_status_sets_the_status_of_an_outage_only() {
    let (osc, _clock, browser) = outage(|layer| layer.outage_status(StatusCode::UNAUTHORIZED)).await;
    for answer in refused_both_ways(&browser, "/a", 401, "temporarily_unavailable").await {
        header_of(&answer, "retry-after");
    }
    let stranger = Browser::new(app(&layer(&osc)));
    refused_both_ways(&stranger, "/a", 401, "unauthenticated").await;
}

#[tokio::test]
async fn s56_an_outage_never_redirects_to_sign_in_nor_offers_it() {
    let (_osc, _clock, browser) = outage(OscAuthLayerBuilder::redirect_to_signin).await;
    for answer in refused_both_ways(&browser, "/a", 503, "temporarily_unavailable").await {
        let text = everything(&answer);
        assert!(!text.contains("/auth/signin"), "it offers a sign-in: {text}");
    }
}

#[tokio::test]
async fn a_public_path_passes_bare_while_the_provider_is_gone() {
    let (osc, clock, mut browser) = outage(|layer| layer).await;

    let answer = browser.fetch("/public").await;

    assert_eq!((answer.status(), answer.body().as_ref()), (StatusCode::OK, &b"anonymous"[..]));
    assert!(keeps_all_cookies(&answer));
    osc.resume_listening().await.unwrap();
    clock.advance(Duration::from_secs(60));
    assert!(token_of(&browser.fetch("/a").await).is_some(), "the session is kept");
    assert!(token_of(&browser.fetch("/public").await).is_some());
}

#[tokio::test]
async fn a_public_path_waits_200_ms_for_a_provider_that_hangs_and_no_longer() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = StillClock::default();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    clock.advance(HOUR);
    let hold = osc.hold(Endpoint::Token);
    let mut visitor = browser.clone();
    let request = tokio::spawn(async move { visitor.fetch("/assets/app.css").await });
    soon(hold.arrived(1)).await;

    clock.advance(Duration::from_millis(199));
    tokio::task::yield_now().await;
    assert!(!request.is_finished(), "it does not wait for a token");
    clock.advance(Duration::from_millis(1));

    let answer = soon(request).await.unwrap();
    assert_eq!((answer.status(), answer.body().as_ref()), (StatusCode::OK, &b"anonymous"[..]));
    // The refresh belongs to the session, not to that request.
    hold.release();
    assert!(token_of(&browser.fetch("/a").await).is_some());
    assert_eq!(osc.count_grants("refresh_token"), 1);
}

#[tokio::test]
async fn a_sign_in_that_cannot_reach_the_provider_gets_502_and_leaves_nothing_behind() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    osc.stop_listening().await;

    // A script's sign-in would be refused for another reason. This client sends no headers that identify it.
    for answer in
        [browser.send(Method::GET, "/auth/signin", &[]).await, browser.navigate("/auth/signin").await]
    {
        assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()));
        assert!(keeps_all_cookies(&answer), "{answer:?}");
    }
    osc.resume_listening().await.unwrap();
    browser.begin_sign_in("/auth/signin").await;
}

#[tokio::test]
async fn a_code_exchange_that_cannot_reach_the_provider_gets_502_and_no_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    for fault in [Fault::HangUp, Fault::Status(503), Fault::RetryAfter(429, "7".to_owned())] {
        osc.clear_faults();
        for is_person in [false, true] {
            let mut browser = Browser::new(app(&layer(&osc)));
            let path = callback(&mut browser, &osc).await;
            osc.fault(Endpoint::Token, fault.clone()).once();
            let answer = if is_person { browser.navigate(&path).await } else { browser.fetch(&path).await };
            assert_eq!(refusal(&answer), (502, "provider_unavailable".to_owned()), "{fault:?}");
            assert_eq!(is_page(&answer), is_person);
            assert!(browser.cookies().is_empty(), "{fault:?} {:?}", browser.cookies());
        }
    }
}
