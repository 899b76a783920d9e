//! Scenarios that hold for every database.

use std::time::Duration;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::store::{SessionStore, Swap, Swapped, Version};
use osc_tests::{Browser, app, holds, layer_for, soon, token_of};

use crate::fleet::{Fleet, until};

/// Returns a key of the form that the layer uses.
pub(crate) fn key(number: u8) -> String {
    format!("{}{:042}", char::from(b'A' + number), 0)
}

/// Returns a swap that makes an entry.
pub(crate) fn new(value: &[u8], expires_in: Duration) -> Swap<'_> {
    let version = Version::from_bytes([1; 16]);
    Swap { expected: None, version, value, expires_in: Some(expires_in), group: None }
}

pub(crate) async fn namespaces_are_apart(one: &impl SessionStore, other: &impl SessionStore) {
    let minute = Duration::from_secs(60);
    soon(one.swap("key", new(b"one", minute))).await.expect("it is written");
    assert_eq!(soon(other.get("key")).await.expect("it is read").entry, None);
    soon(other.swap("key", new(b"other", minute))).await.expect("it is written");
    assert_eq!(soon(one.get("key")).await.expect("it is read").entry.expect("it is there").value, b"one");
}

/// Builds a layer outside a runtime, and uses it in one, and in another when the first has ended.
pub(crate) fn works_in_one_runtime_after_another(store: impl SessionStore) {
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    let provider = runtime();
    let osc = provider.block_on(MockOsc::builder().start()).expect("the mock starts");
    let layer = layer_for(&osc).store(store).build().expect("the test's layer builds");
    let mut browser = Browser::new(app(&layer));
    for round in 0..3 {
        runtime().block_on(async {
            if round != 1 {
                browser.forget_cookies("");
                let answer = soon(browser.sign_in(&osc)).await;
                assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{round}: {answer:?}");
            }
            assert!(token_of(&soon(browser.fetch("/")).await).is_some(), "{round}");
        });
    }
}

/// Writes entries that expire, and looks until a layer that nobody uses has removed all of them.
pub(crate) async fn expired_entries_go<S: SessionStore + Clone>(store: &S, count: impl AsyncFn() -> usize) {
    const MANY: u8 = 20;
    for number in 0..MANY {
        let swapped = soon(store.swap(&key(number), new(b"1", Duration::from_secs(2)))).await;
        assert!(matches!(swapped, Ok(Swapped::Done { .. })), "{swapped:?}");
    }
    assert_eq!(count().await, usize::from(MANY), "the machine is too slow for this test");
    until("they expire", async || soon(store.get(&key(MANY - 1))).await.expect("it is read").entry.is_none())
        .await;
    assert!(count().await > 0, "they stay until something removes them");
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let layer = layer_for(&osc).store(store.clone()).build().expect("the test's layer builds");
    until("they are gone", async || count().await == 0).await;
    drop(layer);
}

/// Checks that a copy of the database holds what it must, and neither a token nor a session id.
pub(crate) async fn holds_no_secret<S>(cluster: &Fleet<S>, copy: &[u8]) {
    for known in ["osc-auth", "\"rotation\""] {
        assert!(holds(copy, known.as_bytes()), "the searched data lacks {known}");
    }
    let mut secrets = cluster.osc.issued_tokens();
    secrets.push(cluster.osc.client_secret());
    secrets.extend(cluster.browser.cookies().values().cloned());
    assert!(secrets.len() > 4, "{secrets:?}");
    for secret in secrets {
        // A JWT ends with its signature.
        let end = &secret[secret.len().saturating_sub(30)..];
        assert!(!holds(copy, end.as_bytes()), "{secret}");
    }
}
