//! Sessions whose end the store does not accept at once. They end on this node, which retries until the store
//! accepts it.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::store::SessionStore;
use osc_tests::{Nodes, Op, Trouble, WatchedClock, callback, header, soon};

use crate::shared_store::assert_refused;
use crate::shared_store::outage::DEADLINE;

/// The first pause before the store is told of the end again.
const END_AGAIN: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_millis(500);

/// Returns two nodes. The first cannot end sessions in the store for now.
async fn without_endings(trouble: Trouble) -> Nodes {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    nodes.node(0).store.trouble(Op::End, trouble);
    nodes
}

/// Ends the failure, and lets the first node retry.
async fn tell_again(nodes: &Nodes) {
    let node = nodes.node(0);
    node.clock.slept(END_AGAIN, 1).await;
    node.store.mend();
    let told = node.store.count(Op::End);
    node.clock.advance(*END_AGAIN.end());
    soon(node.store.asked(Op::End, told + 1)).await;
}

#[tokio::test]
async fn a_sign_out_in_a_store_outage_holds_here_now_and_elsewhere_later() {
    let nodes = Nodes::notified(3).await;
    nodes.warm_up().await;
    nodes.store.go_down();
    let mut browser = nodes.at(0);
    assert_eq!(soon(browser.post_from("same-origin", "/auth/signout")).await.status(), StatusCode::SEE_OTHER);
    assert!(browser.cookies().is_empty());
    assert_refused(&nodes.fetch(0).await, "unauthenticated");
    // The provider works.
    soon(nodes.osc.wait_for_requests(Endpoint::Revoke, 1)).await;

    nodes.store.come_back();

    assert_refused(&nodes.fetch(0).await, "unauthenticated");
    tell_again(&nodes).await;
    for at in 0..3 {
        assert_refused(&nodes.fetch(at).await, "unauthenticated");
    }
    nodes.settle().await;
    assert_eq!((nodes.store.sessions(), nodes.osc.live_refresh_tokens()), (0, 0));
}

#[tokio::test]
async fn endings_are_retried_with_growing_pauses() {
    let nodes = without_endings(Trouble::Fails).await;
    soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
    let node = nodes.node(0);
    let mut pause = Duration::from_millis(500);
    for _ in 0..10 {
        node.clock.slept(pause..=pause, 1).await;
        let told = node.store.count(Op::End);
        node.clock.advance(pause - Duration::from_millis(1));
        tokio::task::yield_now().await;
        assert_eq!(node.store.count(Op::End), told);
        node.clock.advance(Duration::from_millis(1));
        soon(node.store.asked(Op::End, told + 1)).await;
        if pause >= Duration::from_secs(16) {
            break;
        }
        // The timeout of the operation itself is two seconds, but it is not a pause.
        pause *= 2;
        if pause == DEADLINE {
            node.clock.slept(DEADLINE..=DEADLINE, 2).await;
        }
    }
    assert_eq!(pause, Duration::from_secs(16));
    node.store.mend();
    node.clock.slept(Duration::from_secs(30)..=Duration::from_secs(30), 1).await;
    node.clock.advance(Duration::from_secs(30));
    nodes.settle().await;
    assert_eq!(nodes.store.sessions(), 0);
}

#[tokio::test]
async fn a_sign_out_with_a_lost_store_answer_took_effect() {
    for trouble in [Trouble::LosesAnswer, Trouble::HangsAfter] {
        let nodes = without_endings(trouble).await;
        let mut browser = nodes.at(0);
        let answer =
            nodes.through(DEADLINE..=DEADLINE, browser.post_from("same-origin", "/auth/signout")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        tell_again(&nodes).await;
        nodes.settle().await;
        assert_eq!((nodes.store.sessions(), nodes.osc.live_refresh_tokens()), (0, 0));
    }
}

#[tokio::test]
async fn s21_a_replaced_session_is_refused_everywhere_after_the_store_write() {
    let mut nodes = without_endings(Trouble::Fails).await;
    let old = nodes.browser.clone();
    assert_eq!(soon(nodes.browser.sign_in(&nodes.osc)).await.status(), StatusCode::SEE_OTHER);
    nodes.warm_up().await;

    tell_again(&nodes).await;

    for at in 0..2 {
        assert_refused(&soon(nodes.send(&old, at).fetch("/")).await, "unauthenticated");
        nodes.token(at).await;
    }
    nodes.settle().await;
    assert_eq!((nodes.store.sessions(), nodes.osc.count(Endpoint::Revoke)), (1, 0));
}

#[tokio::test]
async fn a_sign_out_in_an_outage_holds_for_an_uncached_session() {
    for is_notified in [true, false] {
        let mut nodes: Nodes = Nodes::with(MockOsc::builder(), is_notified, 2, |layer| layer).await;
        let mut browser = nodes.at(1);
        soon(browser.sign_in(&nodes.osc)).await;
        nodes.browser = browser;
        nodes.store.go_down();
        soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
        nodes.node(0).clock.slept(END_AGAIN, 1).await;

        nodes.store.come_back();

        assert_refused(&nodes.fetch(0).await, "unauthenticated");
        tell_again(&nodes).await;
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        // Only the store knew which token to revoke.
        nodes.settle().await;
        assert_eq!((nodes.store.sessions(), nodes.osc.live_refresh_tokens()), (0, 0));
    }
}

#[tokio::test]
async fn s21_a_replaced_session_is_refused_here_before_the_store_write() {
    let mut nodes = without_endings(Trouble::Fails).await;
    let old = nodes.browser.clone();
    soon(nodes.browser.sign_in(&nodes.osc)).await;
    assert_refused(&soon(nodes.send(&old, 0).fetch("/")).await, "unauthenticated");
    tell_again(&nodes).await;
    assert_refused(&soon(nodes.send(&old, 1).fetch("/")).await, "unauthenticated");
}

#[tokio::test]
async fn a_client_disconnect_in_the_callback_leaves_no_session_or_grant() {
    for op in [Op::Create, Op::End] {
        let mut nodes = Nodes::notified(1).await;
        let path = callback(&mut nodes.browser, &nodes.osc).await;
        let hold = nodes.node(0).store.hold(op);
        {
            let mut browser = nodes.at(0);
            let asked = nodes.node(0).store.count(op);
            let mut request = Box::pin(browser.navigate(&path));
            assert!(request.as_mut().now_or_never().is_none());
            let wait = async {
                tokio::select! {
                    _ = &mut request => panic!("it is answered"),
                    () = nodes.node(0).store.asked(op, asked + 1) => {}
                }
            };
            soon(wait).await;
        }
        hold.release();
        nodes.settle().await;
        let name = nodes.node(0).store.created().pop().expect("two sessions");
        let entry = nodes.store.get(&name).await.expect("the store works").entry;
        assert!(entry.and_then(|entry| header(&entry.value)).is_none(), "{op:?}: whose is it?");
        let newest = nodes.osc.issued_tokens().pop().expect("a token");
        let revoked = nodes.osc.requests(Endpoint::Revoke);
        assert_eq!(revoked.len(), 1, "{op:?}");
        assert_eq!(revoked[0].field("token"), Some(newest.as_str()), "{op:?}");
        // The previous session stays valid until it is replaced.
        assert_eq!(nodes.store.sessions(), usize::from(op == Op::Create), "{op:?}");
    }
}

#[tokio::test]
async fn a_concurrent_read_does_not_revive_a_signed_out_session() {
    let nodes = Nodes::notified(2).await;
    let reads = nodes.node(1).store.hold(Op::Read);
    let reading = nodes.waiting(1);
    soon(nodes.node(1).store.asked(Op::Read, 1)).await;
    nodes.node(1).store.trouble(Op::End, Trouble::Fails);
    let mut browser = nodes.at(1);
    let mut leaving = Box::pin(browser.post_from("same-origin", "/auth/signout"));
    assert!(leaving.as_mut().now_or_never().is_none());
    soon(nodes.node(1).store.asked(Op::Read, 2)).await;
    reads.release();
    assert_refused(&soon(reading).await, "unauthenticated");
    soon(leaving).await;
    assert_refused(&nodes.fetch(1).await, "unauthenticated");
}

#[tokio::test]
async fn sign_outs_of_unknown_sessions_in_an_outage_end_with_the_layer() {
    let nodes = Nodes::notified(1).await;
    nodes.store.go_down();
    let mut stranger = nodes.at(0);
    let name = stranger.cookies().keys().next().expect("the session's").clone();
    let made_up = "A".repeat(43);
    for _ in 0..50 {
        stranger.set_cookie(&name, &made_up);
        soon(stranger.post_from("same-origin", "/auth/signout")).await;
    }
    assert_eq!(nodes.node(0).layer.tasks_under_way(), 1);

    let clock = nodes.node(0).clock.clone();
    clock.slept(END_AGAIN, 1).await;
    drop((nodes, stranger));
    // This is long enough for the sweeper too, which must find nothing to sweep.
    clock.advance(*WatchedClock::SWEEP.end());
    soon(clock.alone()).await;
}

#[tokio::test]
async fn a_full_list_of_endings_does_not_block_real_sign_outs() {
    const MOST: usize = 10_000;
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    nodes.store.go_down();
    let mut stranger = nodes.at(0);
    let name = stranger.cookies().keys().next().expect("the session's").clone();
    for n in 0..MOST {
        stranger.set_cookie(&name, &format!("{n:0>42}A"));
        assert_eq!(stranger.post_from("same-origin", "/auth/signout").await.status(), StatusCode::SEE_OTHER);
    }
    stranger.set_cookie(&name, &"A".repeat(43));
    let beyond = stranger.post_from("same-origin", "/auth/signout").await;
    assert_eq!(osc_tests::refusal(&beyond), (503, "temporarily_unavailable".to_owned()));
    assert!(!stranger.cookies().is_empty(), "nobody was signed out");

    let mut browser = nodes.at(0);
    assert_eq!(browser.post_from("same-origin", "/auth/signout").await.status(), StatusCode::SEE_OTHER);
    nodes.store.come_back();
    nodes.node(0).clock.advance(*END_AGAIN.end());
    soon(async {
        while nodes.store.sessions() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for at in 0..2 {
        assert_refused(&nodes.fetch(at).await, "unauthenticated");
    }
}
