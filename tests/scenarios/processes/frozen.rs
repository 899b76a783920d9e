//! A node that is frozen or cut off for longer than its lease.

use std::time::Duration;

use futures_util::future::join;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Proxy, Sample, error_of, soon};

use super::{AGAIN, Cluster, LONG, SHORT, after_the_lease, assert_same_token, expired, expiry_of};

#[tokio::test]
async fn s51_a_node_frozen_beyond_its_lease_reuses_no_refresh_token() {
    let mut cluster = Cluster::of(Sample::Axum, 3, SHORT, &[]).await;
    let [visitor] = cluster.overdue().await;
    cluster.osc.fault(Endpoint::Token, Fault::HangUp).once();
    let hold = cluster.osc.hold(Endpoint::Token);
    let request = cluster.under_way(&visitor, 0);
    soon(hold.arrived(1)).await;
    cluster.nodes[0].freeze();
    hold.release();
    let (one, other) =
        join(after_the_lease(&cluster, &visitor, 1), after_the_lease(&cluster, &visitor, 2)).await;
    let taken_over = expiry_of(&one).expect("served");
    assert_same_token(expiry_of(&other).expect("served"), taken_over, "the other node");
    assert_eq!(cluster.refreshes(), 2, "the lost request and one retry");

    // The woken node finds that its answer was lost and would retry. It ends after that.
    cluster.nodes[0].thaw();
    cluster.nodes[0].terminate();
    assert_eq!(cluster.nodes[0].ended().await, Some(0));
    soon(request).await.expect("no panic").expect("an answer, whichever");
    assert_eq!(cluster.refreshes(), 2);
    cluster.nodes[0].restart().await;
    assert_same_token(cluster.expires_at(&visitor, 0).await, taken_over, "the woken node");
    cluster.assert_alive(&[visitor]).await;
}

#[tokio::test]
async fn s51_a_woken_node_overwrites_no_newer_tokens() {
    // Without the grace period, the second use of the same refresh token would end the session.
    let osc = MockOsc::builder().token_ttl(SHORT).refresh_grace(LONG);
    let mut cluster = Cluster::with(Sample::Axum, 3, osc, &[]).await;
    let proxy = Proxy::to(cluster.place.redis().addr()).await;
    let setup = cluster.setup.clone().with("SESSION_STORE", &cluster.place.redis().url_at(proxy.addr()));
    cluster.nodes[0] = setup.start().await;
    let [mut visitor] = cluster.overdue().await;
    cluster.osc.set_token_ttl(SHORT);
    let hold = cluster.osc.hold(Endpoint::Token);
    let request = cluster.under_way(&visitor, 0);
    soon(hold.arrived(1)).await;
    proxy.black_hole();
    hold.release();
    cluster.nodes[0].wrote("did not record a refreshed token").await;
    cluster.nodes[0].freeze();

    let same_tokens = expiry_of(&after_the_lease(&cluster, &visitor, 1).await).expect("served");
    expired(same_tokens).await;
    cluster.osc.set_token_ttl(LONG);
    let newer = cluster.expires_at(&visitor, 1).await;
    assert!(newer > same_tokens);
    assert_eq!(cluster.refreshes(), 3);
    let newest = cluster.osc.issued_tokens().pop().expect("a refresh token");

    cluster.nodes[0].thaw();
    proxy.resume().await;
    soon(request).await.expect("no panic").expect("an answer, whichever");
    cluster.served(&visitor, 0).await;
    assert_same_token(cluster.expires_at(&visitor, 0).await, newer, "the woken node");
    // The node finishes its work before it ends. The next process knows only what is stored.
    cluster.nodes[0].terminate();
    assert_eq!(cluster.nodes[0].ended().await, Some(0));
    cluster.nodes[0].restart().await;
    for node in 0..3 {
        assert_same_token(cluster.expires_at(&visitor, node).await, newer, node);
    }
    cluster.assert_alive(std::slice::from_ref(&visitor)).await;

    visitor.switch_app(cluster.nodes[0].app());
    soon(visitor.post_from("same-origin", "/auth/signout")).await;
    soon(cluster.osc.wait_for_requests(Endpoint::Revoke, 1)).await;
    assert_eq!(cluster.osc.requests(Endpoint::Revoke)[0].field("token"), Some(newest.as_str()));
    assert_eq!(cluster.refreshes(), 3);
}

#[tokio::test]
async fn a_lease_with_a_lost_answer_blocks_no_other_node() {
    let mut cluster = Cluster::of(Sample::Axum, 2, SHORT, &[]).await;
    let proxy = Proxy::to(cluster.place.redis().addr()).await;
    let setup = cluster.setup.clone().with("SESSION_STORE", &cluster.place.redis().url_at(proxy.addr()));
    cluster.nodes[0] = setup.start().await;
    let [first, second] = cluster.overdue().await;
    // Redis knows the scripts from here on, so each question is one command.
    cluster.expires_at(&first, 1).await;

    let mut monitor = cluster.place.redis().monitor().await;
    proxy.delay(Duration::from_millis(300));
    let request = cluster.under_way(&second, 0);
    soon(async {
        while !monitor.commands().await.iter().any(|command| command.contains("owner")) {
            tokio::time::sleep(AGAIN).await;
        }
    })
    .await;
    proxy.swallow_answers();
    let refused = soon(request).await.expect("no panic").expect("an answer");
    assert_eq!(error_of(&refused), "temporarily_unavailable");
    proxy.resume().await;

    // A request waits for a shorter time than a lease lasts.
    let served = cluster.fetch(&second, 1, "/api/session").await;
    assert_eq!((served.status(), cluster.refreshes()), (StatusCode::OK, 2), "{served:?}");
    cluster.assert_alive(&[first, second]).await;
}
