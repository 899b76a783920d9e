//! Tabs whose requests and answers cross, as in a browser that restores them all at once.

use std::time::Duration;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{Answer, Browser, Stage, location, path_of};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::signin_for;

/// A tab on its way to its page.
enum Tab {
    /// About to ask for this path.
    Asks(String),
    /// The request has the browser's cookies of that moment, and waits for a connection.
    Sent(Box<Browser>, String),
    /// The app has answered, and the browser does not have the answer yet.
    Answered(Answer),
    /// At the provider, whose consent leads to this path.
    AtProvider(String),
    /// Has this page.
    Done(String),
}

/// Takes one step.
async fn step(tab: Tab, browser: &mut Browser, osc: &MockOsc) -> Tab {
    match tab {
        Tab::Asks(path) => Tab::Sent(Box::new(browser.clone()), path),
        Tab::Sent(mut then, path) => Tab::Answered(then.navigate(&path).await),
        Tab::Answered(answer) => {
            browser.keep(&answer);
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
            let next = location(&answer);
            if !next.starts_with(&osc.issuer()) {
                return Tab::Done(next);
            }
            let callback = osc.approve(&next).await.expect("the provider consents");
            Tab::AtProvider(path_of(&callback).to_owned())
        }
        Tab::AtProvider(path) => Tab::Asks(path),
        done => done,
    }
}

fn is_at_provider(tab: &Tab) -> bool {
    matches!(tab, Tab::AtProvider(_))
}

#[tokio::test]
async fn twenty_tabs_get_to_their_own_pages_however_their_answers_cross() {
    for seed in 0..100 {
        let mut random = StdRng::seed_from_u64(seed);
        let Stage { osc, clock, mut browser, .. } =
            Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
        let page = |tab: usize| format!("/report/{tab}");
        let mut tabs: Vec<_> = (0..20).map(|tab| Tab::Asks(signin_for(&page(tab)))).collect();
        let mut moving: Vec<usize> = (0..tabs.len()).collect();
        // Some browsers send all first requests before the first answer.
        if random.random_bool(0.3) {
            for tab in &mut tabs {
                *tab = step(std::mem::replace(tab, Tab::Done(String::new())), &mut browser, &osc).await;
            }
        }
        // The provider may take longer than all tabs need to begin.
        let mut consents = random.random_bool(0.5);
        // So many tabs are under way at a time.
        let crowd = if consents { random.random_range(1..=tabs.len()) } else { tabs.len() };
        while !moving.is_empty() {
            consents |= tabs.iter().all(is_at_provider);
            let turn = random.random_range(0..moving.len().min(crowd));
            let at = moving[turn];
            if !consents && is_at_provider(&tabs[at]) {
                continue;
            }
            clock.advance(Duration::from_millis(random.random_range(0..20)));
            let tab = std::mem::replace(&mut tabs[at], Tab::Done(String::new()));
            tabs[at] = step(tab, &mut browser, &osc).await;
            if let Tab::Done(reached) = &tabs[at] {
                assert_eq!(*reached, page(at), "seed {seed}");
                moving.remove(turn);
            }
        }
    }
}
