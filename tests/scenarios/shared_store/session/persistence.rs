//! s41: a rotated token is stored before it is used, whatever the store does in the meantime.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::FutureExt;
use mock_osc::{Endpoint, Fault, MockOsc, Rotation};
use osc_auth_layer::store::SessionStore;
use osc_tests::{EXPIRED, LEEWAY, Nodes, Op, Trouble, error_of, header, retry_after, soon, token_of};

use crate::shared_store::outage::DEADLINE;
use crate::shared_store::{assert_refused, both_kinds};

/// The first pause before a write is retried.
pub(crate) const WRITE_AGAIN: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_millis(100);
/// The time after which a lease has ended. A node may have estimated the store's time a second late.
const LEASE: Duration = Duration::from_secs(31);

/// Returns the rotation of the visitor's record, and whether a refusal is recorded in it.
pub(crate) async fn version(nodes: &Nodes) -> (u64, bool) {
    let name = nodes.node(0).store.created().pop().expect("a session");
    let entry = nodes.store.get(&name).await.expect("the store works").entry.expect("a record");
    let header = header(&entry.value).expect("a record that has not ended");
    (header["rotation"].as_u64().expect("a number"), header["refused"] == true)
}

#[tokio::test]
async fn s41_rotated_tokens_are_stored_before_they_are_used() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        let (hold, mut request) = nodes.held_up(0).await;
        nodes.store.go_down();
        let leases = nodes.node(0).store.count(Op::Lease);
        hold.release();
        soon(nodes.node(0).store.asked(Op::Replace, 1)).await;

        // The provider has rotated the token, but the store does not have the new one.
        assert!(request.as_mut().now_or_never().is_none());
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "temporarily_unavailable");
        }

        nodes.store.come_back();
        let new = token_of(&nodes.through(WRITE_AGAIN, request).await).expect("the new token");
        assert!(nodes.osc.is_live(new.access_token()));
        for at in 0..2 {
            assert_eq!(nodes.token(at).await.access_token(), new.access_token());
        }
        assert_eq!((nodes.refreshes(), version(&nodes).await), (1, (2, false)));
        assert_eq!(nodes.node(0).store.count(Op::Lease), leases, "the lease was requested again");
        // The stored refresh token is the valid one.
        nodes.pass(EXPIRED);
        assert!(nodes.osc.is_live(nodes.token(1).await.access_token()));
        assert_eq!(nodes.refreshes(), 2);
    }
}

#[tokio::test]
async fn s41_while_writes_fail_the_other_nodes_wait_and_then_get_the_token() {
    for nodes in both_kinds(2).await {
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        nodes.node(0).store.trouble(Op::Replace, Trouble::Fails);
        let first = nodes.waiting(0);
        soon(nodes.node(0).store.asked(Op::Replace, 1)).await;
        // A second request at the node with the answer waits too.
        let _second = nodes.waiting(0);
        let mut other = nodes.waiting(1);
        soon(nodes.looks(1, 1)).await;
        assert!(other.as_mut().now_or_never().is_none());

        nodes.node(0).store.mend();

        let (first, other) = nodes.through(WRITE_AGAIN, async { (first.await, other.await) }).await;
        let new = token_of(&first).expect("the new token");
        assert_eq!(token_of(&other).expect("the new token").access_token(), new.access_token());
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn s41_requests_keep_a_valid_token_while_writes_fail() {
    let nodes = Nodes::notified(1).await;
    let old = nodes.token(0).await;
    nodes.pass(LEEWAY);
    nodes.node(0).store.trouble(Op::Replace, Trouble::Fails);
    let request = nodes.waiting(0);
    soon(nodes.node(0).store.asked(Op::Replace, 1)).await;
    nodes.node(0).clock.advance(Duration::from_secs(3));
    assert_eq!(token_of(&soon(request).await).expect("a token").access_token(), old.access_token());
    nodes.node(0).store.mend();
    let new = nodes.through(Duration::ZERO..=DEADLINE, old.session().refresh(&old)).await;
    let new = new.expect("the refresh under way");
    assert_ne!(new.access_token(), old.access_token());
    assert_eq!(nodes.refreshes(), 1);
}

#[tokio::test]
async fn s41_a_failed_write_is_retried_and_done_once() {
    for trouble in [Trouble::Fails, Trouble::LosesAnswer, Trouble::Hangs, Trouble::HangsAfter] {
        let hangs = matches!(trouble, Trouble::Hangs | Trouble::HangsAfter);
        let longest = if hangs { DEADLINE } else { DEADLINE - Duration::from_millis(1) };
        // A provider that rotates refresh tokens, and one that keeps them.
        for (times, rotation) in [(1, Rotation::Always), (2, Rotation::Always), (1, Rotation::Never)] {
            let provider = MockOsc::builder().rotation(rotation);
            let nodes: Nodes = Nodes::with(provider, true, 2, |layer| layer).await.sign_in().await;
            nodes.warm_up().await;
            nodes.pass(EXPIRED);
            nodes.node(0).store.trouble_next(Op::Replace, trouble, times);

            let request = nodes.waiting(0);
            soon(nodes.node(0).store.asked(Op::Replace, 1)).await;

            let answer = nodes.through(*WRITE_AGAIN.start()..=longest, request).await;

            let new = token_of(&answer).unwrap_or_else(|| panic!("{trouble:?}, {times}: {answer:?}"));
            assert_eq!(nodes.token(1).await.access_token(), new.access_token());
            assert_eq!(nodes.refreshes(), 1);
            assert_eq!(nodes.node(0).store.count(Op::Replace), times + 1, "{trouble:?}");
            assert_eq!(version(&nodes).await, (2, false), "{trouble:?}: it was written twice");
            nodes.pass(EXPIRED);
            assert!(nodes.osc.is_live(nodes.token(1).await.access_token()), "{trouble:?}");
        }
    }
}

#[tokio::test]
async fn a_refresh_asks_the_store_twice() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    let store = &nodes.node(0).store;
    let others = [Op::Create, Op::Read, Op::Refuse, Op::Touch, Op::End, Op::Release, Op::Once];
    let count = || {
        let of_others: usize = others.into_iter().map(|op| store.count(op)).sum();
        [store.count(Op::Lease), store.count(Op::Replace), of_others]
    };
    let old = nodes.token(0).await;
    let [leases, writes, of_others] = count();

    let new = soon(old.session().refresh(&old)).await.expect("a token");

    assert_ne!(new.access_token(), old.access_token());
    assert_eq!(count(), [leases + 1, writes + 1, of_others], "it takes the lease and writes the tokens");
}

#[tokio::test]
async fn s41_a_write_that_was_overtaken_is_not_repeated() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    nodes.pass(EXPIRED);
    nodes.node(0).store.trouble_next(Op::Replace, Trouble::LosesAnswer, 1);
    let request = nodes.waiting(0);
    nodes.node(0).clock.slept(WRITE_AGAIN, 1).await;
    // The other node reads the token, finds it rejected, and refreshes once the lease has ended.
    let rejected = nodes.token(1).await;
    nodes.store_clock.advance(LEASE);
    let newest = soon(rejected.session().refresh(&rejected)).await.expect("a token");

    let answer = nodes.through(WRITE_AGAIN, request).await;

    assert_eq!(token_of(&answer).expect("a token").access_token(), newest.access_token());
    for at in 0..2 {
        assert_eq!(nodes.token(at).await.access_token(), newest.access_token());
    }
    assert_eq!((nodes.refreshes(), version(&nodes).await), (2, (3, false)));
}

#[tokio::test]
async fn a_lease_that_cannot_be_released_expires() {
    for trouble in [Trouble::Fails, Trouble::LosesAnswer, Trouble::Hangs, Trouble::HangsAfter] {
        let nodes = Nodes::notified(2).await;
        nodes.node(0).store.trouble(Op::Release, trouble);
        for expiry in 1..=3 {
            nodes.pass(EXPIRED);
            let token = nodes.token(0).await;
            assert_eq!(nodes.token(1).await.access_token(), token.access_token());
            assert_eq!(nodes.refreshes(), expiry, "{trouble:?}");
        }
        let rejected = nodes.token(1).await;
        let refreshed = async {
            nodes.store_clock.advance(LEASE);
            rejected.session().refresh(&rejected).await
        };
        assert!(soon(refreshed).await.is_ok(), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_cannot_be_recorded_is_found_again_later() {
    for trouble in [Trouble::Fails, Trouble::LosesAnswer, Trouble::Hangs, Trouble::HangsAfter] {
        let nodes = Nodes::notified(2).await;
        nodes.warm_up().await;
        nodes.pass(EXPIRED);
        nodes.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));
        let (hold, request) = nodes.held_up(0).await;
        nodes.node(0).store.trouble(Op::Refuse, trouble);
        hold.release();
        let answer = nodes.through(DEADLINE..=DEADLINE, request).await;
        if matches!(trouble, Trouble::LosesAnswer | Trouble::HangsAfter) {
            // The node finds it in the store while it releases its lease.
            assert_eq!(error_of(&answer), "session_ended");
        } else {
            assert_eq!(error_of(&answer), "temporarily_unavailable", "{trouble:?}");
            assert!(!answer.headers().contains_key("set-cookie"));
            nodes.pass(retry_after(&answer) + Duration::from_secs(1));
        }
        nodes.node(0).store.mend();

        for at in 0..2 {
            assert_eq!(error_of(&nodes.fetch(at).await), "session_ended", "{trouble:?}, node {at}");
        }
        assert_eq!(version(&nodes).await, (1, true));
    }
}

#[tokio::test]
async fn failed_records_of_use_do_not_disturb_requests() {
    for trouble in [Trouble::Fails, Trouble::LosesAnswer, Trouble::Hangs, Trouble::HangsAfter] {
        let nodes = Nodes::notified(1).await;
        nodes.node(0).store.trouble(Op::Touch, trouble);
        for notes in 1..=5 {
            nodes.pass(Duration::from_secs(60));
            assert!(nodes.at(0).fetch("/").now_or_never().is_some(), "{trouble:?}: it waits");
            soon(nodes.node(0).store.asked(Op::Touch, notes)).await;
        }
        assert_eq!(nodes.node(0).store.count(Op::Touch), 5, "{trouble:?}");
    }
}
