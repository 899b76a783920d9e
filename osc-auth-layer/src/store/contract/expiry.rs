//! The store's time, and entries that expire.

use std::time::{Duration, Instant, SystemTime};

use super::{GRAIN, LONG, Node, Nodes, create, get, held, key, ok, swap, until};

const SHORT: Duration = Duration::from_millis(500);

/// The precision that a store needs.
const COARSE: Duration = Duration::from_secs(1);

async fn now(node: &Node) -> SystemTime {
    ok(node.get(&key())).await.now
}

/// Returns the difference of two times.
fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// Returns the time until an entry expires.
async fn left(node: &Node, key: &str) -> Duration {
    let found = ok(node.get(key)).await;
    let entry = found.entry.expect("an entry stays until it is deleted or expires");
    entry.expires_at.duration_since(found.now).expect("an entry that has expired is absent")
}

pub(super) async fn all_nodes_have_the_same_time(Nodes { here, there }: &Nodes) {
    let before = Instant::now();
    let (first, second) = (now(here).await, now(there).await);
    let most = before.elapsed() + COARSE;
    assert!(apart(first, second) <= most, "the store's time is the same for all nodes");
    until("the store's time goes on", async || (now(there).await > first).then_some(())).await;
    let (passed, most) = (apart(first, now(here).await), before.elapsed() + COARSE);
    assert!(passed <= most, "the store's time does not run faster than others: {passed:?}");
}

pub(super) async fn an_entry_expires_and_nothing_brings_it_back(Nodes { here, there }: &Nodes) {
    let before = Instant::now();
    let (key, version) = create(here, SHORT).await;
    until("an entry expires, and reading does not put that off", async || {
        get(there, &key).await.is_none().then_some(())
    })
    .await;
    assert!(before.elapsed() + GRAIN >= SHORT, "an entry does not expire early");
    let swapped = swap(here, &key, Some(version), b"2", Some(LONG)).await;
    assert_eq!(swapped.expect_err("an expired entry is absent").entry, None, "an expired entry is absent");
    ok(there.touch(&key, version, LONG)).await;
    assert_eq!(get(here, &key).await, None, "a touch does not bring an expired entry back");
    swap(there, &key, None, b"3", Some(LONG)).await.expect("the key of an expired entry is free");
}

pub(super) async fn a_swap_moves_the_expiry_only_if_told_to(Nodes { here, there }: &Nodes) {
    let (key, version) = create(here, LONG).await;
    let kept = held(there, &key).await.expires_at;
    let version = swap(there, &key, Some(version), b"2", None).await.expect("the expected version is there");
    assert!(apart(held(here, &key).await.expires_at, kept) <= GRAIN, "a swap without an expiry leaves it");
    swap(there, &key, Some(version), b"3", Some(LONG / 2)).await.expect("the expected version is there");
    let left = left(here, &key).await;
    assert!(
        left <= LONG / 2 && left + super::PATIENCE >= LONG / 2,
        "a swap may shorten the expiry: {left:?}"
    );
}

pub(super) async fn a_touch_moves_the_expiry_and_never_back(Nodes { here, there }: &Nodes) {
    let (key, version) = create(here, LONG / 2).await;
    ok(there.touch(&key, version, LONG)).await;
    let touched = left(here, &key).await;
    assert!(touched > LONG / 2 && touched <= LONG, "a touch moves the expiry: {touched:?}");
    ok(here.touch(&key, version, SHORT)).await;
    assert!(left(there, &key).await > LONG / 2, "a touch never shortens the expiry");
    let entry = held(there, &key).await;
    assert_eq!((entry.version, &*entry.value), (version, &b"1"[..]), "a touch changes nothing else");
    ok(here.touch(&key, crate::store::Version::random(), 2 * LONG)).await;
    assert!(left(there, &key).await <= LONG, "a stale touch does nothing");
}
