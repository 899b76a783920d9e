//! No token reaches the browser, even if the app uses the client, and even if the provider or the platform
//! repeats what it received.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use mock_osc::{Endpoint, Fault, MockOsc, Recorded};
use osc_auth_layer::{ContextError, OscContext, OscToken};
use osc_tests::{ADSERVER, Browser, QuickClock, boxed, callback, holds, layer_for, path_of, refusal};
use serde_json::json;

async fn list(osc: OscContext) -> Result<String, ContextError> {
    Ok(json!(osc.service(ADSERVER).list_instances().await?).to_string())
}

async fn balance(osc: OscContext) -> Result<String, ContextError> {
    Ok(json!({ "tokens": osc.token_balance().await? }).to_string())
}

/// Returns the token of the last request to an endpoint.
fn sent(osc: &MockOsc, endpoint: Endpoint) -> String {
    let bearer = |request: &Recorded| {
        let value = ["x-pat-jwt", "x-jwt"].iter().find_map(|name| request.header(name))?;
        Some(value.strip_prefix("Bearer ")?.to_owned())
    };
    osc.requests(endpoint).last().and_then(bearer).expect("a token")
}

/// Returns the start, the middle and the end of a token. A short token is returned whole.
fn pieces(token: &str) -> Vec<&[u8]> {
    const LENGTH: usize = 24;
    let (bytes, end) = (token.as_bytes(), token.len());
    if end < 3 * LENGTH {
        return vec![bytes];
    }
    [0, (end - LENGTH) / 2, end - LENGTH].map(|at| &bytes[at..at + LENGTH]).to_vec()
}

#[tokio::test]
async fn s24_no_token_is_in_any_body_url_header_or_cookie() {
    let osc = MockOsc::builder().par(true).start().await.unwrap();
    let clock = QuickClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).public_prefix("/open").build().unwrap();
    let routes = Router::new()
        .route("/", get(|_: OscToken| async { "signed in" }))
        .route("/open", get(|_: OscToken| async { "signed in" }))
        .route("/list", get(list))
        .route("/balance", get(balance));
    let mut browser = Browser::new(boxed(routes.layer(layer.clone())));
    let hour = Duration::from_secs(3600);

    // A sign-in, its replay, a declined one, and one whose refusal repeats the request.
    browser.fetch("/open").await;
    let path = callback(&mut browser, &osc).await;
    browser.navigate(&path).await;
    browser.navigate(&path).await;
    let declined = osc.deny(&browser.begin_sign_in("/auth/signin?return_to=/list").await).await.unwrap();
    browser.navigate(path_of(&declined)).await;
    let mut other = browser.clone();
    let refused = callback(&mut other, &osc).await;
    osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant").after_processing()).once();
    other.navigate(&refused).await;

    // The platform first works, and then refuses with text that repeats the token.
    for endpoint in [Endpoint::Money, Endpoint::Catalog, Endpoint::ServiceToken, Endpoint::Instances] {
        let path = if endpoint == Endpoint::Money { "/balance" } else { "/list" };
        // After a 401 the layer gets new tokens, so the current one is read each time.
        let (works, used) = match endpoint {
            Endpoint::Instances => ("/list", Endpoint::Instances),
            _ => ("/balance", Endpoint::Money),
        };
        for status in [400, 401, 403, 404, 409, 500, 503] {
            assert_eq!(browser.fetch(works).await.status(), 200);
            let token = sent(&osc, used);
            let body = json!({ "reason": format!("{token} is bad") }).to_string();
            osc.fault(endpoint, Fault::Answer(status, "application/json", body));
            assert!(!browser.fetch(path).await.status().is_success(), "{endpoint:?} {status}");
            osc.clear_faults();
        }
    }

    // A refresh, an outage, and an end whose text repeats the request. Each answer is checked as JSON and as
    // a page.
    clock.advance(hour);
    assert_eq!(browser.fetch("/").await.status(), 200);
    clock.advance(hour);
    osc.fault(Endpoint::Token, Fault::Status(500));
    assert_eq!(refusal(&browser.fetch("/").await), (503, "temporarily_unavailable".to_owned()));
    browser.navigate("/").await;
    osc.clear_faults();
    let spent = osc.requests(Endpoint::Token).pop().unwrap().body;
    let error = json!({ "error": "invalid_grant", "error_description": spent }).to_string();
    osc.fault(Endpoint::Token, Fault::Answer(400, "application/json", error));
    clock.advance(hour);
    let mut tab = browser.clone();
    assert_eq!(refusal(&browser.fetch("/").await), (401, "session_ended".to_owned()));
    tab.navigate("/").await;
    osc.clear_faults();
    browser.sign_in(&osc).await;
    assert_eq!(browser.fetch("/list").await.status(), 200);
    browser.post_from("cross-site", "/auth/signout").await;
    browser.post_from("same-origin", "/auth/signout").await;
    browser.fetch("/list").await;

    let tokens: BTreeSet<String> = osc.issued_tokens().into_iter().collect();
    let used: Vec<_> = [Endpoint::Money, Endpoint::Instances].map(|endpoint| sent(&osc, endpoint)).into();
    assert!(tokens.len() >= 10 && used.iter().all(|token| tokens.contains(token)), "{}", tokens.len());
    let seen = [&browser, &other, &tab].map(|browser| browser.seen()).concat();
    for token in &tokens {
        for piece in pieces(token) {
            let text = String::from_utf8_lossy(piece);
            assert!(!holds(seen.as_bytes(), piece), "{text} of {token} was sent: {seen}");
        }
    }
}
