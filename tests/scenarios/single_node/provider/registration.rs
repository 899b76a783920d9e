//! Clients that register themselves (RFC 7591).

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Browser, Logs, QuickClock, app, callback, parameter, refusal, soon, token_of};
use serde_json::Value;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

fn registering(osc: &MockOsc, clock: &QuickClock) -> OscAuthLayerBuilder {
    let layer = OscAuthLayer::builder(OAuthClient::register("My app")).issuer(osc.issuer());
    layer.public_url("http://localhost:3000").clock(clock.clone())
}

async fn signed_in(osc: mock_osc::MockOscBuilder) -> (MockOsc, QuickClock, Browser) {
    let osc = osc.start().await.expect("the mock starts");
    let clock = QuickClock::new();
    let mut browser = Browser::new(app(&registering(&osc, &clock).build().expect("it builds")));
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
    (osc, clock, browser)
}

/// Returns the client of the last token request.
fn last_client(osc: &MockOsc) -> String {
    let request = osc.requests(Endpoint::Token).pop().expect("a token request");
    request.field("client_id").expect("in the body").to_owned()
}

#[tokio::test]
async fn an_app_registers_once_for_many_sign_ins() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = registering(&osc, &QuickClock::new());
    let layer = layer.public_url("http://127.0.0.1:3000/base").scopes(["a", "b"]).build().unwrap();
    let app = app(&layer);
    let hold = osc.hold(Endpoint::Register);
    let sign_ins: Vec<_> = (0..50)
        .map(|index| {
            let host = if index % 2 == 0 { "localhost:3000" } else { "127.0.0.1:3000" };
            let mut browser = Browser::new(app.clone()).at(host);
            tokio::spawn(async move { browser.begin_sign_in("/auth/signin").await })
        })
        .collect();
    soon(hold.arrived(1)).await;
    hold.release();
    let ids: Vec<_> = join_all(sign_ins)
        .await
        .into_iter()
        .map(|authorize| parameter(&authorize.unwrap(), "client_id"))
        .collect();

    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let requests = osc.requests(Endpoint::Register);
    assert_eq!(requests.len(), 1);
    let sent: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(sent["client_name"], "My app");
    let uris = ["http://localhost:3000/auth/callback", "http://127.0.0.1:3000/base/auth/callback"];
    assert_eq!(sent["redirect_uris"], serde_json::json!(uris));
    assert_eq!(sent["grant_types"], serde_json::json!(["authorization_code", "refresh_token"]));
    assert_eq!(sent["scope"], "a b");
    assert_eq!(sent["token_endpoint_auth_method"], "client_secret_post");
}

#[tokio::test]
async fn without_a_store_the_log_warns_what_a_restart_costs() {
    let osc = MockOsc::builder().start().await.unwrap();
    for store in [None, Some(MemoryStore::new())] {
        let logs = Logs::collect();
        let layer = registering(&osc, &QuickClock::new()).cookie_key([7; 32]);
        let layer = match store.clone() {
            Some(store) => layer.store(store),
            None => layer,
        };
        let mut browser = Browser::new(app(&layer.build().unwrap()));
        assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
        let warning = "After a restart the app registers again and every user has to sign in.";
        assert_eq!(logs.text().matches(warning).count(), usize::from(store.is_none()), "{}", logs.text());
    }
}

#[tokio::test]
async fn a_registered_client_signs_in_refreshes_and_signs_out() {
    for methods in [&["client_secret_post"][..], &["client_secret_basic"], &["none"]] {
        let (osc, clock, mut browser) =
            signed_in(MockOsc::builder().token_endpoint_auth_methods(methods).par(true)).await;
        clock.advance(HOUR);
        let token = token_of(&browser.fetch("/").await).expect("refreshed");
        assert!(osc.is_live(token.access_token()));
        browser.post_from("same-origin", "/auth/signout").await;
        soon(osc.wait_for_requests(Endpoint::Revoke, 1)).await;
        assert_eq!(osc.count(Endpoint::Register), 1);
    }
}

#[tokio::test]
async fn without_a_public_url_every_loopback_address_has_its_registration() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = OscAuthLayer::builder(OAuthClient::register("My app")).issuer(osc.issuer()).build().unwrap();
    let app = app(&layer);
    for (host, registrations) in
        [("localhost:3000", 1), ("localhost:3000", 1), ("127.0.0.1:4000", 2), ("localhost:3000", 2)]
    {
        let mut browser = Browser::new(app.clone()).at(host);
        assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
        assert_eq!(osc.count(Endpoint::Register), registrations, "{host}");
    }
}

#[tokio::test]
async fn s17_a_secret_about_to_expire_is_renewed_before_the_next_sign_in() {
    let (osc, clock, mut browser) = signed_in(MockOsc::builder().registered_secret_ttl(2 * HOUR)).await;
    let first = last_client(&osc);
    clock.advance(HOUR + 40 * MINUTE);
    browser.sign_in(&osc).await;
    assert_eq!(last_client(&osc), first, "it is still good");

    // The rest of its lifetime would be too short for a slow visitor.
    clock.advance(10 * MINUTE);
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);

    assert_ne!(last_client(&osc), first);
    assert_eq!(osc.count(Endpoint::Register), 2);
}

#[tokio::test]
async fn s17_a_secret_that_lives_for_minutes_is_used_for_them() {
    let (osc, clock, mut browser) = signed_in(MockOsc::builder().registered_secret_ttl(10 * MINUTE)).await;
    browser.sign_in(&osc).await;
    assert_eq!(osc.count(Endpoint::Register), 1);
    clock.advance(9 * MINUTE);
    browser.sign_in(&osc).await;
    assert_eq!(osc.count(Endpoint::Register), 2);
}

/// The secret is valid for an hour by the provider's clock. The app's clock is two hours ahead.
#[tokio::test]
async fn s17_a_registration_expired_by_the_apps_clock_is_still_used() {
    let osc = MockOsc::builder().registered_secret_ttl(HOUR).start().await.unwrap();
    let clock = QuickClock::new();
    clock.advance(2 * HOUR);
    let app = app(&registering(&osc, &clock).build().unwrap());
    for visit in 1..=3 {
        let mut browser = Browser::new(app.clone());
        assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
        assert_eq!(osc.count(Endpoint::Register), visit);
        assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
    }
    // All of these sign-ins run at the same time.
    let mut begun = Vec::new();
    for _ in 0..20 {
        let mut browser = Browser::new(app.clone());
        let callback = callback(&mut browser, &osc).await;
        begun.push((browser, callback));
    }
    for (browser, callback) in &mut begun {
        assert_eq!(browser.navigate(callback).await.status(), StatusCode::SEE_OTHER);
    }
    assert_eq!(osc.count(Endpoint::Register), 3 + 20);
}

#[tokio::test]
async fn s70_forged_host_headers_evict_no_registration() {
    let osc = MockOsc::builder().start().await.unwrap();
    let logs = Logs::collect();
    let layer = OscAuthLayer::builder(OAuthClient::register("My app")).issuer(osc.issuer()).build().unwrap();
    let app = app(&layer);
    let mut honest = Browser::new(app.clone());
    let pending = callback(&mut honest, &osc).await;
    let mut refused = 0;
    for port in 4000..4100 {
        let answer =
            Browser::new(app.clone()).at(&format!("localhost:{port}")).navigate("/auth/signin").await;
        if answer.status() != StatusCode::SEE_OTHER {
            assert_eq!(refusal(&answer), (500, "misconfigured".to_owned()));
            refused += 1;
        }
    }
    assert!(refused > 80, "each sign-in registered a client");
    assert_eq!(osc.count(Endpoint::Register), 100 - refused + 1);
    assert!(logs.text().contains("PUBLIC_URL"), "{}", logs.text());
    assert_eq!(honest.navigate(&pending).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(honest.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s55_renewing_a_registration_keeps_the_sessions_of_the_old_one() {
    let (osc, clock, mut old) = signed_in(MockOsc::builder().registered_secret_ttl(2 * HOUR)).await;
    let first = last_client(&osc);
    let mut new = old.clone();
    new.forget_cookies("");
    let pending = callback(&mut new, &osc).await;
    clock.advance(HOUR + 50 * MINUTE);
    let mut third = old.clone();
    third.forget_cookies("");
    third.sign_in(&osc).await;
    let second = last_client(&osc);
    assert_ne!(first, second);

    assert!(token_of(&old.fetch("/").await).is_some(), "the old session is lost");
    assert_eq!(last_client(&osc), first);
    clock.advance(HOUR);
    assert!(token_of(&third.fetch("/").await).is_some());
    assert_eq!(last_client(&osc), second);
    // That sign-in was begun too long ago, whichever client it used.
    assert_eq!(refusal(&new.navigate(&pending).await), (400, "invalid_state".to_owned()));
}

#[tokio::test]
async fn s55_a_sign_in_begun_with_the_old_registration_is_completed_by_it() {
    let (osc, clock, browser) = signed_in(MockOsc::builder().registered_secret_ttl(2 * HOUR)).await;
    let first = last_client(&osc);
    let mut slow = browser.clone();
    clock.advance(HOUR + 41 * MINUTE);
    let pending = callback(&mut slow, &osc).await;
    clock.advance(5 * MINUTE);
    let mut next = browser.clone();
    next.sign_in(&osc).await;
    assert_ne!(last_client(&osc), first);

    assert_eq!(slow.navigate(&pending).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(last_client(&osc), first);
}

#[tokio::test]
async fn s17_a_registration_found_dead_at_the_exchange_is_renewed_at_the_next_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let logs = Logs::collect();
    let mut browser = Browser::new(app(&registering(&osc, &QuickClock::new()).build().unwrap()));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    let approved = osc.approve(&authorize).await.unwrap();
    assert!(osc.remove_client(&parameter(&authorize, "client_id")));

    let answer = browser.navigate(osc_tests::path_of(&approved)).await;
    assert_eq!(refusal(&answer), (401, "sign_in_failed".to_owned()));
    assert!(logs.text().contains("no longer knows the app's registration"), "{}", logs.text());

    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(osc.count(Endpoint::Register), 2);
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn s17_a_registration_found_dead_at_a_refresh_is_renewed_at_the_next_sign_in() {
    let (osc, clock, mut browser) = signed_in(MockOsc::builder()).await;
    let first = last_client(&osc);
    assert!(osc.remove_client(&first));
    clock.advance(HOUR);
    assert_eq!(browser.fetch("/").await.status(), StatusCode::UNAUTHORIZED);

    let authorize = browser.begin_sign_in("/auth/signin").await;

    assert_ne!(
        parameter(&authorize, "client_id"),
        first,
        "the provider has just said that it does not know it"
    );
    assert_eq!(osc.count(Endpoint::Register), 2);
}

#[tokio::test]
async fn s17_a_registration_found_dead_at_the_push_is_renewed_at_the_next_sign_in() {
    let (osc, _clock, mut browser) = signed_in(MockOsc::builder().par(true)).await;
    assert!(osc.remove_client(&last_client(&osc)));

    browser.navigate("/auth/signin").await;

    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(osc.count(Endpoint::Register), 2);
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_provider_without_registration_is_misconfigured_and_logged() {
    let osc = MockOsc::builder().start().await.unwrap();
    osc.set_metadata_field("registration_endpoint", None);
    let logs = Logs::collect();
    let mut browser = Browser::new(app(&registering(&osc, &QuickClock::new()).build().unwrap()));
    assert_eq!(refusal(&browser.navigate("/auth/signin").await), (500, "misconfigured".to_owned()));
    assert!(logs.text().contains("CLIENT_ID"), "{}", logs.text());
    assert!(browser.cookies().is_empty());
}

#[tokio::test]
async fn a_refused_registration_is_misconfigured_but_an_outage_is_not() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&registering(&osc, &QuickClock::new()).build().unwrap()));
    for (fault, status, error) in [
        (Fault::OAuth("invalid_client_metadata"), 500, "misconfigured"),
        (Fault::Status(503), 502, "provider_unavailable"),
        (Fault::RetryAfter(429, "1".to_owned()), 502, "provider_unavailable"),
        (Fault::HangUp, 502, "provider_unavailable"),
    ] {
        osc.fault(Endpoint::Register, fault.clone()).once();
        let answer = browser.navigate("/auth/signin").await;
        assert_eq!(refusal(&answer), (status, error.to_owned()), "{fault:?}");
    }
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER, "each sign-in tries again");
}
