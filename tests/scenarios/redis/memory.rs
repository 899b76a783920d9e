//! A full Redis.

use http::StatusCode;
use osc_tests::{EXPIRED, Logs, callback, refusal, soon, token_of};

use super::cluster::Cluster;
use super::{assert_refused, until};

async fn limit(cluster: &Cluster, bytes: &str) {
    cluster.server.command(&["CONFIG", "SET", "maxmemory", bytes]).await;
}

#[tokio::test]
async fn while_redis_is_full_sessions_refreshes_and_sign_out_work_but_not_sign_in() {
    let logs = Logs::collect();
    let mut cluster = Cluster::notified(2).await;
    cluster.warm_up().await;
    let leaving = cluster.browser.clone();
    cluster.browser.forget_cookies("");
    soon(cluster.browser.sign_in(&cluster.osc)).await;
    cluster.warm_up().await;
    let token = cluster.token(0).await;

    limit(&cluster, "1").await;

    for _ in 0..50 {
        for at in 0..2 {
            assert_eq!(cluster.token(at).await.access_token(), token.access_token());
        }
    }
    let mut left = cluster.send(&leaving, 0);
    assert_eq!(soon(left.post_from("same-origin", "/auth/signout")).await.status(), StatusCode::SEE_OTHER);
    for at in [0, 1] {
        until("the sign-out is seen", async || {
            token_of(&soon(cluster.send(&leaving, at).fetch("/")).await).is_none()
        })
        .await;
        assert_refused(&soon(cluster.send(&leaving, at).fetch("/")).await, "unauthenticated");
    }
    let mut stranger = cluster.at(0);
    stranger.forget_cookies("");
    let path = callback(&mut stranger, &cluster.osc).await;
    assert_eq!(refusal(&soon(stranger.navigate(&path)).await), (503, "store_unavailable".to_owned()));
    cluster.pass(EXPIRED);
    for at in 0..2 {
        until("a refresh overwrites the old record", async || token_of(&cluster.fetch(at).await).is_some())
            .await;
    }
    assert_eq!(cluster.refreshes(), 1);
    let text = logs.text();
    let told = text.lines().filter(|line| line.contains("ERROR") && line.contains("out of memory (OOM)"));
    assert!((1..=4).contains(&told.count()), "{text}");

    limit(&cluster, "0").await;

    assert_eq!(soon(stranger.sign_in(&cluster.osc)).await.status(), StatusCode::SEE_OTHER);
    cluster.warm_up().await;
}
