//! Sign-ins whose requests arrive at different nodes.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Nodes, Op, Trouble, WatchedClock, callback, error_of, location, refusal, soon, token_of};

use super::both_kinds;

/// The pauses between two looks at the store for another node's outcome.
const LOOKS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(1);
/// How long a session waits for its browser.
const UNCLAIMED: RangeInclusive<Duration> = Duration::from_secs(12)..=Duration::from_secs(12);

async fn before_sign_in(nodes: usize) -> Nodes {
    Nodes::with(MockOsc::builder(), true, nodes, |layer| layer).await
}

#[tokio::test]
async fn a_session_begun_on_one_node_opens_on_the_others() {
    for nodes in both_kinds(3).await {
        let token = nodes.token(0).await;
        assert!(nodes.osc.is_live(token.access_token()));
        for at in 1..3 {
            let there = nodes.token(at).await;
            assert_eq!(there.access_token(), token.access_token());
            assert_eq!(there.session().id(), token.session().id());
        }
        assert_eq!(nodes.osc.count(Endpoint::Token), 1);
    }
}

#[tokio::test]
async fn a_sign_in_crosses_nodes_and_is_valid_on_a_third() {
    let mut nodes = before_sign_in(3).await;
    let authorize = nodes.browser.begin_sign_in("/auth/signin?return_to=/there").await;
    let approved = nodes.osc.approve(&authorize).await.expect("the provider asks for consent");

    let mut browser = nodes.at(1);
    let answer = soon(browser.navigate(osc_tests::path_of(&approved))).await;

    assert_eq!(location(&answer), "/there");
    let mut elsewhere = nodes.send(&browser, 2);
    assert_eq!(elsewhere.fetch("/").await.status(), StatusCode::OK);
    assert_eq!(browser.cookies().len(), 1, "the sign-in under way left nothing: {:?}", browser.cookies());
}

#[tokio::test]
async fn s02_a_callback_delivered_to_two_nodes_at_once_makes_one_token_request() {
    let mut nodes = before_sign_in(2).await;
    let path = callback(&mut nodes.browser, &nodes.osc).await;
    let (mut one, mut other) = (nodes.at(0), nodes.at(1));
    let hold = nodes.osc.hold(Endpoint::Token);
    let mut first = Box::pin(one.navigate(&path));
    assert!(first.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;

    let mut second = Box::pin(other.navigate(&path));
    assert!(second.as_mut().now_or_never().is_none());
    hold.release();
    let (first, second) = soon(async { (first.await, second.await) }).await;

    assert_eq!((first.status(), second.status()), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
    assert_eq!(one.cookies()["osc_session_3000"], other.cookies()["osc_session_3000"]);
    assert_eq!(nodes.osc.count(Endpoint::Token), 1);
    assert_eq!(nodes.store.sessions(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s02_duplicate_callbacks_to_three_nodes_are_exchanged_once() {
    for _ in 0..20 {
        let mut nodes = before_sign_in(3).await;
        let path = callback(&mut nodes.browser, &nodes.osc).await;
        let deliveries: Vec<_> = (0..12)
            .map(|at| {
                let (mut browser, path) = (nodes.at(at % 3), path.clone());
                tokio::spawn(async move { browser.navigate(&path).await })
            })
            .collect();
        let deliveries = soon(join_all(deliveries)).await;
        for delivery in deliveries {
            let answer = delivery.expect("no panic");
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        }
        assert_eq!(nodes.osc.count(Endpoint::Token), 1);
        assert_eq!(nodes.store.sessions(), 1);
    }
}

#[tokio::test]
async fn s05_a_callback_replayed_at_another_node_lands_safely() {
    let mut nodes = before_sign_in(2).await;
    let path = callback(&mut nodes.browser, &nodes.osc).await;
    let before = nodes.browser.clone();
    assert_eq!(soon(nodes.browser.navigate(&path)).await.status(), StatusCode::SEE_OTHER);

    let back_button = soon(nodes.at(1).navigate(&path)).await;
    let without_session = soon(nodes.send(&before, 1).navigate(&path)).await;

    assert_eq!(location(&back_button), "/");
    // The browser that began the sign-in gets its outcome again for a minute, at any node.
    assert_eq!(without_session.status(), StatusCode::SEE_OTHER);
    nodes.pass(Duration::from_secs(61));
    let late = soon(nodes.send(&before, 1).navigate(&path)).await;
    assert_eq!(refusal(&late), (400, "invalid_state".to_owned()));
    assert_eq!(nodes.osc.count(Endpoint::Token), 1);
    assert!(nodes.osc.is_live(nodes.token(1).await.access_token()), "the code was spent twice");
}

#[tokio::test]
async fn a_refused_sign_in_is_refused_alike_at_another_node() {
    for (fault, error) in [
        (Fault::OAuth("invalid_grant"), (401, "sign_in_failed".to_owned())),
        (Fault::OAuth("invalid_client"), (500, "misconfigured".to_owned())),
        (Fault::Html, (502, "provider_unavailable".to_owned())),
    ] {
        let mut nodes = before_sign_in(2).await;
        let path = callback(&mut nodes.browser, &nodes.osc).await;
        let (mut one, mut other) = (nodes.at(0), nodes.at(1));
        nodes.osc.fault(Endpoint::Token, fault);

        assert_eq!(refusal(&soon(one.navigate(&path)).await), error);
        let second = nodes.through(LOOKS, other.navigate(&path)).await;

        assert_eq!(refusal(&second), error);
        assert_eq!((nodes.osc.count(Endpoint::Token), nodes.store.sessions()), (1, 0));
    }
}

#[tokio::test]
async fn another_answer_of_the_provider_gets_no_outcome_at_another_node() {
    let mut nodes = before_sign_in(2).await;
    let path = callback(&mut nodes.browser, &nodes.osc).await;
    let (mut one, mut other) = (nodes.at(0), nodes.at(1));
    assert_eq!(soon(one.navigate(&path)).await.status(), StatusCode::SEE_OTHER);

    let planted = path.replace("code=", "code=x");
    let second = nodes.through(LOOKS, other.navigate(&planted)).await;

    assert_eq!(refusal(&second), (400, "invalid_state".to_owned()));
}

#[tokio::test]
async fn a_session_that_another_node_handed_over_is_not_revoked() {
    for (gets_it_elsewhere, store_is_away) in [(true, false), (true, true), (false, false)] {
        let mut nodes = before_sign_in(2).await;
        let path = callback(&mut nodes.browser, &nodes.osc).await;
        let (mut one, mut other) = (nodes.at(0), nodes.at(1));
        let hold = nodes.osc.hold(Endpoint::Token);
        let mut first = Box::pin(async { one.navigate(&path).await });
        assert!(first.as_mut().now_or_never().is_none());
        soon(hold.arrived(1)).await;
        // The browser gives up, and asks another node.
        drop(first);
        hold.release();
        soon(nodes.node(0).clock.slept(UNCLAIMED, 1)).await;
        if gets_it_elsewhere {
            let second = nodes.through(LOOKS, other.navigate(&path)).await;
            assert_eq!(second.status(), StatusCode::SEE_OTHER);
        }

        if store_is_away {
            nodes.node(0).store.trouble_next(Op::Once, Trouble::Fails, 1);
        }
        let reads = nodes.node(0).store.count(Op::Once);
        nodes.node(0).clock.advance(*UNCLAIMED.end());

        if gets_it_elsewhere {
            soon(nodes.node(0).store.asked(Op::Once, reads + 1)).await;
            if store_is_away {
                nodes.through(LOOKS, nodes.node(0).store.asked(Op::Once, reads + 2)).await;
            }
            assert!(token_of(&soon(nodes.send(&other, 0).fetch("/")).await).is_some());
            assert_eq!(nodes.osc.count(Endpoint::Revoke), 0);
        } else {
            soon(nodes.osc.wait_for_requests(Endpoint::Revoke, 1)).await;
            let second = nodes.through(LOOKS, other.navigate(&path)).await;
            assert_eq!(refusal(&second), (400, "invalid_state".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_restart_signs_nobody_out() {
    for nodes in both_kinds(2).await {
        let token = nodes.token(0).await;
        let session = token.session();
        let clock = WatchedClock::default();
        let restarted = osc_tests::layer_for(&nodes.osc).clock(clock).store(nodes.store.clone());
        let restarted = restarted.build().expect("it builds");
        let mut browser = nodes.browser.clone();
        browser.switch_app(osc_tests::app(&restarted));

        let after = token_of(&soon(browser.fetch("/")).await).expect("a token");

        assert_eq!(after.access_token(), token.access_token());
        assert_eq!(after.session().id(), session.id());
    }
}

#[tokio::test]
async fn sessions_of_different_visitors_stay_apart_on_every_node() {
    let nodes = Nodes::notified(2).await;
    let mut grace = nodes.at(1);
    grace.forget_cookies("");
    let authorize = grace.begin_sign_in("/auth/signin").await;
    let approved = nodes.osc.approve_as("grace", &authorize).await.expect("the provider asks for consent");
    soon(grace.navigate(osc_tests::path_of(&approved))).await;
    for at in 0..2 {
        let hers = token_of(&nodes.send(&grace, at).fetch("/").await).expect("a token");
        assert_ne!(hers.access_token(), nodes.token(at).await.access_token());
    }
    soon(nodes.send(&grace, 0).post_from("same-origin", "/auth/signout")).await;
    for at in 0..2 {
        assert_eq!(error_of(&nodes.send(&grace, at).fetch("/").await), "unauthenticated");
        nodes.token(at).await;
    }
}
