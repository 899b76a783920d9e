//! A stolen or altered store gives away nothing.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::store::{Entry, SessionStore, Swap, Version};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{
    Browser, EXPIRED, Nodes, RiggedStore, WatchedClock, app, callback, holds, layer_for, parameter, soon,
    token_of,
};

use super::{assert_refused, both_kinds};

const COOKIE: &str = "osc_session_3000";

async fn record(nodes: &Nodes, name: &str) -> Entry {
    nodes.store.get(name).await.expect("the store works").entry.expect("a record")
}

/// Puts a value under a name, whatever the store holds there. Returns its version.
async fn put(nodes: &Nodes, name: &str, version: u8, value: &[u8]) {
    let found = nodes.store.get(name).await.expect("the store works");
    let swap = Swap {
        expected: found.entry.map(|entry| entry.version),
        version: Version::from_bytes([version; 16]),
        value,
        expires_in: Some(Duration::from_secs(3600)),
        group: None,
    };
    nodes.store.swap(name, swap).await.expect("the store works");
}

/// Signs in another visitor at node 0.
async fn grace(nodes: &Nodes) -> Browser {
    let mut browser = nodes.at(0);
    browser.forget_cookies("");
    assert_eq!(soon(browser.sign_in(&nodes.osc)).await.status(), StatusCode::SEE_OTHER);
    browser
}

#[tokio::test]
async fn s25_a_dump_of_the_store_holds_no_secret_in_any_form() {
    for mut nodes in both_kinds(2).await {
        let mut secrets: Vec<Vec<u8>> = Vec::new();
        let mut note_cookie = |browser: &Browser| {
            let cookie = &browser.cookies()[COOKIE];
            secrets.push(cookie.clone().into_bytes());
            secrets.push(URL_SAFE_NO_PAD.decode(cookie).expect("base64url"));
        };
        note_cookie(&nodes.browser);
        // Four sessions: refreshed, refused, signed out, replaced.
        let refused = grace(&nodes).await;
        nodes.osc.revoke_refresh_tokens();
        let signed_out = grace(&nodes).await;
        let mut replaced = grace(&nodes).await;
        [&refused, &signed_out, &replaced].into_iter().for_each(&mut note_cookie);
        soon(signed_out.clone().post_from("same-origin", "/auth/signout")).await;
        nodes.pass(EXPIRED);
        assert_refused(&soon(refused.clone().fetch("/")).await, "session_ended");
        assert!(token_of(&soon(nodes.send(&replaced, 1).fetch("/")).await).is_some());
        let path = callback(&mut replaced, &nodes.osc).await;
        soon(replaced.navigate(&path)).await;
        note_cookie(&replaced);
        soon(nodes.browser.sign_in(&nodes.osc)).await;
        note_cookie(&nodes.browser);
        secrets.push(parameter(&path, "state").into_bytes());
        secrets.push(nodes.osc.client_id().into_bytes());
        secrets.push(nodes.osc.issuer().into_bytes());
        let issued = nodes.osc.issued_tokens();
        assert!(issued.len() > 10 && issued.contains(&nodes.osc.client_secret()), "{}", issued.len());
        secrets.extend(issued.into_iter().map(String::into_bytes));

        let dump = nodes.store.dump();

        // This check shows that the test searches the right data.
        let name = nodes.node(0).store.created().pop().expect("sessions");
        assert!(holds(&dump, name.as_bytes()) && dump.len() > 1000);
        for secret in &secrets {
            assert!(!holds(&dump, secret), "the store holds {}", String::from_utf8_lossy(secret));
        }
    }
}

#[tokio::test]
async fn s63_a_record_under_another_sessions_name_does_not_open() {
    for nodes in both_kinds(2).await {
        let grace = grace(&nodes).await;
        let [ada, hers] = &nodes.node(0).store.created()[..] else { panic!("two sessions") };
        nodes.node(1).store.swap(ada, hers);
        for browser in [nodes.at(1), nodes.send(&grace, 1)] {
            assert_refused(&soon(browser.clone().fetch("/")).await, "unauthenticated");
            assert!(token_of(&soon(browser.clone().fetch("/public")).await).is_none());
        }
        // The sessions themselves are intact.
        nodes.node(1).store.mend();
        let own = nodes.token(1).await;
        let other = token_of(&soon(nodes.send(&grace, 1).fetch("/")).await).expect("a token");
        assert_ne!(own.access_token(), other.access_token());
    }
}

#[tokio::test]
async fn s63_another_sessions_tokens_are_not_used_served_or_revoked() {
    let nodes = Nodes::notified(2).await;
    let grace = grace(&nodes).await;
    nodes.warm_up().await;
    let [ada, hers] = &nodes.node(0).store.created()[..] else { panic!("two sessions") };
    // The session is cached here, so the refresh is the first to meet the wrong record.
    nodes.node(1).store.swap(ada, hers);
    nodes.pass(EXPIRED);
    assert_refused(&nodes.fetch(1).await, "temporarily_unavailable");
    assert_eq!(nodes.refreshes(), 0);

    soon(nodes.at(1).post_from("same-origin", "/auth/signout")).await;

    soon(nodes.osc.wait_for_requests(Endpoint::Revoke, 1)).await;
    assert!(soon(nodes.node(1).layer.shutdown(Duration::from_secs(600))).await.is_ok());
    assert_eq!(nodes.osc.live_refresh_tokens(), 1, "hers");
    // A store can lose a session. It cannot make a node hand the session to another visitor.
    nodes.node(1).store.mend();
    for at in 0..2 {
        let answer = soon(nodes.send(&grace, at).fetch("/")).await;
        assert!(token_of(&answer).is_none_or(|token| nodes.osc.is_live(token.access_token())));
    }
}

#[tokio::test]
async fn s63_old_bytes_under_a_newer_version_do_not_open() {
    for nodes in both_kinds(2).await {
        let name = nodes.node(0).store.created().pop().expect("a session");
        let old = record(&nodes, &name).await;
        nodes.pass(EXPIRED);
        nodes.token(0).await;
        let newest = record(&nodes, &name).await;
        assert_ne!(old.version, newest.version);
        put(&nodes, &name, 3, &old.value).await;
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        put(&nodes, &name, 4, &newest.value).await;
        for at in 0..2 {
            assert_refused(&nodes.fetch(at).await, "unauthenticated");
        }
        assert_eq!(nodes.refreshes(), 1);
    }
}

#[tokio::test]
async fn s63_altered_and_foreign_bytes_do_not_open_or_break_anything() {
    let nodes = Nodes::notified(1).await;
    let name = nodes.node(0).store.created().pop().expect("a session");
    let good = record(&nodes, &name).await.value;
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let bad = [flipped, good[..good.len() - 1].to_vec(), Vec::new(), vec![0; 10], vec![0; 100_000]];
    for (version, bad) in (1..).zip(bad) {
        put(&nodes, &name, version, &bad).await;
        assert_refused(&nodes.fetch(0).await, "unauthenticated");
        let navigated = soon(nodes.at(0).navigate("/")).await;
        assert_eq!(navigated.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn s63_a_record_opens_in_no_other_namespace() {
    for nodes in both_kinds(1).await {
        let store = RiggedStore::new(nodes.store.clone()).in_namespace("another");
        let layer = layer_for(&nodes.osc).store(store).build().expect("it builds");
        let mut browser = nodes.at(0);
        browser.switch_app(app(&layer));
        assert_refused(&soon(browser.fetch("/")).await, "unauthenticated");
        nodes.token(0).await;
    }
}

#[tokio::test]
async fn s68_another_apps_session_in_the_same_store_is_refused() {
    let nodes = Nodes::notified(1).await;
    let elsewhere = MockOsc::builder()
        .client_id(&nodes.osc.client_id())
        .client_secret(&nodes.osc.client_secret())
        .start()
        .await
        .unwrap();
    let client = |id: &str, issuer: &str| {
        OscAuthLayer::builder(OAuthClient::confidential(id, nodes.osc.client_secret()))
            .issuer(issuer)
            .public_url("http://localhost:3000")
            .clock(WatchedClock::default())
            .store(nodes.store.clone())
            .build()
            .expect("it builds")
    };
    let same = client(&nodes.osc.client_id(), &nodes.osc.issuer());
    let other_client = client("another", &nodes.osc.issuer());
    let other_issuer = client(&nodes.osc.client_id(), &elsewhere.issuer());
    let mut browser = nodes.at(0);
    browser.switch_app(app(&same));
    assert!(token_of(&soon(browser.fetch("/")).await).is_some(), "these settings are those of a node");
    for other in [&other_client, &other_issuer] {
        browser.switch_app(app(other));
        assert_refused(&soon(browser.fetch("/")).await, "unauthenticated");
        assert!(token_of(&soon(browser.fetch("/public")).await).is_none());
    }
    nodes.token(0).await;
    assert_eq!(nodes.refreshes() + elsewhere.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn a_planted_record_is_no_session() {
    let nodes = Nodes::notified(1).await;
    let name = nodes.node(0).store.created().pop().expect("a session");
    let sealed = record(&nodes, &name).await.value;
    let cookie = URL_SAFE_NO_PAD.encode([9; 32]);
    let mut thief = nodes.at(0);
    thief.set_cookie(COOKIE, &cookie);
    assert_refused(&soon(thief.fetch("/")).await, "unauthenticated");
    // The thief may try any name.
    for planted in [cookie.as_str(), "x", &name.to_lowercase()] {
        put(&nodes, planted, 1, &sealed).await;
    }
    assert_refused(&soon(thief.fetch("/")).await, "unauthenticated");
}
