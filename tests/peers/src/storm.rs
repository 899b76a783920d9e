//! The refresh storm: one session gets many requests when its access token has expired.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::sleep;

use crate::apache::{self, Apache};
use crate::browser::{App, Browser, text};
use crate::peers::{oidc, oidc_1, oidc_client, ours};
use crate::provider::Provider;

const REQUESTS: usize = 200;
/// Longer than a storm takes on a busy machine, so that the new token does not expire during the storm.
const LIFETIME: Duration = Duration::from_secs(5);
const LATENCY: Duration = Duration::from_millis(50);

pub(crate) async fn run() {
    let provider = Provider::start(LIFETIME, LATENCY).await;
    let with_userinfo = Provider::with_userinfo(LIFETIME, LATENCY).await;
    let apache = Apache::start(provider.issuer()).await;
    println!(
        "| contender | requests | refused | 200 with an invalid token | grants | session afterwards |\n\
         |---|---|---|---|---|---|"
    );
    let layer = ours::layer(ours::auth(provider.issuer()));
    let client = oidc_client::router(provider.issuer()).await;
    let old = oidc::router(provider.issuer(), tower_sessions_14::MemoryStore::default()).await;
    let new = oidc_1::router(with_userinfo.issuer(), tower_sessions::MemoryStore::default()).await;
    let mut apps = vec![
        ("osc-auth-layer", ours::SIGN_IN, &provider, App::Here(layer)),
        ("axum-oidc-client 0.7", oidc_client::SIGN_IN, &provider, App::Here(client)),
        ("axum-oidc 0.6", oidc::SIGN_IN, &provider, App::Here(old)),
        ("axum-oidc 1.0.0-dev-2", oidc_1::SIGN_IN, &with_userinfo, App::Here(new)),
    ];
    if let Some(apache) = &apache {
        apps.push((apache::NAME, apache::SIGN_IN, &provider, App::at(apache.process.port)));
    }
    for (name, sign_in, provider, app) in apps {
        let (refused, invalid, grants, afterwards) = storm(provider, app, sign_in).await;
        println!("| {name} | {REQUESTS} | {refused} | {invalid} | {grants} | {afterwards} |");
    }
    if apache.is_none() {
        println!("| mod_auth_openidc | not installed | | | | |");
    }
}

async fn storm(provider: &Provider, app: App, sign_in: &str) -> (String, usize, usize, String) {
    let mut browser = Browser::new(app);
    browser.sign_in(provider, sign_in).await;
    let answer = browser.get("/token").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(provider.honours(text(&answer)));

    sleep(LIFETIME + Duration::from_millis(500)).await;
    provider.take_refreshes();
    let requests = (0..REQUESTS).map(|_| {
        let (mut browser, provider) = (browser.clone(), provider.clone());
        tokio::spawn(async move {
            let answer = browser.get("/token").await;
            let status = answer.status();
            (status, status == StatusCode::OK && !provider.honours(text(&answer)))
        })
    });
    let answers = join_all(requests.collect::<Vec<_>>()).await;
    let answers: Vec<_> =
        answers.into_iter().map(|answer| answer.expect("a request does not panic")).collect();
    let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    let invalid = answers.iter().filter(|(_, invalid)| *invalid).count();
    let grants = provider.take_refreshes();
    (refusals(&statuses), invalid, grants, afterwards(provider, &mut browser).await)
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
        StatusCode::OK if provider.honours(text(&answer)) => "alive".to_owned(),
        StatusCode::OK => "dead: 200 with an invalid token".to_owned(),
        status => format!("dead: {}", status.as_u16()),
    }
}
