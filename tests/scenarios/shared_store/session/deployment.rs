//! A rolling deployment: nodes of this version and of a newer one share a session.

use std::time::Duration;

use mock_osc::{Endpoint, Fault};
use osc_auth_layer::store::{SessionStore, Swap, Version};
use osc_auth_layer::test_util::{has_members_of_a_newer_version, write_as_a_newer_version};
use osc_tests::{EXPIRED, Nodes, Op, error_of, soon};

use crate::shared_store::both_kinds;

#[tokio::test]
async fn what_a_newer_version_adds_to_a_record_survives_every_change_of_this_version() {
    for nodes in both_kinds(2).await {
        let cookie = nodes.browser.cookies()["osc_session_3000"].clone();
        nodes.token(1).await;
        write_as_a_newer_version(&nodes.store, &cookie).await;
        assert!(has_members_of_a_newer_version(&nodes.store, &cookie).await);

        for refreshes in 1..4 {
            nodes.pass(EXPIRED);
            assert!(nodes.osc.is_live(nodes.token(refreshes % 2).await.access_token()));
            nodes.settle_leases().await;
            assert_eq!(nodes.refreshes(), refreshes);
            assert!(has_members_of_a_newer_version(&nodes.store, &cookie).await, "refresh {refreshes}");
        }
        // A lease that is taken and released without a refresh.
        nodes.osc.fault(Endpoint::Token, Fault::Status(429)).once();
        nodes.pass(EXPIRED);
        assert_eq!(error_of(&nodes.fetch(0).await), "temporarily_unavailable");
        soon(nodes.node(0).store.asked(Op::Release, 1)).await;
        assert!(has_members_of_a_newer_version(&nodes.store, &cookie).await, "a release");
        // A store that was set back, and is brought forward.
        let snapshot = nodes.store.snapshot();
        nodes.pass(Duration::from_secs(60));
        let token = nodes.token(0).await;
        nodes.settle_leases().await;
        nodes.store.restore(&snapshot);
        let writes = nodes.node(0).store.count(Op::Replace);
        assert_eq!(nodes.token(0).await.access_token(), token.access_token());
        soon(nodes.node(0).store.asked(Op::Replace, writes + 1)).await;
        assert!(has_members_of_a_newer_version(&nodes.store, &cookie).await, "brought forward");
    }
}

#[tokio::test]
async fn a_record_in_a_newer_format_is_an_outage_and_no_sign_out() {
    let nodes = Nodes::polling(2).await;
    let token = nodes.token(0).await;
    let snapshot = nodes.store.snapshot();
    write_in_a_newer_format(&nodes).await;

    for at in 0..2 {
        let answer = nodes.fetch(at).await;
        assert_eq!(error_of(&answer), "temporarily_unavailable");
        assert!(!answer.headers().contains_key("set-cookie"), "{answer:?}");
    }

    nodes.store.restore(&snapshot);
    for at in 0..2 {
        assert_eq!(nodes.token(at).await.access_token(), token.access_token());
    }
}

#[tokio::test]
async fn a_refresh_that_meets_a_record_in_a_newer_format_ends() {
    let nodes = Nodes::polling(1).await;
    nodes.pass(EXPIRED);
    let (hold, request) = nodes.held_up(0).await;
    write_in_a_newer_format(&nodes).await;

    hold.release();

    let answer = soon(request).await;
    assert_eq!(error_of(&answer), "temporarily_unavailable");
    assert!(!answer.headers().contains_key("set-cookie"), "{answer:?}");
}

async fn write_in_a_newer_format(nodes: &Nodes) {
    let name = nodes.node(0).store.created().pop().expect("a session");
    let entry = nodes.store.get(&name).await.expect("the store works").entry.expect("a record");
    let version = Version::from_bytes([9; 16]);
    let value = [&[2], &entry.value[1..]].concat();
    let swap = Swap { expected: Some(entry.version), version, value: &value, expires_in: None, group: None };
    nodes.store.swap(&name, swap).await.expect("the store works");
}
