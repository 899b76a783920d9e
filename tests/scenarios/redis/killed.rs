//! Redis goes down and comes back with its data.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::Endpoint;
use osc_auth_layer::SessionErrorKind;
use osc_tests::{Logs, callback, error_of, refusal, soon, token_of};

use super::cluster::{Cluster, open};
use super::{STALENESS, assert_refused, assert_unavailable, field, records, until};

/// Waits until no node accepts the session from its cache.
async fn noticed(cluster: &Cluster) {
    let start = Instant::now();
    for at in 0..cluster.len() {
        until("an outage is noticed", async || {
            // The start of the request counts, because the request itself waits for Redis to come back.
            let asked = start.elapsed();
            let is_refused = token_of(&cluster.fetch(at).await).is_none();
            assert!(is_refused || asked < STALENESS, "{asked:?}");
            is_refused
        })
        .await;
    }
}

async fn back(cluster: &Cluster) {
    for at in 0..cluster.len() {
        until("it works again", async || token_of(&cluster.fetch(at).await).is_some()).await;
    }
}

#[tokio::test]
async fn while_redis_is_down_nobody_gets_in_and_nobody_is_signed_out() {
    let mut cluster = Cluster::durable(2).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    let cookies = cluster.browser.cookies().clone();
    for _ in 0..2 {
        cluster.server.kill();
        noticed(&cluster).await;

        for at in 0..2 {
            let mut browser = cluster.at(at);
            let refused = soon(browser.fetch("/")).await;
            assert_unavailable(&refused);
            assert_eq!(browser.cookies(), &cookies);
            let asked = Instant::now();
            let public = soon(browser.fetch("/public")).await;
            assert_eq!((public.status(), token_of(&public).is_some()), (StatusCode::OK, false));
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
        let error = soon(token.session().token()).await.unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Unavailable);
        let mut stranger = cluster.at(0);
        stranger.forget_cookies("");
        assert_eq!(error_of(&soon(stranger.fetch("/")).await), "unauthenticated", "there is nothing to ask");

        cluster.server.restart().await;
        back(&cluster).await;
        for at in 0..2 {
            assert_eq!(cluster.token(at).await.access_token(), token.access_token());
        }
        soon(token.session().token()).await.expect("a token");
        cluster.warm_up().await;
    }
    assert_eq!(cluster.refreshes(), 0);
}

#[tokio::test]
async fn a_sign_in_that_redis_cannot_store_is_refused() {
    let mut cluster = Cluster::durable(1).await;
    let kept = cluster.token(0).await;
    for is_exchanged in [false, true] {
        let mut browser = cluster.at(0);
        browser.forget_cookies("");
        let exchanges = cluster.osc.count(Endpoint::Token);
        let path = callback(&mut browser, &cluster.osc).await;
        let hold = cluster.osc.hold(Endpoint::Token);
        let mut landing = browser.clone();
        let mut landing = Box::pin(async move { landing.navigate(&path).await });
        if is_exchanged {
            tokio::select! {
                answer = &mut landing => panic!("it does not wait for the provider: {answer:?}"),
                () = soon(hold.arrived(1)) => {}
            }
        }
        cluster.server.kill();
        hold.release();

        assert_eq!(refusal(&soon(landing).await), (503, "store_unavailable".to_owned()));

        assert_eq!(cluster.osc.count(Endpoint::Token) - exchanges, usize::from(is_exchanged));
        cluster.server.restart().await;
        back(&cluster).await;
        until("a session whose cookie nobody has is revoked", async || {
            cluster.osc.live_refresh_tokens() == 1
        })
        .await;
        assert!(cluster.osc.is_live(kept.access_token()));
        assert_eq!(records(&cluster.server).await.len(), 1);
    }
    let mut browser = cluster.at(0);
    assert_eq!(soon(browser.sign_in(&cluster.osc)).await.status(), StatusCode::SEE_OTHER);
    assert!(token_of(&soon(browser.fetch("/")).await).is_some());
}

#[tokio::test]
async fn a_sign_out_in_a_redis_outage_holds_here_now_and_elsewhere_later() {
    let mut cluster = Cluster::durable(2).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;
    cluster.server.kill();
    noticed(&cluster).await;
    cluster.sign_out(0).await;
    assert_refused(&cluster.fetch(0).await, "unauthenticated");

    cluster.server.restart().await;

    until("node 1 is notified", async || error_of_refused(&cluster, 1).await == "unauthenticated").await;
    assert_refused(&cluster.fetch(0).await, "unauthenticated");
    assert_eq!(field(&cluster.server, "ended").await, "signed-out");
    until("its grant is revoked", async || !cluster.osc.is_live(token.access_token())).await;
}

#[tokio::test]
async fn a_connection_closed_while_idle_causes_no_failure() {
    // Without notifications, nothing is sent to Redis while there are no requests.
    let mut cluster = Cluster::polling(1).await;
    for _ in 0..3 {
        closed_while_idle(&cluster).await;
        let token = cluster.token(0).await;

        closed_while_idle(&cluster).await;
        let public = soon(cluster.at(0).fetch("/public")).await;
        assert_eq!(token_of(&public).expect("a token").access_token(), token.access_token());

        closed_while_idle(&cluster).await;
        let newer = soon(token.session().refresh(&token)).await.expect("a token");
        assert!(cluster.osc.is_live(newer.access_token()));

        closed_while_idle(&cluster).await;
        cluster.sign_out(0).await;
        assert_refused(&cluster.fetch(0).await, "unauthenticated");

        closed_while_idle(&cluster).await;
        let path = callback(&mut cluster.browser, &cluster.osc).await;
        closed_while_idle(&cluster).await;
        assert_eq!(soon(cluster.browser.navigate(&path)).await.status(), StatusCode::SEE_OTHER);
    }
}

/// Closes idle connections, as a server with a `timeout` or a device on the way does.
async fn closed_while_idle(cluster: &Cluster) {
    until("all other connections are closed", async || {
        // A request in progress may have opened another connection.
        cluster.node(0).proxy.cut();
        cluster.server.command(&["INFO", "clients"]).await.contains("connected_clients:1\r\n")
    })
    .await;
}

/// Returns the error of a refused request to a node, or `""`.
async fn error_of_refused(cluster: &Cluster, at: usize) -> String {
    let answer = cluster.fetch(at).await;
    if token_of(&answer).is_some() { String::new() } else { error_of(&answer) }
}

/// A failure that keeps Redis from accepting a write.
#[derive(Clone, Copy, Debug)]
enum Outage {
    Killed,
    /// Redis processes the write when it continues, long after the node gave up.
    Frozen,
}

#[tokio::test]
async fn s41_a_token_is_not_used_before_redis_has_it() {
    for outage in [Outage::Killed, Outage::Frozen] {
        let logs = Logs::collect();
        let redis = Cluster::that_keeps_everything().await;
        let mut cluster = Cluster::unhurried(redis, 2, open, Duration::from_secs(1)).await;
        cluster.warm_up().await;
        let old = cluster.token(0).await;
        cluster.pass(osc_tests::EXPIRED);
        let hold = cluster.osc.hold(Endpoint::Token);
        let mut request = cluster.waiting(0);
        tokio::select! {
            _ = &mut request => panic!("it does not wait for the provider"),
            () = soon(hold.arrived(1)) => {}
        }

        match outage {
            Outage::Killed => cluster.server.kill(),
            Outage::Frozen => cluster.server.freeze(),
        }
        hold.release();

        let session = old.session();
        until("the write is tried and tried again", async || {
            assert!((&mut request).now_or_never().is_none(), "answered before the token was stored");
            assert!(session.token().now_or_never().is_none_or(|token| token.is_err()));
            assert!(token_of(&cluster.fetch(1).await).is_none());
            logs.text().matches("did not record a refreshed token").count() >= 2
        })
        .await;
        assert_eq!(cluster.refreshes(), 1);

        match outage {
            Outage::Killed => cluster.server.restart().await,
            Outage::Frozen => cluster.server.thaw(),
        }
        let new = token_of(&soon(request).await).expect("the token that was held back");

        assert_ne!(new.access_token(), old.access_token());
        assert!(cluster.osc.is_live(new.access_token()));
        back(&cluster).await;
        for at in [0, 1] {
            assert_eq!(cluster.token(at).await.access_token(), new.access_token());
        }
        assert_eq!(cluster.refreshes(), 1, "{outage:?}: the session lives on with one grant");
        assert_eq!(field(&cluster.server, "rotation").await, "2");
    }
}
