//! Many tabs that a browser restores sign in together, and each gets to its own page.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Browser, Stage, location, path_of, refusal};

use super::{button_leads_to, signin_for};

fn page(tab: usize) -> String {
    format!("/report/{tab}?view=%2F{tab}")
}

/// Begins a sign-in in each tab, one after the other. So the layer removes the cookies of the first ones.
async fn begun(stage: &mut Stage, tabs: usize) -> Vec<String> {
    let mut begun = Vec::new();
    for tab in 0..tabs {
        begun.push(stage.browser.begin_sign_in(&signin_for(&page(tab))).await);
        stage.clock.advance(Duration::from_millis(1));
    }
    begun
}

async fn stage() -> Stage {
    Stage::before_sign_in(MockOsc::builder(), |layer| layer).await
}

/// The provider consents by itself. The browser follows redirects to the end.
async fn followed(browser: &mut Browser, osc: &MockOsc, authorize: &str) -> String {
    let mut authorize = authorize.to_owned();
    for _ in 0..5 {
        let callback = osc.approve(&authorize).await.expect("the provider consents");
        let next = location(&browser.navigate(path_of(&callback)).await);
        if !next.starts_with(&osc.issuer()) {
            return next;
        }
        authorize = next;
    }
    panic!("the sign-in never ends");
}

#[tokio::test]
async fn twenty_tabs_get_to_their_own_pages_in_any_order() {
    for reverse in [false, true] {
        let mut stage = stage().await;
        let mut tabs: Vec<_> = begun(&mut stage, 20).await.into_iter().enumerate().collect();
        let Stage { osc, mut browser, .. } = stage;
        if reverse {
            tabs.reverse();
        }
        for (tab, authorize) in &tabs {
            assert_eq!(followed(&mut browser, &osc, authorize).await, page(*tab));
            assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
        }
    }
}

/// None of the tabs saw a cookie of another when it began.
#[tokio::test]
async fn twenty_tabs_that_begin_at_the_same_moment_get_to_their_own_pages() {
    let Stage { osc, mut browser, .. } = stage().await;
    let mut tabs = Vec::new();
    for tab in 0..20 {
        let mut alone = browser.clone();
        alone.forget_cookies("");
        tabs.push(alone.begin_sign_in(&signin_for(&page(tab))).await);
        alone.cookies().iter().for_each(|(name, value)| browser.set_cookie(name, value));
    }
    for (tab, authorize) in tabs.iter().enumerate() {
        assert_eq!(followed(&mut browser, &osc, authorize).await, page(tab));
    }
}

/// Sixteen tabs ask before they know of the fourth sign-in. So they leave the first one, which the last tab displaces.
#[tokio::test]
async fn a_tab_displaced_by_the_last_of_twenty_cookies_gets_to_its_page() {
    // The browser sends the cookies in the order of their names, which are random.
    for _ in 0..20 {
        let mut stage = stage().await;
        let tabs = begun(&mut stage, 3).await;
        let three = stage.browser.clone();
        begun(&mut stage, 1).await;
        let four = stage.browser.clone();
        let Stage { osc, clock, mut browser, .. } = stage;
        for n in 0..17 {
            clock.advance(Duration::from_millis(1));
            let mut snapshot = if n < 16 { three.clone() } else { four.clone() };
            browser.keep(&snapshot.navigate("/auth/signin").await);
        }
        assert_eq!(browser.cookies().len(), 20);
        assert_eq!(followed(&mut browser, &osc, &tabs[0]).await, page(0));
    }
}

#[tokio::test]
async fn an_evicted_sign_in_begins_anew_three_times_and_then_shows_a_page() {
    let mut stage = stage().await;
    // More than a browser keeps, and than the layer begins anew at a time.
    let mut tabs = begun(&mut stage, 4 + 13).await;
    tabs.truncate(13);
    for _ in 0..3 {
        for authorize in &mut tabs {
            let callback = stage.osc.approve(authorize).await.unwrap();
            // A script is not sent to the provider.
            let answer = stage.browser.clone().fetch(path_of(&callback)).await;
            assert_eq!(refusal(&answer), (400, "invalid_state".to_owned()));
            *authorize = location(&stage.browser.navigate(path_of(&callback)).await);
            assert!(authorize.starts_with(&stage.osc.issuer()), "{authorize}");
            stage.clock.advance(Duration::from_millis(1));
        }
    }
    let callback = stage.osc.approve(&tabs[0]).await.unwrap();

    let answer = stage.browser.navigate(path_of(&callback)).await;

    assert_eq!(refusal(&answer), (400, "invalid_state".to_owned()));
    assert_eq!(button_leads_to(&answer), page(0));
    assert_eq!(stage.osc.count(Endpoint::Token), 0);
}

/// A sign-in that the layer begins anew must not evict one that is still at the provider. That one would begin anew in turn.
#[tokio::test]
async fn tabs_that_come_back_together_all_complete() {
    let mut stage = stage().await;
    let tabs = begun(&mut stage, 16).await;
    let mut ways = Vec::new();
    for authorize in &tabs {
        let callback = stage.osc.approve(authorize).await.unwrap();
        ways.push(path_of(&callback).to_owned());
    }
    // The first twelve come back before any other tab has completed its sign-in.
    let mut again = Vec::new();
    for way in &ways[..12] {
        again.push(location(&stage.browser.navigate(way).await));
        stage.clock.advance(Duration::from_millis(1));
    }
    for (tab, way) in ways.iter().enumerate().skip(12) {
        assert_eq!(location(&stage.browser.clone().navigate(way).await), page(tab));
    }
    for (tab, authorize) in again.iter().enumerate() {
        let callback = stage.osc.approve(authorize).await.unwrap();
        assert_eq!(location(&stage.browser.clone().navigate(path_of(&callback)).await), page(tab));
    }
}

/// The sixth tab's cookie remembers that the second tab's had to make room, and it is gone once that tab is signed in.
#[tokio::test]
async fn an_evicted_tab_whose_session_another_tab_just_replaced_gets_to_its_page() {
    let mut stage = stage().await;
    let tabs = begun(&mut stage, 6).await;
    let Stage { osc, mut browser, .. } = stage;
    assert_eq!(followed(&mut browser, &osc, &tabs[5]).await, page(5));
    let mut on_its_way = browser.clone();
    assert_eq!(followed(&mut browser, &osc, &tabs[4]).await, page(4));
    assert_eq!(followed(&mut on_its_way, &osc, &tabs[1]).await, page(1));
}

#[tokio::test]
async fn an_evicted_sign_in_that_the_user_declined_does_not_ask_again() {
    let mut stage = stage().await;
    let first = begun(&mut stage, 5).await.remove(0);
    let declined = stage.osc.deny(&first).await.unwrap();
    let answer = stage.browser.navigate(path_of(&declined)).await;
    assert_eq!(refusal(&answer), (401, "access_denied".to_owned()));
    assert_eq!(button_leads_to(&answer), page(0));
}

#[tokio::test]
async fn a_tab_with_a_long_page_that_is_evicted_gets_to_its_path() {
    let mut stage = stage().await;
    let long = format!("/report?{}", "q".repeat(1000));
    let first = stage.browser.begin_sign_in(&signin_for(&long)).await;
    stage.clock.advance(Duration::from_millis(1));
    begun(&mut stage, 5).await;
    let Stage { osc, mut browser, .. } = stage;
    assert_eq!(followed(&mut browser, &osc, &first).await, "/report");
}
