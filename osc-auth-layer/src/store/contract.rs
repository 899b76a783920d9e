//! Tests the promises of [`SessionStore`] on a store.

mod bytes;
mod expiry;
mod groups;
mod swap;
mod watching;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Entry, Found, SessionStore, StoreFuture, Swap, Swapped, Version};
use crate::secret::random_bytes;

/// Nothing expires during the test.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than the two seconds that the layer waits, so that a busy machine fails no good store.
const PATIENCE: Duration = Duration::from_secs(10);

/// Times are in whole milliseconds, and some servers read their clock only now and then.
const GRAIN: Duration = Duration::from_millis(50);

/// The number of concurrent operations.
const MANY: u8 = 16;

/// Tests that a store keeps the promises of [`SessionStore`]. Takes about three seconds.
///
/// `node` connects to the store as one node of an app does. It is called twice, and must connect to the same data both times.
/// The store may contain entries already, because the test uses random keys. Use a multi-threaded runtime, which finds most faults.
///
/// If the store uses a [`Watcher`](crate::store::Watcher), test it against a server that sends notifications.
///
/// Not tested: that a failing store returns errors.
///
/// ```
/// use osc_auth_layer::test_util::{MemoryStore, store_contract};
///
/// # // Stands for `#[tokio::test(flavor = "multi_thread")]`, which would be removed from the example.
/// # #[tokio::main]
/// # async fn main() {
/// let place = MemoryStore::new();
/// store_contract::run(async || place.clone()).await;
/// # }
/// ```
///
/// # Panics
/// If the store breaks a promise, which the panic names, or if it fails.
pub async fn run<S: SessionStore>(node: impl AsyncFn() -> S) {
    let nodes = &Nodes { here: Arc::new(node().await), there: Arc::new(node().await) };

    swap::nodes_of_one_app_have_one_namespace(nodes);
    swap::an_unknown_key_is_absent(nodes).await;
    swap::a_new_entry_is_read_by_every_node(nodes).await;
    swap::a_swap_needs_the_expected_version(nodes).await;
    swap::of_many_new_entries_one_counts(nodes).await;
    swap::of_many_swaps_one_counts(nodes).await;
    swap::a_deleted_entry_is_absent(nodes).await;

    bytes::every_byte_survives(nodes).await;
    bytes::keys_that_differ_in_case_are_two(nodes).await;

    expiry::all_nodes_have_the_same_time(nodes).await;
    expiry::an_entry_expires_and_nothing_brings_it_back(nodes).await;
    expiry::a_swap_moves_the_expiry_only_if_told_to(nodes).await;
    expiry::a_touch_moves_the_expiry_and_never_back(nodes).await;

    groups::a_group_has_its_live_entries(nodes).await;
    groups::an_entry_belongs_to_the_group_of_its_last_swap(nodes).await;

    watching::a_store_that_takes_a_watcher_notifies_it_of_every_change(nodes).await;
}

type Node = Arc<dyn SessionStore>;

/// Two nodes of one app.
struct Nodes {
    here: Node,
    there: Node,
}

/// Returns a random key, of the form that the layer uses.
fn key() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

/// Waits for the answer of a store that is in reach.
#[track_caller]
fn ok<'s, T: 's>(operation: StoreFuture<'s, T>) -> impl Future<Output = T> + 's {
    let caller = Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, operation).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("{error:?} ({caller})"),
            Err(_) => panic!("an operation ends within two seconds: this one did not ({caller})"),
        }
    }
}

async fn get(node: &Node, key: &str) -> Option<Entry> {
    ok(node.get(key)).await.entry
}

/// Returns the entry of a key that has one.
async fn held(node: &Node, key: &str) -> Entry {
    get(node, key).await.expect("an entry stays until it is deleted or expires")
}

/// Swaps, and returns the new version. `Err` contains what the store holds instead.
async fn swap(
    node: &Node,
    key: &str,
    expected: Option<Version>,
    value: &[u8],
    expires_in: Option<Duration>,
) -> Result<Version, Found> {
    let version = Version::random();
    match ok(node.swap(key, Swap { expected, version, value, expires_in, group: None })).await {
        Swapped::Done { .. } => Ok(version),
        Swapped::Conflict(found) => Err(found),
    }
}

/// Makes a new entry with the value `1`.
async fn create(node: &Node, expires_in: Duration) -> (String, Version) {
    let key = key();
    let created = swap(node, &key, None, b"1", Some(expires_in)).await;
    (key, created.expect("a new key is free"))
}

/// Runs many operations at once, on both nodes, and returns their results.
async fn at_once<F>(nodes: &Nodes, operation: impl Fn(Node, u8) -> F) -> Vec<(u8, F::Output)>
where
    F: Future<Output: Send> + Send + 'static,
{
    let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(MANY.into())));
    for number in 0..MANY {
        let node = if number % 2 == 0 { &nodes.here } else { &nodes.there };
        let (operation, start) = (operation(node.clone(), number), start.clone());
        tasks.spawn(async move {
            start.wait().await;
            (number, operation.await)
        });
    }
    tasks.join_all().await
}

/// Asks until there is an answer, because a store has no event for an expiry.
async fn until<T>(promise: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{promise}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
