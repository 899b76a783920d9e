//! The refresh storm: one session gets many requests when its access token has expired.

use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::sleep;
use tower_sessions_14::MemoryStore;

use crate::browser::{Browser, text};
use crate::peers::{oidc, oidc_client, ours};
use crate::provider::Provider;

const REQUESTS: usize = 200;
/// Longer than a storm takes on a busy machine, so that the new token does not expire during the storm.
const LIFETIME: Duration = Duration::from_secs(5);
const LATENCY: Duration = Duration::from_millis(50);

pub(crate) async fn run() {
    let provider = Provider::start(LIFETIME, LATENCY).await;
    println!("| contender | requests | refused | grants | session afterwards |\n|---|---|---|---|---|");
    let apps = [
        ("osc-auth-layer", "/auth/signin", ours::layer(ours::auth(&provider))),
        ("axum-oidc-client 0.7", oidc_client::SIGN_IN, oidc_client::router(&provider).await),
        ("axum-oidc 0.6", oidc::SIGN_IN, oidc::router(&provider, MemoryStore::default()).await),
    ];
    for (name, sign_in, app) in apps {
        let (refused, grants, afterwards) = storm(&provider, app, sign_in).await;
        println!("| {name} | {REQUESTS} | {refused} | {grants} | {afterwards} |");
    }
}

async fn storm(provider: &Provider, app: Router, sign_in: &str) -> (String, usize, String) {
    let mut browser = Browser::new(app);
    browser.sign_in(provider, sign_in).await;
    let answer = browser.get("/token").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(provider.honours(&text(answer).await));

    sleep(LIFETIME + Duration::from_millis(500)).await;
    provider.take_refreshes();
    let requests = (0..REQUESTS).map(|_| {
        let mut browser = browser.clone();
        tokio::spawn(async move { browser.get("/token").await.status() })
    });
    let answers = join_all(requests.collect::<Vec<_>>()).await;
    let statuses: Vec<_> =
        answers.into_iter().map(|answer| answer.expect("a request does not panic")).collect();
    let grants = provider.take_refreshes();
    (refusals(&statuses), grants, afterwards(provider, &mut browser).await)
}

/// Describes how many requests were refused, and with which status.
fn refusals(statuses: &[StatusCode]) -> String {
    let refused: Vec<_> = statuses.iter().filter(|status| **status != StatusCode::OK).collect();
    let mut kinds: Vec<_> = refused.iter().map(|status| status.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { "0".to_owned() } else { format!("{} ({})", refused.len(), kinds.join(", ")) }
}

/// Describes the answer to one more request.
async fn afterwards(provider: &Provider, browser: &mut Browser) -> String {
    let answer = browser.get("/token").await;
    match answer.status() {
        StatusCode::OK if provider.honours(&text(answer).await) => "alive".to_owned(),
        StatusCode::OK => "dead: 200 with a token that the provider has revoked".to_owned(),
        status => format!("dead: {}", status.as_u16()),
    }
}
