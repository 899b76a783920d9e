//! A store that is down. Nobody gets in, nobody is signed out, and everything works again when the store is
//! back.

use std::time::Duration;

use futures_util::FutureExt;
use http::{StatusCode, header};
use osc_auth_layer::SessionErrorKind;
use osc_tests::{
    AHEAD, Answer, EXPIRED, LEEWAY, Nodes, Op, Trouble, is_page, refusal, retry_after, soon, token_of,
};

use super::{assert_refused, both_kinds};

/// The timeout of a store operation.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
const PATIENCE_IN_PUBLIC: Duration = Duration::from_millis(200);
const TROUBLES: [Trouble; 4] = [Trouble::Fails, Trouble::LosesAnswer, Trouble::Hangs, Trouble::HangsAfter];

fn assert_unavailable(answer: &Answer) {
    assert_eq!(refusal(answer), (503, "temporarily_unavailable".to_owned()));
    assert!(retry_after(answer) >= Duration::from_secs(1));
    assert!(!answer.headers().contains_key(header::SET_COOKIE), "{answer:?}");
    assert!(token_of(answer).is_none());
}

#[tokio::test]
async fn s56_a_store_out_of_reach_lets_nobody_in_and_signs_nobody_out() {
    for nodes in both_kinds(3).await {
        // One node has the session in memory, another had it long ago, and the third never saw it.
        let token = nodes.token(0).await;
        nodes.token(1).await;
        nodes.store.go_down();
        for at in 0..3 {
            let script = nodes.fetch(at).await;
            let person = soon(nodes.at(at).navigate("/")).await;
            assert!(!is_page(&script) && is_page(&person));
            for answer in [script, person] {
                assert_unavailable(&answer);
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                assert!(!text.contains("/auth/signin"), "it offers a sign-in: {text}");
            }
        }
        nodes.store.come_back();
        for at in 0..3 {
            assert_eq!(nodes.token(at).await.access_token(), token.access_token());
        }
    }
}

#[tokio::test]
async fn without_a_session_requests_need_no_store_but_sign_in_does() {
    let nodes = Nodes::notified(1).await;
    nodes.store.go_down();
    let mut nobody = nodes.at(0);
    nobody.forget_cookies("");
    assert_refused(&soon(nobody.fetch("/")).await, "unauthenticated");
    let answer = soon(nobody.navigate("/auth/signin")).await;
    assert_eq!(refusal(&answer), (503, "store_unavailable".to_owned()));
    assert!(nobody.cookies().is_empty());
    nodes.store.come_back();
    assert!(soon(nobody.begin_sign_in("/auth/signin")).await.starts_with(&nodes.osc.issuer()));
}

#[tokio::test]
async fn warm_sessions_fail_closed_when_notifications_may_be_lost() {
    let nodes = Nodes::notified(1).await;
    nodes.warm_up().await;
    nodes.node(0).store.trouble(Op::Read, Trouble::Fails);
    nodes.token(0).await;
    nodes.store.stop_notifications();
    assert_unavailable(&nodes.fetch(0).await);
    // Notifications work again, but changes in the meantime may have been missed.
    nodes.store.resume_notifications();
    assert_unavailable(&nodes.fetch(0).await);
    nodes.node(0).store.mend();
    nodes.token(0).await;
}

#[tokio::test]
async fn public_paths_pass_without_a_token_within_their_time_limit() {
    for nodes in both_kinds(1).await {
        nodes.store.stop_notifications();
        nodes.store.go_down();
        let answer = soon(nodes.at(0).fetch("/public")).await;
        assert_eq!((answer.status(), token_of(&answer).is_none()), (StatusCode::OK, true));
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
        nodes.store.come_back();

        let clock = &nodes.node(0).clock;
        nodes.store.hold();
        let mut browser = nodes.at(0);
        let mut request = Box::pin(browser.fetch("/public"));
        assert!(request.as_mut().now_or_never().is_none());
        clock.advance(PATIENCE_IN_PUBLIC - Duration::from_millis(1));
        tokio::task::yield_now().await;
        assert!(request.as_mut().now_or_never().is_none(), "the time limit is zero");
        clock.advance(Duration::from_millis(1));
        let answer = soon(request).await;
        assert_eq!((answer.status(), token_of(&answer).is_none()), (StatusCode::OK, true));
        nodes.store.release();
        assert!(token_of(&soon(nodes.at(0).fetch("/public")).await).is_some());
    }
}

#[tokio::test]
async fn a_store_that_hangs_is_waited_for_two_seconds() {
    let nodes = Nodes::notified(1).await;
    nodes.store.hold();
    let mut request = nodes.waiting(0);
    nodes.node(0).clock.advance(DEADLINE - Duration::from_millis(1));
    tokio::task::yield_now().await;
    assert!(request.as_mut().now_or_never().is_none());
    nodes.node(0).clock.advance(Duration::from_millis(1));
    assert_unavailable(&soon(request).await);
    nodes.store.release();
    nodes.token(0).await;
}

#[tokio::test]
async fn handles_distinguish_a_store_outage_from_the_sessions_end() {
    for nodes in both_kinds(2).await {
        let token = nodes.token(1).await;
        let session = token.session();
        nodes.store.go_down();
        for error in [soon(session.token()).await, soon(session.refresh(&token)).await] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::Unavailable);
            assert!(error.retry_after().is_some_and(|wait| wait >= Duration::from_secs(1)));
        }
        nodes.store.come_back();
        assert_eq!(soon(session.token()).await.expect("a token").access_token(), token.access_token());
        let newer = soon(session.refresh(&token)).await.expect("a token");
        assert_eq!(nodes.token(0).await.access_token(), newer.access_token());
    }
}

#[tokio::test]
async fn an_unavailable_lease_costs_no_valid_token_and_no_session() {
    for trouble in TROUBLES {
        let nodes = Nodes::notified(1).await;
        let old = nodes.token(0).await;
        nodes.node(0).store.trouble(Op::Lease, trouble);
        nodes.pass(AHEAD);
        assert_eq!(nodes.token(0).await.access_token(), old.access_token());
        nodes.pass(LEEWAY - AHEAD);
        let leeway = nodes.through(DEADLINE..=DEADLINE, nodes.fetch(0)).await;
        assert_eq!(token_of(&leeway).expect("the old token").access_token(), old.access_token());
        nodes.pass(EXPIRED - LEEWAY);
        let expired = nodes.through(DEADLINE..=DEADLINE, nodes.fetch(0)).await;
        assert_unavailable(&expired);
        assert_eq!(nodes.refreshes(), 0, "{trouble:?}: sent without a lease");

        nodes.node(0).store.mend();
        nodes.pass(retry_after(&expired));

        // This also holds if the node took the lease with an answer that was lost.
        assert!(nodes.osc.is_live(nodes.token(0).await.access_token()), "{trouble:?}");
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_recorded_makes_no_token_request() {
    for (op, trouble) in TROUBLES.map(|trouble| (Op::Once, trouble)) {
        let mut nodes = Nodes::notified(1).await;
        let old = nodes.token(0).await;
        nodes.osc.forget_requests();
        let path = osc_tests::callback(&mut nodes.browser, &nodes.osc).await;
        nodes.node(0).store.trouble(op, trouble);

        let mut browser = nodes.at(0);
        let answer = nodes.through(DEADLINE..=DEADLINE, browser.navigate(&path)).await;

        assert_eq!(refusal(&answer), (503, "store_unavailable".to_owned()), "{trouble:?}");
        assert_eq!(nodes.osc.count(mock_osc::Endpoint::Token), 0, "{trouble:?}");
        nodes.node(0).store.mend();
        assert_eq!(nodes.token(0).await.access_token(), old.access_token(), "the previous session is kept");
        assert_eq!(soon(nodes.browser.sign_in(&nodes.osc)).await.status(), StatusCode::SEE_OTHER);
        assert_ne!(nodes.token(0).await.access_token(), old.access_token());
    }
}

#[tokio::test]
async fn an_unstorable_sign_in_is_revoked_and_keeps_the_old_session() {
    for trouble in TROUBLES {
        let mut nodes = Nodes::notified(2).await;
        let old = nodes.token(0).await;
        nodes.node(0).store.trouble(Op::Create, trouble);
        let path = osc_tests::callback(&mut nodes.browser, &nodes.osc).await;

        let mut browser = nodes.at(0);
        let answer = nodes.through(DEADLINE..=DEADLINE, browser.navigate(&path)).await;

        assert_eq!(refusal(&answer), (503, "store_unavailable".to_owned()), "{trouble:?}");
        let kept: Vec<_> = browser.cookies().iter().collect();
        let session =
            nodes.browser.cookies().get_key_value("osc_session_3000").expect("the previous session");
        assert_eq!(kept, [session], "{trouble:?}");
        let orphan = nodes.osc.issued_tokens();
        let orphan = orphan.iter().rev().find(|token| token.contains('.')).expect("an access token").clone();
        soon(nodes.osc.wait_for_requests(mock_osc::Endpoint::Revoke, 1)).await;
        assert_eq!(nodes.token(1).await.access_token(), old.access_token());
        assert_eq!(nodes.token(0).await.access_token(), old.access_token());
        nodes.settle().await;
        assert_eq!((nodes.store.sessions(), nodes.osc.live_refresh_tokens()), (1, 1), "{trouble:?}");
        assert!(!nodes.osc.is_live(&orphan) && nodes.osc.is_live(old.access_token()));
    }
}

#[tokio::test]
async fn a_store_failing_after_the_exchange_gets_the_grant_revoked() {
    let mut nodes = Nodes::notified(1).await;
    let path = osc_tests::callback(&mut nodes.browser, &nodes.osc).await;
    let hold = nodes.osc.hold(mock_osc::Endpoint::Token);
    let mut browser = nodes.at(0);
    let mut request = Box::pin(browser.navigate(&path));
    assert!(request.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    nodes.store.go_down();
    hold.release();

    assert_eq!(refusal(&soon(request).await), (503, "store_unavailable".to_owned()));

    soon(nodes.osc.wait_for_requests(mock_osc::Endpoint::Revoke, 1)).await;
    assert_eq!(nodes.osc.live_refresh_tokens(), 1, "the token of the previous session");
    nodes.store.come_back();
    nodes.token(0).await;
}

#[tokio::test]
async fn an_unstorable_sign_in_without_refresh_token_is_revoked() {
    let mut nodes = Nodes::notified(1).await;
    nodes.osc.set_token_field("refresh_token", None);
    let path = osc_tests::callback(&mut nodes.browser, &nodes.osc).await;
    nodes.node(0).store.trouble(Op::Create, TROUBLES[0]);

    let answer = nodes.through(DEADLINE..=DEADLINE, nodes.at(0).navigate(&path)).await;

    assert_eq!(refusal(&answer), (503, "store_unavailable".to_owned()));
    soon(nodes.osc.wait_for_requests(mock_osc::Endpoint::Revoke, 1)).await;
    let revoked = nodes.osc.requests(mock_osc::Endpoint::Revoke);
    assert_eq!(revoked[0].field("token_type_hint"), Some("access_token"));
}
