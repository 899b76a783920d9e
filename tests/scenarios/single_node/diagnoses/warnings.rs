//! Warnings about hosts, pages and processes, each at most once a minute.

use std::time::Duration;

use http::Method;
use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayer;
use osc_tests::{Browser, Logs, QuickClock, app, layer, layer_for, location, refusal};

use super::lines;

/// Asserts that the log has one warning with these parts.
#[track_caller]
fn warned_once(logs: &Logs, parts: &[&str]) {
    let warnings = lines(logs, "WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in parts {
        assert!(warnings[0].contains(part), "{part}: {warnings:?}");
    }
}

#[tokio::test]
async fn a_host_that_no_public_url_names_is_logged_with_the_remedy() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = QuickClock::new();
    let app = app(&layer_for(&osc).clock(clock.clone()).build().unwrap());
    let logs = Logs::collect();
    Browser::new(app.clone()).begin_sign_in("/auth/signin").await;
    // Health checks and scanners ask for other paths, and do not sign in.
    Browser::new(app.clone()).at("10.0.0.7:3000").fetch("/health").await;
    assert!(lines(&logs, "WARN").is_empty(), "{}", logs.text());
    let mut browser = Browser::new(app).at("shop.example");
    for _ in 0..3 {
        assert!(location(&browser.navigate("/auth/signin").await).starts_with("http://localhost:3000/"));
    }
    warned_once(&logs, &["shop.example", "PUBLIC_URL", "http://localhost:3000/", "proxy_set_header Host"]);
    clock.advance(Duration::from_secs(60));
    browser.navigate("/auth/signin?redirected=1").await;
    assert_eq!(lines(&logs, "WARN").len(), 2, "again after a minute");
    let long = format!("{}.example", "x".repeat(240));
    clock.advance(Duration::from_secs(60));
    browser.at(&long).navigate("/auth/signin").await;
    assert!(lines(&logs, "WARN")[2].len() < 900, "the host is bounded: {}", logs.text());
}

#[tokio::test]
async fn a_request_refused_for_its_page_is_logged_with_page_host_and_remedy() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket"), ("origin", "http://localhost:5173")];
    let post = [("origin", "http://localhost:5173")];
    for (method, path, headers) in [
        (Method::GET, "/ws", &upgrade[..]),
        (Method::POST, "/auth/signout", &post),
        (
            Method::POST,
            "/auth/signout",
            &[("origin", "http://localhost:5173"), ("sec-fetch-site", "cross-site")],
        ),
        (Method::GET, "/auth/session", &post),
    ] {
        let layer = layer_for(&osc).build().unwrap();
        let mut browser = Browser::new(app(&layer));
        browser.sign_in(&osc).await;
        let logs = Logs::collect();
        for _ in 0..2 {
            let answer = browser.send(method.clone(), path, headers).await;
            assert!(matches!(refusal(&answer).0, 401 | 403), "{path}");
        }
        warned_once(&logs, &["http://localhost:5173", "localhost:3000", "PUBLIC_URL", "changeOrigin"]);
    }
    // The app's own pages, and a stranger without a session, are not worth a line.
    let mut browser = Browser::new(app(&layer));
    let logs = Logs::collect();
    browser.send(Method::GET, "/ws", &upgrade).await;
    browser.sign_in(&osc).await;
    browser.send(Method::GET, "/auth/session", &[("sec-fetch-site", "cross-site")]).await;
    browser.send(Method::POST, "/auth/signout", &[("origin", "http://localhost:3000")]).await;
    assert!(lines(&logs, "WARN").is_empty(), "{}", logs.text());
}

/// Returns two processes of one app, each with its own sessions. Both know the same keys.
fn two_processes(osc: &MockOsc, clock: &QuickClock) -> [OscAuthLayer; 2] {
    [0, 1].map(|_| {
        let layer = layer_for(osc).cookie_key([7; 32]).clock(clock.clone()).store_url("memory:");
        layer.build().expect("it builds")
    })
}

#[tokio::test]
async fn two_processes_with_sessions_of_their_own_are_noticed() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = QuickClock::new();
    let [a, b] = two_processes(&osc, &clock);
    clock.advance(Duration::from_secs(1));
    let logs = Logs::collect();
    let mut browser = Browser::new(app(&a));
    for at in [&b, &a, &b] {
        let callback = osc_tests::callback(&mut browser, &osc).await;
        browser.switch_app(app(at));
        assert_eq!(location(&browser.navigate(&callback).await), "/");
    }
    let warnings = lines(&logs, "WARN");
    assert_eq!(warnings.len(), 2, "once for each process: {warnings:?}");
    assert!(warnings[0].contains("process") && warnings[0].contains("SESSION_STORE"), "{warnings:?}");
}

#[tokio::test]
async fn a_restart_during_a_sign_in_raises_no_alarm() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = QuickClock::new();
    let [before, _] = two_processes(&osc, &clock);
    let logs = Logs::collect();
    for _ in 0..3 {
        let mut browser = Browser::new(app(&before));
        let callback = osc_tests::callback(&mut browser, &osc).await;
        clock.advance(Duration::from_secs(1));
        let [after, _] = two_processes(&osc, &clock);
        browser.switch_app(app(&after));
        assert_eq!(location(&browser.navigate(&callback).await), "/");
        browser.sign_in(&osc).await;
    }
    assert!(lines(&logs, "WARN").is_empty(), "{}", logs.text());
}

#[tokio::test]
async fn processes_that_share_a_store_raise_no_alarm() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = QuickClock::new();
    let store = osc_auth_layer::test_util::MemoryStore::with_clock(clock.clone());
    let [a, b] = [0, 1].map(|_| {
        let layer = layer_for(&osc).cookie_key([7; 32]).clock(clock.clone()).store(store.clone());
        layer.build().expect("it builds")
    });
    clock.advance(Duration::from_secs(1));
    let logs = Logs::collect();
    let mut browser = Browser::new(app(&a));
    let callback = osc_tests::callback(&mut browser, &osc).await;
    browser.switch_app(app(&b));
    browser.navigate(&callback).await;
    assert_eq!(browser.fetch("/").await.body(), "signed in");
    assert!(lines(&logs, "WARN").is_empty(), "{}", logs.text());
}
