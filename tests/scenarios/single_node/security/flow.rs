//! The authorization code flow (RFC 6749, 7636, 9207, 9700).

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use http::{Method, StatusCode};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::test_util::TestClock;
use osc_tests::{Browser, app, callback, layer, layer_for, location, parameter, path_of, refusal, soon};
use serde_json::json;

use super::is_random;

fn invalid(error: &str) -> (u16, String) {
    (400, error.to_owned())
}

#[tokio::test]
async fn s01_every_attempt_has_its_own_verifier_and_challenge() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let mut parts = HashSet::new();
    for _ in 0..20 {
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert_eq!(parameter(&authorize, "response_type"), "code");
        assert_eq!(parameter(&authorize, "code_challenge_method"), "S256");
        let challenge = parameter(&authorize, "code_challenge");
        let callback = osc.approve(&authorize).await.unwrap();
        // The mock compares the verifier's S256 hash with the challenge.
        assert_eq!(browser.navigate(path_of(&callback)).await.status(), StatusCode::SEE_OTHER);

        let request = osc.requests(Endpoint::Token).pop().unwrap();
        let verifier = request.field("code_verifier").expect("a verifier").to_owned();
        assert!((43..=128).contains(&verifier.len()), "{verifier}");
        let bytes = URL_SAFE_NO_PAD.decode(&verifier).unwrap();
        assert_eq!(bytes.len(), 32);
        assert!(is_random(&bytes, &mut parts), "a part of {verifier} repeats");
        assert_ne!(verifier, challenge);
        assert!(!browser.seen().contains(&verifier), "the browser saw the verifier");
    }
}

#[tokio::test]
async fn s02_states_are_unguessable_and_all_different() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let mut parts = HashSet::new();
    for _ in 0..50 {
        let authorize = Browser::new(app.clone()).begin_sign_in("/auth/signin").await;
        let state = parameter(&authorize, "state");
        let bytes = URL_SAFE_NO_PAD.decode(&state[state.len() - 43..]).unwrap();
        assert_eq!(bytes.len(), 32);
        assert!(is_random(&bytes, &mut parts), "a part of {state} repeats");
    }
}

#[tokio::test]
async fn s02_a_state_of_another_attempt_of_the_same_browser_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let one = parameter(&browser.begin_sign_in("/auth/signin").await, "state");
    let two = parameter(&browser.begin_sign_in("/auth/signin").await, "state");
    // The start of the state selects the cookie, and the rest must match that sign-in.
    let mixed = format!("{}{}", &one[..8], &two[8..]);
    let answer = browser.navigate(&format!("/auth/callback?code=a&state={mixed}")).await;
    assert_eq!(refusal(&answer), invalid("invalid_state"));
    for state in [&one[..8], &one[..one.len() - 1], &format!("{one}x")] {
        let answer = browser.navigate(&format!("/auth/callback?code=a&state={state}")).await;
        assert_eq!(refusal(&answer), invalid("invalid_state"), "{state}");
    }
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s02_two_concurrent_callbacks_make_one_token_request() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let path = callback(&mut browser, &osc).await;
    let hold = osc.hold(Endpoint::Token);
    let (mut first, mut second) = (browser.clone(), browser.clone());
    let first = tokio::spawn({
        let path = path.clone();
        async move { first.navigate(&path).await }
    });
    soon(hold.arrived(1)).await;
    let mut joining = Box::pin(second.navigate(&path));
    assert!(joining.as_mut().now_or_never().is_none());

    hold.release();
    let answers = [first.await.unwrap(), soon(joining).await];
    assert!(answers.iter().all(|answer| answer.status() == StatusCode::SEE_OTHER), "{answers:?}");
    assert_eq!(osc.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn s03_a_callback_in_another_browser_makes_no_token_request() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let mut attacker = Browser::new(app.clone());
    let path = callback(&mut attacker, &osc).await;

    let mut victim = Browser::new(app.clone());
    assert_eq!(refusal(&victim.navigate(&path).await), invalid("invalid_state"));
    // It fails even if the victim is about to sign in as well.
    let own = callback(&mut victim, &osc).await;
    assert_eq!(refusal(&victim.navigate(&path).await), invalid("invalid_state"));
    assert!(!victim.cookies().contains_key("osc_session_3000"));
    assert_eq!(osc.count(Endpoint::Token), 0);
    assert_eq!(
        victim.navigate(&own).await.status(),
        StatusCode::SEE_OTHER,
        "the victim's own is not disturbed"
    );
    // It does not replace the session of a signed-in user either.
    let mut signed_in = Browser::new(app);
    signed_in.sign_in(&osc).await;
    let before = signed_in.cookies().clone();
    signed_in.navigate(&path).await;
    assert_eq!(signed_in.cookies(), &before);

    assert_eq!(osc.count(Endpoint::Token), 2, "only the requests of the sign-ins");
}

#[tokio::test]
async fn s06_a_wrong_or_missing_announced_iss_is_refused() {
    for announced in [true, false] {
        let osc = MockOsc::builder().iss(announced).start().await.unwrap();
        for iss in [Some("https://evil.example"), Some("http://127.0.0.1"), Some(""), None] {
            let mut browser = Browser::new(app(&layer(&osc)));
            let mut path = callback(&mut browser, &osc).await;
            path.truncate(path.find("&iss=").unwrap_or(path.len()));
            if let Some(iss) = iss {
                path.push_str(&format!("&iss={iss}"));
            }
            if !announced && iss.is_none_or(str::is_empty) {
                continue;
            }
            let answer = browser.navigate(&path).await;
            assert_eq!(refusal(&answer), invalid("invalid_request"), "{announced} {iss:?}");
        }
        assert_eq!(osc.count(Endpoint::Token), 0);
        let mut browser = Browser::new(app(&layer(&osc)));
        assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER, "the right one is accepted");
    }
}

#[tokio::test]
async fn s07_iss_is_checked_in_error_responses_too() {
    for (announced, iss) in [
        (true, ""),
        (true, "&iss="),
        (true, "&iss=https://evil.example"),
        (false, "&iss=https://evil.example"),
    ] {
        let osc = MockOsc::builder().iss(announced).start().await.unwrap();
        let mut browser = Browser::new(app(&layer(&osc)));
        let authorize = browser.begin_sign_in("/auth/signin").await;
        let denied = osc.deny(&authorize).await.unwrap();
        let mut path = path_of(&denied).to_owned();
        assert_eq!(path.contains("&iss="), announced, "{path}");
        path.truncate(path.find("&iss=").unwrap_or(path.len()));
        path.push_str(iss);
        assert_eq!(refusal(&browser.navigate(&path).await), invalid("invalid_request"), "{announced} {iss}");
    }
}

#[tokio::test]
async fn s08_pkce_is_used_with_any_metadata() {
    let osc = MockOsc::builder().start().await.unwrap();
    for methods in [None, Some(json!([])), Some(json!(["plain"])), Some(json!("none")), Some(json!(7))] {
        osc.set_metadata_field("code_challenge_methods_supported", methods.clone());
        let mut browser = Browser::new(app(&layer(&osc)));
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert_eq!(parameter(&authorize, "code_challenge_method"), "S256", "{methods:?}");
        let callback = osc.approve(&authorize).await.unwrap();
        browser.navigate(path_of(&callback)).await;
        let request = osc.requests(Endpoint::Token).pop().unwrap();
        assert!(request.field("code_verifier").is_some_and(|verifier| verifier.len() >= 43));
    }
}

#[tokio::test]
async fn s09_no_header_changes_the_redirect_uri() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for spoofed in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-server", "evil.example"),
        ("x-original-host", "evil.example"),
        ("x-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ] {
        let answer = browser.send(Method::GET, "/auth/signin", &[spoofed]).await;
        let authorize = location(&answer);
        assert_eq!(
            parameter(&authorize, "redirect_uri"),
            "http://localhost:3000/auth/callback",
            "{spoofed:?}"
        );
        assert!(!authorize.contains("evil"), "{authorize}");
    }
}

#[tokio::test]
async fn s48_a_foreign_host_never_reaches_the_pending_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    for host in ["evil.example", "localhost:3000.evil.example", "localhost:3001", "[::1]:3000"] {
        let mut browser = Browser::new(app.clone()).at(host);
        let elsewhere = location(&browser.navigate("/auth/signin").await);
        assert!(elsewhere.starts_with("http://localhost:3000/auth/signin?"), "{host}: {elsewhere}");
        // Even if the browser ignores the redirect, the code goes to the configured origin.
        let authorize = browser.begin_sign_in(path_of(&elsewhere)).await;
        assert_eq!(parameter(&authorize, "redirect_uri"), "http://localhost:3000/auth/callback", "{host}");
    }
}

#[tokio::test]
async fn s48_host_and_forwarded_host_only_select_among_the_configured_origins() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let layer = layer_for(&osc).public_url("http://127.0.0.1:3000/base").build().unwrap();
    let (first, second) = ("http://localhost:3000/auth/callback", "http://127.0.0.1:3000/base/auth/callback");
    for (host, forwarded, expected) in [
        ("localhost:3000", "evil.example", first),
        ("127.0.0.1:3000", "evil.example", second),
        ("localhost:3000", "evil.example, 127.0.0.1:3000", first),
        ("localhost:3000", "127.0.0.1:3000@evil.example", first),
        ("evil.example", "127.0.0.1:3000", second),
        ("evil.example", "localhost:3000", first),
    ] {
        let mut browser = Browser::new(app(&layer)).at(host);
        let headers = [("x-forwarded-host", forwarded), ("forwarded", "host=evil.example")];
        let answer = browser.send(Method::GET, "/auth/signin", &headers).await;
        let authorize = location(&answer);
        assert_eq!(parameter(&authorize, "redirect_uri"), expected, "{host}, {forwarded}");
        let callback = osc.approve(&authorize).await.unwrap();
        // The host of the callback's own request has no effect any more.
        let path = path_of(&callback).replace("/base", "");
        let landed = browser.clone().at("evil.example").navigate(&path).await;
        assert_eq!(osc.requests(Endpoint::Token).pop().unwrap().field("redirect_uri"), Some(expected));
        assert!(!location(&landed).contains("evil"), "{landed:?}");
    }
}

#[tokio::test]
async fn s10_the_token_request_repeats_the_redirect_uri() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let layer = layer_for(&osc).public_url("http://127.0.0.1:3000/base").build().unwrap();
    for (host, expected) in [
        ("localhost:3000", "http://localhost:3000/auth/callback"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000/base/auth/callback"),
    ] {
        let mut browser = Browser::new(app(&layer)).at(host);
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert_eq!(parameter(&authorize, "redirect_uri"), expected);
        let callback = osc.approve(&authorize).await.unwrap();
        browser.navigate(path_of(&callback.replace("/base", ""))).await;
        let request = osc.requests(Endpoint::Token).pop().unwrap();
        assert_eq!(request.field("redirect_uri"), Some(expected));
    }
}

#[tokio::test]
async fn s11_only_configured_scopes_are_asked_for() {
    let osc = MockOsc::builder().start().await.unwrap();
    let authorize = Browser::new(app(&layer(&osc))).begin_sign_in("/auth/signin?scope=admin").await;
    assert!(!authorize.contains("scope"), "{authorize}");

    let scoped = layer_for(&osc).scopes(["openid", "instances:read"]).build().unwrap();
    let mut browser = Browser::new(app(&scoped));
    let authorize = browser.begin_sign_in("/auth/signin?scope=admin").await;
    assert_eq!(parameter(&authorize, "scope"), "openid instances:read");
    let callback = osc.approve(&authorize).await.unwrap();
    browser.navigate(path_of(&callback)).await;
    assert_eq!(osc.requests(Endpoint::Token).pop().unwrap().field("scope"), None);
}

#[tokio::test]
async fn s12_redirects_are_303() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let layer = layer_for(&osc).clock(clock).redirect_to_signin().build().unwrap();
    let mut browser = Browser::new(app(&layer));
    for (host, path) in
        [("localhost:3000", "/x"), ("localhost:3000", "/auth/signin"), ("elsewhere:1", "/auth/signin")]
    {
        let mut browser = browser.clone().at(host);
        assert_eq!(browser.navigate(path).await.status(), StatusCode::SEE_OTHER, "{host} {path}");
    }
    let path = callback(&mut browser, &osc).await;
    for _ in 0..2 {
        assert_eq!(browser.navigate(&path).await.status(), StatusCode::SEE_OTHER);
    }
    assert_eq!(browser.post_from("same-origin", "/auth/signout").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s47_a_code_obtained_through_a_foreign_redirect_uri_is_refused_at_the_exchange() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let lured = authorize.replace("localhost%3A3000", "evil.example");
    assert_ne!(lured, authorize);
    let stolen = osc.approve(&lured).await.unwrap();
    assert!(stolen.starts_with("http://evil.example/"), "{stolen}");

    let answer = browser.navigate(path_of(&stolen)).await;

    assert_eq!(refusal(&answer), (401, "sign_in_failed".to_owned()));
    assert!(browser.cookies().is_empty());
    let request = osc.requests(Endpoint::Token).pop().expect("the provider refuses it");
    assert_eq!(request.field("redirect_uri"), Some("http://localhost:3000/auth/callback"));
}

#[tokio::test]
async fn s47_a_pushed_request_leaves_no_redirect_uri_to_change() {
    let osc = MockOsc::builder().par(true).loose_redirect_uris().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    assert!(!authorize.contains("redirect_uri") && !authorize.contains("3000"), "{authorize}");
    // An attacker can only add a parameter to the URL, and the provider ignores it (RFC 9101 §5).
    let lured = format!("{authorize}&redirect_uri=http%3A%2F%2Fevil.example%2Fauth%2Fcallback");
    let callback = osc.approve(&lured).await.unwrap();
    assert!(callback.starts_with("http://localhost:3000/auth/callback?"), "{callback}");
    assert_eq!(browser.navigate(path_of(&callback)).await.status(), StatusCode::SEE_OTHER);
}
