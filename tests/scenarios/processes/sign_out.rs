//! Sign-out on one node, and how soon the others hear of it. For a session they know, they need not ask
//! Redis.

use std::time::{Duration, Instant};

use http::StatusCode;
use osc_tests::{Browser, Sample, error_of, soon};

use super::{AGAIN, Cluster, LONG, UNTOLD};

/// The layer notices a lost notification within this time.
const PROMISED: Duration = Duration::from_secs(1);
const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn s29_warm_nodes_refuse_a_signed_out_session_within_a_second() {
    is_refused_within_a_second(Cluster::of(Sample::Axum, 3, LONG, &[]).await).await;
}

pub(crate) async fn is_refused_within_a_second(cluster: Cluster) {
    let mut delays = Vec::new();
    for round in 0..ROUNDS {
        let visitor = cluster.visitor().await;
        warm(&cluster, &visitor).await;
        let signed_out = sign_out(&cluster, &visitor, round % 3).await;
        for node in [1, 2, 0] {
            delays.push(refused_after(&cluster, &visitor, (round + node) % 3, signed_out).await);
        }
    }
    delays.sort_unstable();
    let (median, max) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    eprintln!("sign-out: refused by all nodes {median:?} later (median), {max:?} at most");
}

/// Returns the time from an ending to the first request that a node refuses.
async fn refused_after(cluster: &Cluster, visitor: &Browser, node: usize, ended: Instant) -> Duration {
    loop {
        let asked = Instant::now();
        if is_refused(cluster, visitor, node).await {
            return asked - ended;
        }
        assert!(asked - ended < PROMISED, "node {node} served {:?} later", asked - ended);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s85_all_nodes_refuse_all_sessions_of_a_user_who_signed_out_everywhere() {
    ends_all_of_a_user(Cluster::of(Sample::Hyper, 3, LONG, &[]).await).await;
}

pub(crate) async fn ends_all_of_a_user(cluster: Cluster) {
    let [here, there, stranger] =
        [cluster.visitor().await, cluster.visitor().await, cluster.stranger().await];
    for visitor in [&here, &there, &stranger] {
        warm(&cluster, visitor).await;
    }
    sign_out_everywhere(&cluster, &here, 0).await;
    let ended = Instant::now();
    for visitor in [&here, &there] {
        for node in [1, 2, 0] {
            refused_after(&cluster, visitor, node, ended).await;
        }
    }
    // The nodes revoke the grants beside the requests.
    soon(async {
        while cluster.osc.live_refresh_tokens() > 1 {
            tokio::time::sleep(AGAIN).await;
        }
    })
    .await;
    cluster.assert_alive(&[stranger]).await;
}

#[tokio::test]
async fn s29_nodes_without_notifications_refuse_a_signed_out_session_at_once() {
    let cluster = Cluster::of(Sample::Hyper, 3, LONG, &UNTOLD).await;
    for round in 0..ROUNDS {
        let visitor = cluster.visitor().await;
        for node in 0..3 {
            cluster.expires_at(&visitor, node).await;
        }
        sign_out(&cluster, &visitor, round % 3).await;
        for node in [1, 2, 0] {
            assert!(is_refused(&cluster, &visitor, (round + node) % 3).await, "round {round}");
        }
    }
}

/// Makes the nodes answer from their caches.
async fn warm(cluster: &Cluster, visitor: &Browser) {
    soon(async {
        loop {
            let before = cluster.questions().await;
            for node in 0..cluster.nodes.len() {
                cluster.expires_at(visitor, node).await;
            }
            if cluster.questions().await == before {
                break;
            }
        }
    })
    .await;
}

async fn sign_out(cluster: &Cluster, visitor: &Browser, node: usize) -> Instant {
    post(cluster, visitor, node, "/auth/signout").await;
    Instant::now()
}

async fn post(cluster: &Cluster, visitor: &Browser, node: usize, path: &str) {
    let mut browser = visitor.clone();
    browser.switch_app(cluster.nodes[node].app());
    let answer = soon(browser.post_from("same-origin", path)).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
}

/// Submits the form of the account page. It carries the user for whom the page was made.
async fn sign_out_everywhere(cluster: &Cluster, visitor: &Browser, node: usize) {
    let mut browser = visitor.clone();
    browser.switch_app(cluster.nodes[node].app());
    let page = soon(browser.navigate("/account")).await;
    let page = String::from_utf8_lossy(page.body());
    let (_, user) = page.split_once("name=\"osc_user\" value=\"").expect("a form with its user");
    let (user, _) = user.split_once('"').expect("a whole value");
    let answer = soon(browser.submit("/account/end-all", &[("osc_user", user)])).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
}

async fn is_refused(cluster: &Cluster, visitor: &Browser, node: usize) -> bool {
    let answer = cluster.fetch(visitor, node, "/api/session").await;
    if answer.status() == StatusCode::OK {
        return false;
    }
    assert_eq!(error_of(&answer), "unauthenticated", "{answer:?}");
    true
}
