//! The session and its cookie.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{
    Answer, Browser, QuickClock, Stage, app, callback, layer, layer_for, refusal, soon, token_of,
};

fn set_cookies(answer: &Answer) -> Vec<String> {
    let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
    cookies.map(|cookie| cookie.to_str().expect("ASCII").to_owned()).collect()
}

#[tokio::test]
async fn s20_session_ids_are_256_random_bits() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let mut ids = HashSet::new();
    for _ in 0..20 {
        let mut browser = Browser::new(app.clone());
        browser.sign_in(&osc).await;
        let id = URL_SAFE_NO_PAD.decode(&browser.cookies()["osc_session_3000"]).unwrap();
        assert_eq!(id.len(), 32);
        assert!(super::is_random(&id, &mut ids), "a part of the id repeats: {id:?}");
    }
}

#[tokio::test]
async fn s21_every_sign_in_drops_the_old_session_without_revoking() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    let mut old = browser.clone();
    let first = token_of(&old.fetch("/").await).unwrap();

    browser.sign_in(&osc).await;

    assert_ne!(browser.cookies(), old.cookies());
    assert_eq!(refusal(&old.fetch("/").await), (401, "unauthenticated".to_owned()));
    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
    assert_eq!(osc.count(Endpoint::Revoke), 0);
    assert!(osc.is_live(first.access_token()), "the provider may have given the same grant");
}

#[tokio::test]
async fn s21_a_planted_session_id_is_worthless() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let planted = URL_SAFE_NO_PAD.encode([7; 32]);
    let mut victim = Browser::new(app.clone());
    victim.set_cookie("osc_session_3000", &planted);
    victim.sign_in(&osc).await;
    assert_ne!(victim.cookies()["osc_session_3000"], planted);

    let mut attacker = Browser::new(app);
    attacker.set_cookie("osc_session_3000", &planted);
    assert_eq!(attacker.fetch("/").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn s22_cookies_are_host_only_secure_and_http_only() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let clock = QuickClock::new();
    let secure = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .clock(clock.clone())
        .public_url("https://app.example.com")
        .build()
        .unwrap();
    let plain = layer_for(&osc).clock(clock.clone()).build().unwrap();
    for (layer, host, prefix, is_secure) in [
        (secure, "app.example.com", "__Host-osc_session", true),
        (plain, "localhost:3000", "osc_session_3000", false),
    ] {
        let mut browser = Browser::new(app(&layer)).at(host);
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(browser.navigate("/auth/signin").await);
        }
        let approved = osc.approve(&osc_tests::location(&answers[4])).await.unwrap();
        answers.push(browser.navigate(osc_tests::path_of(&approved)).await);
        let mut ended = browser.clone();
        answers.push(browser.post_from("same-origin", "/auth/signout").await);
        ended.sign_in(&osc).await;
        osc.revoke_grants();
        clock.advance(Duration::from_secs(3600));
        answers.push(ended.fetch("/").await);
        assert_eq!(refusal(&answers[7]), (401, "session_ended".to_owned()));

        let cookies: Vec<_> = answers.iter().flat_map(set_cookies).collect();
        // Ten cookies: five pending sign-ins, the removals of an excess and of the completed one, the
        // session, its removal at sign-out, and the removal of a session that the provider ended.
        assert_eq!(cookies.len(), 10, "{cookies:?}");
        for cookie in &cookies {
            assert!(cookie.starts_with(prefix), "{cookie}");
            let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
            for expected in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(attributes.contains(&expected), "{cookie} lacks {expected}");
            }
            assert_eq!(attributes.contains(&"Secure"), is_secure, "{cookie}");
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
        let session = cookies.iter().find(|cookie| cookie.starts_with(&format!("{prefix}="))).unwrap();
        assert!(session.contains("Max-Age=2592000"), "{session}");
    }
}

#[tokio::test]
async fn s22_the_session_cookie_is_set_once() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.sign_in(&osc).await;
    for path in ["/", "/public", "/auth/signin", "/auth/callback"] {
        let answer = browser.navigate(path).await;
        let session: Vec<_> = set_cookies(&answer)
            .into_iter()
            .filter(|cookie| cookie.starts_with("osc_session_3000="))
            .collect();
        assert!(session.is_empty(), "{path}: {session:?}");
    }
}

#[tokio::test]
async fn s29_a_session_cookie_is_worthless_after_sign_out() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.sign_in(&osc).await;
    let mut copy = browser.clone();
    browser.post_from("same-origin", "/auth/signout").await;
    for _ in 0..2 {
        assert_eq!(refusal(&copy.fetch("/").await), (401, "unauthenticated".to_owned()));
    }
    assert_eq!(copy.fetch("/public").await.body(), "anonymous");
    let answer = copy.navigate("/auth/callback").await;
    assert_eq!(refusal(&answer), (400, "invalid_state".to_owned()), "it does not pass for signed in");
}

#[tokio::test]
async fn s31_sign_out_revokes_the_grant_at_the_provider() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    let token = token_of(&browser.fetch("/").await).unwrap();

    browser.post_from("same-origin", "/auth/signout").await;

    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
    let request = osc.requests(Endpoint::Revoke).pop().expect("a revocation");
    assert_eq!(request.field("token_type_hint"), Some("refresh_token"));
    assert!(!osc.is_live(token.access_token()));
    assert_eq!(osc.live_refresh_tokens(), 0);
}

#[tokio::test]
async fn s31_sign_out_does_not_wait_for_a_failing_provider() {
    for hangs in [false, true] {
        let osc = MockOsc::builder().start().await.unwrap();
        let layer = layer(&osc);
        let mut browser = Browser::new(app(&layer));
        browser.sign_in(&osc).await;
        let mut copy = browser.clone();
        let hold = osc.hold(Endpoint::Revoke);
        if !hangs {
            osc.stop_listening().await;
        }

        let answer = browser.post_from("same-origin", "/auth/signout").await;

        if hangs {
            soon(hold.arrived(1)).await;
            assert_eq!(layer.tasks_under_way(), 1, "the answer waited for the revocation");
        }

        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert!(browser.cookies().is_empty());
        assert_eq!(copy.fetch("/").await.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn s31_without_a_refresh_token_the_access_token_is_revoked() {
    let osc = MockOsc::builder().start().await.unwrap();
    osc.set_token_field("refresh_token", None);
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    let token = token_of(&browser.fetch("/").await).unwrap();

    browser.post_from("same-origin", "/auth/signout").await;

    assert!(layer.shutdown(Duration::from_secs(5)).await.is_ok());
    let request = osc.requests(Endpoint::Revoke).pop().expect("a revocation");
    assert_eq!(request.field("token"), Some(token.access_token()));
    assert_eq!(request.field("token_type_hint"), Some("access_token"));
    assert!(!osc.is_live(token.access_token()));
}

#[tokio::test]
async fn s62_sign_out_clears_only_the_browsers_cache_and_only_on_demand() {
    let osc = MockOsc::builder().start().await.unwrap();
    for (layer, expected) in
        [(layer_for(&osc), None), (layer_for(&osc).clear_cache_on_signout(), Some("\"cache\""))]
    {
        let mut browser = Browser::new(app(&layer.build().unwrap()));
        let path = callback(&mut browser, &osc).await;
        assert!(!browser.navigate(&path).await.headers().contains_key("clear-site-data"));
        let answer = browser.post_from("same-origin", "/auth/signout").await;
        let cleared = answer.headers().get("clear-site-data").map(|data| data.to_str().unwrap());
        assert_eq!(cleared, expected);
    }
}

#[tokio::test]
async fn s62_no_shared_cache_may_store_an_answer_to_a_user() {
    let mut stage = Stage::signed_in().await;
    for (path, vary) in [("/", None), ("/public", Some("Cookie"))] {
        let answer = stage.fetch(path).await;
        assert_eq!(answer.headers()["cache-control"], "private");
        assert_eq!(answer.headers().get("vary").map(|vary| vary.to_str().unwrap()), vary, "{path}");
    }
}

#[tokio::test]
async fn s37_return_to_never_leaves_the_app() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer_for(&osc).after_signin("/home").build().unwrap();
    let mut browser = Browser::new(app(&layer));
    for target in [
        "https://evil.example",
        "//evil.example",
        "%2F%2Fevil.example",
        "/%5Cevil.example",
        "%5C%5Cevil.example",
        "/%09/evil.example",
        "/%0A/evil.example",
        "%20/x",
        "/%252F/evil.example",
        "/x%0D%0ASet-Cookie:a=b",
        "/x%250D%250ASet-Cookie:a=b",
        "/%2509/evil.example",
        "/%255Cevil.example",
        "/%252E%252E/x",
        "/../x",
        "/./x",
        "/x/../../y",
        "/%20x",
        "/%C3%A9",
        "/%E2%80%8Bx",
        "javascript:alert(1)",
        "/auth/signin",
        "/auth/callback%3Fcode=a",
        "/..//evil.example",
        "",
    ] {
        let authorize = browser.begin_sign_in(&format!("/auth/signin?return_to={target}")).await;
        let approved = osc.approve(&authorize).await.unwrap();
        let answer = browser.navigate(osc_tests::path_of(&approved)).await;
        assert_eq!(osc_tests::location(&answer), "/home", "{target}");
    }
}
