//! Sign-out wins on every node: over copies of the cookie, over other nodes' caches, and over their
//! refreshes.

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::SessionErrorKind;
use osc_tests::{Browser, EXPIRED, Nodes, Op, RunningClock, error_of, soon, token_of};

use crate::shared_store::{assert_refused, both_kinds};

/// Without notifications, a waiting node looks only at intervals, so a race takes longer.
const RACES: [(bool, usize); 2] = [(true, 950), (false, 50)];

async fn sign_out(mut browser: Browser) {
    let answer = soon(browser.post_from("same-origin", "/auth/signout")).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
}

#[tokio::test]
async fn s29_a_session_signed_out_on_one_node_is_refused_on_all_at_once() {
    for nodes in both_kinds(3).await {
        nodes.warm_up().await;
        let token = nodes.token(2).await;

        sign_out(nodes.at(1)).await;

        for at in [0, 2, 1, 0] {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
            let public = soon(nodes.at(at).fetch("/public")).await;
            assert_eq!((public.status(), token_of(&public).is_some()), (StatusCode::OK, false));
        }
        let session = token.session();
        assert_eq!(soon(session.token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
        assert_eq!(soon(session.refresh(&token)).await.unwrap_err().kind(), SessionErrorKind::Ended);
        nodes.settle().await;
        assert_eq!((nodes.osc.count(Endpoint::Revoke), nodes.osc.live_refresh_tokens()), (1, 0));
        assert!(!nodes.osc.is_live(token.access_token()));
        assert_eq!(nodes.store.sessions(), 0);
    }
}

#[tokio::test]
async fn s29_a_handle_that_signs_out_on_one_node_ends_the_session_on_all() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    let (here, there) = (nodes.token(0).await.session(), nodes.token(1).await.session());
    soon(here.sign_out()).await;
    assert_eq!(soon(there.token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
    assert_refused(&nodes.fetch(1).await, "unauthenticated");
}

#[tokio::test]
async fn s31_a_cold_node_revokes_the_latest_tokens_at_sign_out() {
    for nodes in both_kinds(2).await {
        nodes.pass(EXPIRED);
        nodes.token(0).await;
        let newest = nodes.osc.issued_tokens().pop().expect("a token");
        sign_out(nodes.at(1)).await;
        nodes.settle().await;
        let revoked = nodes.osc.requests(Endpoint::Revoke);
        assert_eq!(revoked.len(), 1);
        assert_eq!(revoked[0].field("token"), Some(newest.as_str()));
        assert_eq!(revoked[0].field("token_type_hint"), Some("refresh_token"));
    }
}

#[tokio::test]
async fn s30_a_refresh_finishing_after_sign_out_elsewhere_is_revoked() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        // The provider refreshes before it hears of the sign-out.
        let revocations = nodes.osc.hold(Endpoint::Revoke);
        let (hold, request) = nodes.held_up(0).await;
        sign_out(nodes.at(1)).await;
        assert_refused(&nodes.fetch(1).await, "unauthenticated");
        soon(revocations.arrived(1)).await;
        hold.release();

        assert_refused(&soon(request).await, "unauthenticated");

        soon(revocations.arrived(2)).await;
        let newest = nodes.osc.issued_tokens().pop().expect("a token");
        let revoked = nodes.osc.requests(Endpoint::Revoke);
        assert_eq!(revoked[1].field("token"), Some(newest.as_str()));
        revocations.release();
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        nodes.settle().await;
        assert_eq!((nodes.osc.live_refresh_tokens(), nodes.store.sessions()), (0, 0));
    }
}

#[tokio::test]
async fn s30_a_sign_out_between_the_rotation_and_its_write_wins() {
    for nodes in both_kinds(2).await {
        nodes.pass(EXPIRED);
        let revocations = nodes.osc.hold(Endpoint::Revoke);
        let writes = nodes.node(0).store.hold(Op::Replace);
        let request = nodes.waiting(0);
        soon(nodes.node(0).store.asked(Op::Replace, 1)).await;
        sign_out(nodes.at(1)).await;
        soon(revocations.arrived(1)).await;
        writes.release();

        assert_refused(&soon(request).await, "unauthenticated");

        soon(revocations.arrived(2)).await;
        revocations.release();
        nodes.settle().await;
        assert_eq!((nodes.osc.live_refresh_tokens(), nodes.store.sessions()), (0, 0));
    }
}

#[tokio::test]
async fn s30_a_sign_out_during_a_refresh_leaves_no_spent_token() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        let (hold, first) = nodes.held_up(0).await;
        // The session has ended on this node, but the store does not know yet.
        let endings = nodes.node(0).store.hold(Op::End);
        let mut browser = nodes.at(0);
        let mut leaving = Box::pin(browser.post_from("same-origin", "/auth/signout"));
        assert!(leaving.as_mut().now_or_never().is_none());
        soon(nodes.node(0).store.asked(Op::End, 1)).await;
        hold.release();
        assert_refused(&soon(first).await, "unauthenticated");
        soon(nodes.osc.wait_for_requests(Endpoint::Revoke, 1)).await;
        let looks = nodes.node(1).clock.sleeps(Nodes::LOOKS);
        let second = nodes.waiting(1);
        soon(nodes.looks(1, looks + 1)).await;

        endings.release();

        assert_refused(&nodes.through(Nodes::LOOK, second).await, "unauthenticated");
        assert_eq!(soon(leaving).await.status(), StatusCode::SEE_OTHER);
        assert_eq!(nodes.refreshes(), 1, "the other node reused a refresh token");
    }
}

#[tokio::test]
async fn s30_a_node_waiting_for_a_refresh_notices_the_sign_out() {
    for nodes in both_kinds(3).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        let (hold, first) = nodes.held_up(0).await;
        let second = nodes.waiting(1);
        soon(nodes.looks(1, 1)).await;

        sign_out(nodes.at(2)).await;

        // This request need not wait for the refresh to end.
        assert_refused(&nodes.through(Nodes::LOOK, second).await, "unauthenticated");
        hold.release();
        assert_refused(&soon(first).await, "unauthenticated");
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn s21_a_sign_in_elsewhere_drops_the_old_session_and_revokes_nothing() {
    for mut nodes in both_kinds(3).await {
        nodes.warm_up().await;
        let before = nodes.token(0).await;
        let old = nodes.browser.clone();
        let mut browser = nodes.at(1);
        assert_eq!(soon(browser.sign_in(&nodes.osc)).await.status(), StatusCode::SEE_OTHER);
        nodes.browser = browser;
        for at in 0..3 {
            assert_refused(&soon(nodes.send(&old, at).fetch("/")).await, "unauthenticated");
            assert_ne!(nodes.token(at).await.access_token(), before.access_token());
        }
        assert_eq!(nodes.store.sessions(), 1);
        nodes.settle().await;
        assert_eq!(nodes.osc.count(Endpoint::Revoke), 0);
        assert!(nodes.osc.is_live(before.access_token()), "the provider may have given the same grant");
    }
}

#[tokio::test]
async fn s21_a_sign_in_during_a_refresh_elsewhere_revokes_nothing() {
    for mut nodes in both_kinds(2).await {
        nodes.pass(EXPIRED);
        let mut browser = nodes.at(1);
        let path = osc_tests::callback(&mut browser, &nodes.osc).await;
        let writes = nodes.node(0).store.hold(Op::Replace);
        let request = nodes.waiting(0);
        soon(nodes.node(0).store.asked(Op::Replace, 1)).await;
        // The visitor stops waiting and signs in again.
        assert_eq!(soon(browser.navigate(&path)).await.status(), StatusCode::SEE_OTHER);
        writes.release();

        assert_refused(&soon(request).await, "unauthenticated");

        nodes.browser = browser;
        nodes.warm_up().await;
        nodes.settle().await;
        assert_eq!(nodes.osc.count(Endpoint::Revoke), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s30_sign_outs_racing_a_refresh_elsewhere_leave_no_grant() {
    for (is_notified, races) in RACES {
        let mut nodes: Nodes<RunningClock> =
            Nodes::with(MockOsc::builder(), is_notified, 2, |layer| layer).await;
        for race in 0..races {
            nodes.browser.forget_cookies("");
            assert_eq!(nodes.browser.sign_in(&nodes.osc).await.status(), StatusCode::SEE_OTHER);
            if race % 2 == 0 {
                nodes.warm_up().await;
            }
            nodes.pass(EXPIRED);
            let requests: Vec<_> = (0..4)
                .map(|at| {
                    let mut browser = nodes.at(at % 2);
                    tokio::spawn(async move { browser.fetch("/").await })
                })
                .collect();
            // The sign-out arrives at some point between the first read of the store and the last write.
            for _ in 0..race % 50 {
                tokio::task::yield_now().await;
            }
            sign_out(nodes.at(race / 2 % 2)).await;

            for at in 0..2 {
                let after = nodes.fetch(at).await;
                assert!(token_of(&after).is_none(), "race {race}: a token after sign-out");
                assert_eq!(error_of(&after), "unauthenticated", "race {race}");
            }
            for request in requests {
                // The request is answered before or after the sign-out, but it is always answered.
                let answer = soon(request).await.unwrap();
                assert!(
                    answer.status() == StatusCode::OK || error_of(&answer) == "unauthenticated",
                    "race {race}: {answer:?}"
                );
            }
            assert_refused(&nodes.fetch(0).await, "unauthenticated");
        }
        assert!(nodes.refreshes() > races / 20, "too few races: {} refreshes", nodes.refreshes());
        // Revocations run in the background. All of them have ended after this.
        nodes.settle().await;
        assert_eq!((nodes.osc.live_refresh_tokens(), nodes.store.sessions()), (0, 0));
    }
}

#[tokio::test]
async fn sign_out_survives_client_disconnect() {
    for known in [true, false] {
        let nodes = Nodes::notified(2).await;
        if known {
            nodes.warm_up().await;
        }
        nodes.store.hold();
        let mut browser = nodes.at(0);
        // The server drops the request when the connection closes.
        assert!(browser.post_from("same-origin", "/auth/signout").now_or_never().is_none());
        nodes.store.release();
        nodes.settle().await;

        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        assert_eq!(nodes.osc.live_refresh_tokens(), 0);
    }
}
