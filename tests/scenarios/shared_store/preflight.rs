//! `check()` with a store that fails, breaks its promises, or finds something itself.

use std::time::Duration;

use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayer;
use osc_auth_layer::preflight::{Finding, Severity, Subject};
use osc_auth_layer::store::{Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher};
use osc_auth_layer::test_util::MemoryStore;
use osc_tests::{
    Op, RiggedStore, Trouble, WatchedClock, assert_found, assert_nothing_found, layer_for, preflight, soon,
};

async fn layer(osc: &MockOsc, store: impl SessionStore) -> OscAuthLayer {
    layer_for(osc).store(store).build().expect("the test's layer builds")
}

async fn provider() -> MockOsc {
    MockOsc::builder().start().await.expect("the mock starts")
}

/// How a [`Custom`] store checks itself, or breaks a promise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Finds,
    Fails,
    Panics,
    Hangs,
    ForgetsGroups,
    KeepsDeleted,
    Truncates,
}

struct Custom {
    store: MemoryStore,
    way: Way,
}

impl SessionStore for Custom {
    fn namespace(&self) -> &str {
        "custom"
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        Box::pin(async move {
            let mut found = self.store.get(key).await?;
            if let (Way::Truncates, Some(entry)) = (self.way, &mut found.entry) {
                entry.value.truncate(3);
            }
            Ok(found)
        })
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        let group = swap.group.filter(|_| self.way != Way::ForgetsGroups);
        self.store.swap(key, Swap { group, ..swap })
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.store.touch(key, expected, expires_in)
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        match self.way {
            Way::KeepsDeleted => Box::pin(async { Ok(()) }),
            _ => self.store.delete(key, expected),
        }
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.store.members(group)
    }

    fn watch(&self, watcher: Watcher) {
        self.store.watch(watcher);
    }

    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        Box::pin(async {
            match self.way {
                Way::Finds => {
                    let finding =
                        Finding::new(Subject::Store, Severity::Warning, "It is nearly\nfull.", "Make room.");
                    Ok(vec![finding])
                }
                Way::Fails => Err(StoreError::new("its server is asleep")),
                Way::Panics => panic!("panic injected by the test"),
                Way::Hangs => std::future::pending().await,
                _ => Ok(Vec::new()),
            }
        })
    }
}

#[tokio::test]
async fn a_right_store_has_no_findings_and_no_entry_is_left() {
    let osc = provider().await;
    let store = MemoryStore::new();
    let empty = store.dump();
    assert_nothing_found(&preflight(&layer(&osc, store.clone()).await, &[]).await);
    assert_eq!(store.dump(), empty);
    let without = MemoryStore::without_notifications(osc_tests::StillClock::default());
    assert_nothing_found(&preflight(&layer(&osc, without).await, &[]).await);
}

#[tokio::test]
async fn a_store_that_is_down_is_one_finding() {
    let osc = provider().await;
    let store = MemoryStore::new();
    store.go_down();
    let layer = layer(&osc, store.clone()).await;
    let report = preflight(&layer, &[]).await;
    assert_found(&report, Severity::Error, Subject::Store, "the test made it unavailable");
    store.come_back();
    assert_nothing_found(&preflight(&layer, &[]).await);
}

#[tokio::test]
async fn each_operation_that_fails_is_found() {
    let osc = provider().await;
    // The rig takes the entry of the preflight for a value that no session has.
    for op in [Op::Once, Op::Touch, Op::Members] {
        for trouble in [Trouble::Fails, Trouble::Panics] {
            let store = RiggedStore::new(MemoryStore::new());
            store.trouble(op, trouble);
            let report = preflight(&layer(&osc, store).await, &[]).await;
            let cause = if trouble == Trouble::Fails { "failure injected" } else { "it panicked" };
            assert_found(&report, Severity::Error, Subject::Store, cause);
        }
    }
}

#[tokio::test]
async fn broken_promises_of_a_store_are_found() {
    let osc = provider().await;
    for (way, broken) in [
        (Way::ForgetsGroups, "did not list a new entry in its group"),
        (Way::KeepsDeleted, "returned an entry after its removal"),
        (Way::Truncates, "did not return what was written"),
    ] {
        let store = Custom { store: MemoryStore::new(), way };
        let report = preflight(&layer(&osc, store).await, &[]).await;
        assert_found(&report, Severity::Error, Subject::Store, broken);
        assert!(report.to_string().contains("store_contract"), "{report}");
    }
}

#[tokio::test]
async fn a_custom_store_adds_its_own_findings() {
    let osc = provider().await;
    for (way, severity, text) in [
        (Way::Finds, Severity::Warning, "warning, session store: It is nearly full. Make room."),
        (Way::Fails, Severity::Error, "its server is asleep"),
        (Way::Panics, Severity::Error, "it panicked"),
    ] {
        let store = std::sync::Arc::new(Custom { store: MemoryStore::new(), way });
        let report = preflight(&layer(&osc, store).await, &[]).await;
        assert_found(&report, severity, Subject::Store, text);
    }
}

#[tokio::test]
async fn a_store_that_never_answers_ends_the_check_in_time() {
    let osc = provider().await;
    let clock = WatchedClock::default();
    let store = Custom { store: MemoryStore::new(), way: Way::Hangs };
    let layer = layer_for(&osc).clock(clock.clone()).store(store).build().expect("it builds");
    let passing = async {
        let limit = Duration::from_secs(5);
        clock.slept(limit..=limit, 1).await;
        clock.advance(limit);
    };
    let (report, ()) = soon(futures_util::future::join(layer.check(), passing)).await;
    // Five seconds are within what the clock may differ from the provider's.
    assert_found(&report, Severity::Error, Subject::Store, "it did not answer within 5 seconds");
}
