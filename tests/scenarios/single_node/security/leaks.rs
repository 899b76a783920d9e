//! Secrets must not appear in logs, spans, `Debug` output, or anything the browser gets.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::store::RedisStore;
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{ContextError, OAuthClient, OscAuthLayer, OscContext, OscSession, OscToken};
use osc_tests::{
    ADSERVER, Answer, Body, Browser, Logs, QuickClock, app, assert_own, boxed, callback, echo, layer,
    layer_for, location, parameter, path_of, refusal, token_of,
};
use tower::Layer;

/// Returns every secret of the sign-ins so far: from the provider, the cookies and the requests.
fn secrets(osc: &MockOsc, browsers: &[&Browser]) -> Vec<String> {
    let mut secrets = osc.issued_tokens();
    secrets.push(osc.client_secret());
    for request in osc.requests(Endpoint::Token) {
        let fields = ["code", "code_verifier", "refresh_token", "client_secret"];
        secrets.extend(fields.iter().filter_map(|name| request.field(name)).map(str::to_owned));
    }
    for browser in browsers {
        for line in browser.seen().lines() {
            for cookie in line.split("\"set-cookie\": \"").skip(1) {
                let value = cookie.split_once('=').expect("a pair").1.split(';').next().unwrap_or_default();
                secrets.push(value.to_owned());
            }
            for state in line.split("state=").skip(1) {
                let end = state.find(['&', '"']).unwrap_or(state.len());
                secrets.push(state[..end].to_owned());
            }
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_unstable();
    secrets.dedup();
    secrets
}

#[tokio::test]
async fn s24_s33_nothing_secret_is_logged_or_sent_to_the_browser() {
    let logs = Logs::collect();
    // Without the grace period, a lost answer would end the session too early.
    let osc = MockOsc::builder().refresh_grace(Duration::from_secs(60)).start().await.unwrap();
    let clock = QuickClock::new();
    let layer = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::new(app(&layer));
    let mut seen_debug = String::new();

    // A whole sign-in, its replay, a declined one, and one whose code is refused.
    let path = callback(&mut browser, &osc).await;
    browser.navigate(&path).await;
    browser.navigate(&path).await;
    let declined = osc.deny(&browser.begin_sign_in("/auth/signin").await).await.unwrap();
    browser.navigate(path_of(&declined)).await;
    let refused = callback(&mut browser, &osc).await;
    osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant")).once();
    browser.navigate(&refused).await;
    // A refresh that succeeds, refreshes that fail in every way, and one that is refused.
    clock.advance(Duration::from_secs(3600));
    let token = token_of(&browser.fetch("/").await).expect("refreshed");
    seen_debug.push_str(&format!("{token:?} {:?} {:?} {layer:?}", token.session(), token.bearer()));
    for fault in [
        Fault::Html,
        Fault::WrongTypes,
        Fault::MalformedJson,
        Fault::HangUp,
        Fault::HalfAnswer,
        Fault::Status(500),
        Fault::OAuth("invalid_client"),
    ] {
        osc.fault(Endpoint::Token, fault).times(2);
        clock.advance(Duration::from_secs(3600));
        browser.fetch("/").await;
        browser.navigate("/").await;
        osc.clear_faults();
        clock.advance(Duration::from_secs(600));
        let answer = browser.fetch("/").await;
        seen_debug.push_str(&format!("{:?}", answer.extensions()));
    }
    // A provider that repeats the request in its error.
    assert!(token_of(&browser.fetch("/").await).is_some(), "the session is lost, and nothing more is shown");
    let refresh_token = osc.issued_tokens().pop().expect("a refresh token");
    for echoed in [refresh_token, osc.client_secret()] {
        let error = serde_json::json!({"error": "invalid_scope", "error_description": echoed});
        osc.fault(Endpoint::Token, Fault::Answer(400, "application/json", error.to_string())).once();
        clock.advance(Duration::from_secs(3600));
        browser.navigate("/").await;
    }
    osc.clear_faults();
    // Another sign-in and sign-out, with the provider up and with the provider down.
    let mut other = Browser::new(app(&layer));
    other.sign_in(&osc).await;
    other.post_from("cross-site", "/auth/signout").await;
    other.post_from("same-origin", "/auth/signout").await;
    other.sign_in(&osc).await;
    osc.stop_listening().await;
    other.post_from("same-origin", "/auth/signout").await;
    other.navigate("/auth/signin").await;
    layer.shutdown(Duration::from_secs(5)).await.expect("nothing is under way");

    let text = logs.text();
    for sign in
        ["signed in", "refreshed", "it repeats a secret", "token endpoint returned an error", "signed out"]
    {
        assert!(text.contains(sign), "the log lacks {sign:?}: {text}");
    }
    let all = secrets(&osc, &[&browser, &other]);
    assert!(all.len() > 25, "{all:?}");
    for secret in &all {
        assert!(!text.contains(secret.as_str()), "{secret} was logged: {text}");
        assert!(!seen_debug.contains(secret.as_str()), "{secret} is shown by Debug: {seen_debug}");
    }
    let mut tokens = osc.issued_tokens();
    tokens.push(osc.client_secret());
    for token in tokens {
        assert!(!browser.seen().contains(&token) && !other.seen().contains(&token), "{token} was sent");
    }
}

#[tokio::test]
async fn s32_no_answer_of_the_layer_is_cached() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer_for(&osc).redirect_to_signin().build().unwrap();
    let mut browser = Browser::new(app(&layer));
    let mut answers = vec![browser.fetch("/").await, browser.navigate("/").await];
    answers.push(browser.navigate("/auth/signin").await);
    let approved = osc.approve(&location(&answers[2])).await.unwrap();
    for path in [path_of(&approved), path_of(&approved), "/auth/signin?a=%", "/auth/callback?code=a&code=b"] {
        answers.push(browser.navigate(path).await);
    }
    answers.push(browser.post_from("cross-site", "/auth/signout").await);
    answers.push(browser.post_from("same-origin", "/auth/signin").await);
    answers.push(browser.post_from("same-origin", "/auth/signout").await);
    answers.push(browser.clone().at("elsewhere:1").navigate("/auth/signin").await);
    for answer in &answers {
        // This checks `Cache-Control`, among other headers.
        assert_own(answer);
    }
    // The app decides about its own answers. The layer only keeps them from other visitors.
    browser.sign_in(&osc).await;
    assert_eq!(browser.fetch("/").await.headers()["cache-control"], "private");
}

#[tokio::test]
async fn s64_the_callbacks_url_with_its_code_leaks_nowhere() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer_for(&osc).build().unwrap()));
    let (taken, refused) = (callback(&mut browser, &osc).await, callback(&mut browser, &osc).await);
    let foreign = callback(&mut browser, &osc).await;
    let declined = osc.deny(&browser.begin_sign_in("/auth/signin").await).await.unwrap();
    let mut answers = vec![
        browser.clone().navigate(&format!("{taken}&code=twice")).await,
        browser.fetch(&format!("{foreign}&iss=https://evil.example")).await,
        browser.navigate(&taken).await,
        browser.navigate(&taken).await,
        browser.navigate(path_of(&declined)).await,
    ];
    osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant")).once();
    answers.push(browser.navigate(&refused).await);
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses, [400, 400, 303, 303, 401, 401]);
    let secrets =
        [&taken, &foreign, &refused].map(|path| [parameter(path, "code"), parameter(path, "state")]);
    let secrets = secrets.concat();
    for answer in &answers {
        assert_own(answer);
        // RFC 9700 §4.2.4: neither the page nor the target of the redirect may learn the callback's URL.
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer", "{answer:?}");
        let text = format!("{:?} {}", answer.headers(), String::from_utf8_lossy(answer.body()));
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[tokio::test]
async fn s33_a_refused_state_or_code_is_not_logged() {
    let logs = Logs::collect();
    let osc = MockOsc::builder().iss(true).start().await.unwrap();
    let mut browser = Browser::new(app(&layer_for(&osc).build().unwrap()));
    let path = callback(&mut browser, &osc).await;
    let (code, state) = (parameter(&path, "code"), parameter(&path, "state"));
    let mut stranger = browser.clone();
    stranger.forget_cookies("");
    stranger.navigate(&path).await;
    browser.clone().navigate(&format!("{path}&code=twice")).await;
    browser.navigate(&path.replace("iss=http", "iss=https")).await;
    let text = logs.text();
    assert!(text.contains("another issuer"), "{text}");
    assert!(!text.contains(&code) && !text.contains(&state), "{text}");
}

#[tokio::test]
async fn s32_no_error_answer_is_cached() {
    let clock = QuickClock::new();
    let layer_with = |osc: &MockOsc| layer_for(osc).clock(clock.clone()).build().unwrap();
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer_with(&osc)));
    let mut errors = Vec::new();
    let mut keep = |answer: Answer| errors.push(refusal(&answer).1);

    // Every error that a visitor can meet. `refusal` checks `Cache-Control`.
    let declined = osc.deny(&browser.begin_sign_in("/auth/signin").await).await.unwrap();
    keep(browser.navigate(path_of(&declined)).await);
    let path = callback(&mut browser, &osc).await;
    keep(browser.navigate(&path.replace("code=", "code=x")).await);
    keep(browser.navigate(&path).await);
    for (fault, endpoint) in
        [(Fault::Status(503), Endpoint::Token), (Fault::OAuth("invalid_client"), Endpoint::Token)]
    {
        let path = callback(&mut browser, &osc).await;
        osc.fault(endpoint, fault).once();
        keep(browser.navigate(&path).await);
    }
    browser.sign_in(&osc).await;
    clock.advance(Duration::from_secs(3600));
    osc.fault(Endpoint::Token, Fault::Status(429)).once();
    for answer in [browser.fetch("/").await, browser.navigate("/").await] {
        keep(answer);
    }
    clock.advance(Duration::from_secs(60));
    osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));
    for mut tab in [browser.clone(), browser.clone()] {
        keep(tab.fetch("/").await);
        keep(tab.navigate("/").await);
    }
    assert_eq!(
        errors,
        [
            "access_denied",
            "sign_in_failed",
            "invalid_state",
            "provider_unavailable",
            "misconfigured",
            "temporarily_unavailable",
            "temporarily_unavailable",
            "session_ended",
            "unauthenticated",
            "session_ended",
            "unauthenticated",
        ]
    );
}

#[tokio::test]
async fn s32_no_answer_of_extractors_or_auth_routes_is_cached() {
    async fn list(osc: OscContext) -> Result<String, ContextError> {
        Ok(format!("{:?}", osc.service(ADSERVER).list_instances().await?))
    }
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let protected = Router::new()
        .route("/public", get(async |_: OscToken| "signed in"))
        .route("/list", get(list))
        .route_layer(layer.clone());
    let unprotected = Router::new().route("/forgotten", get(async |_: OscSession| "signed in"));
    let mut browser = Browser::new(boxed(protected.merge(layer.routes()).merge(unprotected)));
    let mut answers = Vec::new();
    for path in ["/public", "/forgotten", "/list", "/auth/signin", "/auth/callback?state=x", "/auth/signout"]
    {
        answers.push(browser.navigate(path).await);
    }
    let path = callback(&mut browser, &osc).await;
    answers.push(browser.navigate(&path).await);
    for status in [401, 404, 503] {
        osc.fault(Endpoint::Catalog, Fault::Status(status)).times(2);
        answers.push(browser.fetch("/list").await);
        assert!(!answers.last().unwrap().status().is_success());
        osc.clear_faults();
    }
    answers.push(browser.post_from("same-origin", "/auth/signout").await);
    for answer in answers {
        assert_eq!(answer.headers().get("cache-control").expect("Cache-Control"), "no-store", "{answer:?}");
    }
}

#[tokio::test]
async fn s33_debug_output_of_public_types_shows_no_secret() {
    const SECRET: &str = "a-secret-of-thirty-two-characters-or-more";
    const KEY: &[u8; 36] = b"the-cookie-key-that-all-of-them-have";
    let osc = MockOsc::builder().client("app", Some(SECRET), &["http://localhost:3000/auth/callback"]);
    let osc = osc.start().await.unwrap();
    let client = OAuthClient::confidential("app", SECRET);
    let builder = || {
        let builder = OscAuthLayer::builder(client.clone()).issuer(osc.issuer()).platform(osc.platform());
        builder.public_url("http://localhost:3000").cookie_key(*KEY)
    };
    let short = builder().cookie_key("too-short-a-key").build().unwrap_err();
    let store = RedisStore::from_url("redis://user:pass-of-redis@127.0.0.1:1/0").unwrap();
    let mut shown = format!("{client:?} {:#?} {short} {short:?} {store:?}", builder());
    let test_token = TestToken::new("an-access-token").refresh_token("a-refresh-token");
    shown.push_str(&format!("{test_token:?} "));

    let layer = builder().build().unwrap();
    let service = layer.layer(tower::service_fn(echo::<Body>));
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    let token = token_of(&browser.fetch("/").await).unwrap();
    let (session, context) = (token.session(), token.context());
    let adserver = context.service(ADSERVER);
    let service_token = adserver.access_token().await.unwrap();
    shown.push_str(&format!("{layer:#?} {service:?} {token:#?} {session:?} {context:?} "));
    shown.push_str(&format!("{service_token:#?} {:?} {:?} ", token.bearer(), service_token.bearer()));
    osc.revoke_grants();
    let refused = session.refresh(&token).await.unwrap_err();
    let ended = adserver.list_instances().await.unwrap_err();
    shown.push_str(&format!("{refused:?} {ended:?}"));

    for part in ["OscToken", "OscSession", "OscContext", "ServiceAccessToken", "TestToken", "RedisStore"] {
        assert!(shown.contains(part), "{part} is not shown: {shown}");
    }
    let mut secrets = osc.issued_tokens();
    assert!(secrets.len() >= 3 && secrets.iter().any(|secret| secret == service_token.token()));
    secrets.extend(browser.cookies().values().cloned());
    // Keys, including derived ones, must not be shown as printed bytes either.
    let numbers = shown.split(|c: char| !c.is_ascii_digit() && !c.is_whitespace() && c != ',');
    assert!(numbers.map(|run| run.matches(',').count()).max() < Some(8), "bytes are shown: {shown}");
    secrets.extend([SECRET, "the-cookie-key", "too-short-a-key", "pass-of-redis"].map(str::to_owned));
    secrets.extend(["an-access-token", "a-refresh-token"].map(str::to_owned));
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} is shown: {shown}");
    }
}
