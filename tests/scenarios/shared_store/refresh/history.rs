//! s54: a store that loses changes, like a server restarted from an older dump. A node never returns to a
//! state before the latest it has seen.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mock_osc::{Endpoint, Fault};
use osc_auth_layer::store::SessionStore;
use osc_tests::{EXPIRED, Nodes, Op, error_of, soon, token_of};
use tokio::runtime;

use crate::shared_store::session::persistence::version;

use crate::shared_store::{assert_refused, both_kinds};

/// The minimum time between two forced refreshes of a session.
const FORCE_AGAIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn s54_a_store_reset_after_a_refresh_is_updated_and_keeps_the_session() {
    for nodes in both_kinds(3).await {
        nodes.token(1).await;
        let snapshot = nodes.store.snapshot();
        nodes.pass(EXPIRED);
        let new = nodes.token(0).await;
        nodes.settle_leases().await;

        nodes.store.restore(&snapshot);

        // The refresh token in the store has been used already.
        assert_eq!(version(&nodes).await, (1, false));
        assert_eq!(nodes.token(0).await.access_token(), new.access_token());
        soon(nodes.node(0).store.asked(Op::Replace, 2)).await;
        assert_eq!(version(&nodes).await, (2, false));
        for at in 0..3 {
            assert_eq!(nodes.token(at).await.access_token(), new.access_token());
        }
        for refreshes in 2..5 {
            nodes.pass(EXPIRED);
            let newer = nodes.token(refreshes % 3).await;
            assert!(nodes.osc.is_live(newer.access_token()));
            nodes.settle_leases().await;
            assert_eq!(nodes.refreshes(), refreshes);
        }
    }
}

#[tokio::test]
async fn s54_the_node_with_the_newest_version_wins() {
    let nodes = Nodes::notified(3).await;
    nodes.warm_up().await;
    let snapshot = nodes.store.snapshot();
    let first = nodes.token(0).await;
    soon(first.session().refresh(&first)).await.expect("a token");
    nodes.pass(FORCE_AGAIN);
    // This node sees only the record in the store …
    let second = nodes.token(1).await;
    // … and this node has the newest state.
    let here = nodes.token(0).await;
    let newest = soon(here.session().refresh(&here)).await.expect("a token");
    nodes.settle_leases().await;
    nodes.store.restore(&snapshot);

    assert_eq!(nodes.token(1).await.access_token(), second.access_token());
    soon(nodes.node(1).store.asked(Op::Replace, 1)).await;
    assert_eq!(version(&nodes).await, (2, false));
    assert_eq!(nodes.token(0).await.access_token(), newest.access_token());
    soon(nodes.node(0).store.asked(Op::Replace, 3)).await;

    assert_eq!(version(&nodes).await, (3, false));
    for at in 0..3 {
        assert_eq!(nodes.token(at).await.access_token(), newest.access_token());
    }
}

#[tokio::test]
async fn s54_a_refresh_with_an_outdated_record_uses_the_newest_token() {
    let nodes = Nodes::notified(2).await;
    let snapshot = nodes.store.snapshot();
    nodes.pass(EXPIRED);
    nodes.token(0).await;
    nodes.settle_leases().await;
    nodes.pass(EXPIRED);
    nodes.store.restore(&snapshot);

    let new = nodes.token(0).await;

    assert!(nodes.osc.is_live(new.access_token()), "an old refresh token was used and the grant revoked");
    assert_eq!(nodes.refreshes(), 2);
    assert_eq!(nodes.token(1).await.access_token(), new.access_token());
    assert_eq!(version(&nodes).await, (3, false));
}

#[tokio::test]
async fn s54_a_sign_out_holds_on_the_nodes_that_saw_it() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        let snapshot = nodes.store.snapshot();
        soon(nodes.at(0).post_from("same-origin", "/auth/signout")).await;
        assert_refused(&nodes.fetch(1).await, "unauthenticated");

        nodes.store.restore(&snapshot);

        for at in [0, 1, 0] {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        nodes.settle().await;
        assert_eq!((nodes.refreshes(), nodes.osc.live_refresh_tokens()), (0, 0));
    }
}

#[tokio::test]
async fn a_session_lost_by_the_store_ends_and_a_new_sign_in_works() {
    for mut nodes in both_kinds(2).await {
        let empty =
            Nodes::<osc_tests::WatchedClock>::with(mock_osc::MockOsc::builder(), true, 1, |layer| layer)
                .await;
        nodes.warm_up().await;
        let snapshot = empty.store.snapshot();
        nodes.store.restore(&snapshot);
        for at in [0, 1, 0] {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        soon(nodes.browser.sign_in(&nodes.osc)).await;
        nodes.warm_up().await;
        assert_eq!(nodes.store.sessions(), 1);
    }
}

#[tokio::test]
async fn a_write_never_revives_a_session_the_store_lost() {
    for nodes in both_kinds(2).await {
        nodes.pass(EXPIRED);
        let writes = nodes.node(0).store.hold(Op::Replace);
        let request = nodes.waiting(0);
        soon(nodes.node(0).store.asked(Op::Replace, 1)).await;
        // Ends the session as if its time had come.
        let name = nodes.node(0).store.created().pop().expect("a session");
        let entry = nodes.store.get(&name).await.expect("the store works").entry.expect("a record");
        nodes.store.delete(&name, entry.version).await.expect("the store works");
        writes.release();
        assert_refused(&soon(request).await, "unauthenticated");
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        assert_eq!(nodes.store.sessions(), 0);
    }
}

#[tokio::test]
async fn s54_a_store_reset_during_a_refresh_gets_the_new_tokens() {
    for nodes in both_kinds(2).await {
        let snapshot = nodes.store.snapshot();
        nodes.pass(EXPIRED);
        nodes.token(0).await;
        nodes.settle_leases().await;
        nodes.pass(EXPIRED);
        let (hold, request) = nodes.held_up(0).await;
        nodes.store.restore(&snapshot);
        hold.release();

        let new = token_of(&soon(request).await).expect("a token");

        for at in 0..2 {
            assert_eq!(nodes.token(at).await.access_token(), new.access_token());
        }
        assert!(nodes.osc.is_live(new.access_token()));
        nodes.pass(EXPIRED);
        assert!(nodes.osc.is_live(nodes.token(1).await.access_token()));
        assert_eq!(nodes.refreshes(), 3);
    }
}

/// Runs in a thread of its own. Code that waits for a lock it holds would stop its thread, with every timeout
/// on it.
#[test]
fn s54_a_refusal_with_a_reset_store_keeps_the_session_without_deadlock() {
    let (done, waited) = mpsc::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(refused_while_the_store_is_taken_back());
        let _ = done.send(());
    });
    waited.recv_timeout(Duration::from_secs(60)).expect("the test failed or deadlocked");
}

async fn refused_while_the_store_is_taken_back() {
    for nodes in both_kinds(1).await {
        let snapshot = nodes.store.snapshot();
        nodes.pass(EXPIRED);
        let token = nodes.token(0).await;
        nodes.settle_leases().await;
        nodes.pass(EXPIRED);
        nodes.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));
        let (hold, request) = nodes.held_up(0).await;
        nodes.store.restore(&snapshot);
        hold.release();

        assert_eq!(error_of(&soon(request).await), "temporarily_unavailable");

        nodes.osc.clear_faults();
        nodes.pass(EXPIRED);
        assert_ne!(nodes.token(0).await.access_token(), token.access_token());
    }
}
