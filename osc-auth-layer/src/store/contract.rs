//! Tests the promises of [`SessionStore`] on a store.

mod bytes;
mod ending;
mod expiry;
mod lease;
mod once;
mod record;
mod times;
mod watching;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Expiry, Found, Record, SessionStore, StoreFuture};
use crate::secret::random_bytes;

/// The layer's own defaults: nothing expires while a promise is tried.
const LONG: Expiry =
    Expiry { idle: Duration::from_secs(24 * 60 * 60), absolute: Duration::from_secs(30 * 24 * 60 * 60) };

/// Longer than the two seconds that the layer waits, so that a busy machine fails no good store.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clocks tell whole milliseconds, and some servers look at theirs only now and then.
const GRAIN: Duration = Duration::from_millis(50);

/// How many do the same at once.
const MANY: u8 = 16;

/// Tests that a store keeps the promises of [`SessionStore`]. Takes about four seconds.
///
/// `node` connects to the store as one node of an app does. It is called twice, and must connect to the same data both times.
/// The store may contain records already: the test uses random names. Use a multi-threaded runtime, which finds most faults.
///
/// If the store uses a [`Watcher`](crate::Watcher), test it against a server that sends notifications.
///
/// Not tested: that a failing store returns errors, and that a mark lasts for all of [`ENDED_FOR`](super::ENDED_FOR).
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

    record::nodes_of_one_app_have_one_namespace(nodes);
    record::what_was_never_created_is_absent(nodes).await;
    record::a_new_record_is_what_was_written(nodes).await;
    record::create_never_overwrites(nodes).await;
    record::of_many_creates_one_counts(nodes).await;
    record::replace_needs_the_version_it_replaces(nodes).await;
    record::of_many_replaces_one_counts(nodes).await;
    record::refuse_marks_one_version_only(nodes).await;

    times::all_nodes_have_the_same_time(nodes).await;
    times::a_record_tells_its_age_and_its_end(nodes).await;
    times::only_a_touch_is_use(nodes).await;
    times::a_replacement_is_young_and_no_use(nodes).await;

    bytes::every_byte_survives(nodes).await;
    bytes::names_that_differ_in_case_are_two(nodes).await;
    bytes::large_versions_are_told_apart(nodes).await;

    lease::of_many_owners_one_gets_the_lease(nodes).await;
    lease::a_lease_holds_for_its_owner_until_it_is_given_back(nodes).await;
    lease::a_lease_comes_with_the_record_and_stays_when_that_changes(nodes).await;
    lease::a_lease_ends_by_itself_and_is_then_no_longer_its_owners(nodes).await;

    ending::the_first_ending_counts(nodes).await;
    ending::of_many_endings_one_counts(nodes).await;
    ending::what_ended_does_not_come_back(nodes).await;
    ending::an_end_wins_against_writes_at_the_same_time(nodes).await;
    ending::a_mark_outlasts_the_record_it_stands_for(nodes).await;

    expiry::an_idle_record_expires_whatever_is_written(nodes).await;
    expiry::a_record_expires_in_the_end_however_much_it_is_used(nodes).await;
    expiry::a_record_in_use_does_not_expire(nodes).await;

    once::of_many_writes_of_what_exists_once_the_first_counts(nodes).await;
    once::what_exists_once_can_be_removed(nodes).await;
    once::what_exists_once_expires(nodes).await;
    once::sessions_and_what_exists_once_do_not_meet(nodes).await;

    watching::a_store_that_takes_a_watcher_tells_it_of_every_change(nodes).await;
}

type Node = Arc<dyn SessionStore>;

/// Two nodes of one app.
struct Nodes {
    here: Node,
    there: Node,
}

/// A name such as the layer gives.
fn name() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

/// What a store answers that is in reach.
#[track_caller]
fn ok<'s, T: 's>(operation: StoreFuture<'s, T>) -> impl Future<Output = T> + 's {
    let caller = Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, operation).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("{error} ({caller})"),
            Err(_) => panic!("an operation comes to an end within two seconds: this one did not ({caller})"),
        }
    }
}

/// A record that has neither ended nor expired.
async fn live(node: &Node, name: &str) -> Record {
    match ok(node.read(name)).await {
        Found::Live(record) => record,
        other => panic!("a record stays until it ends or expires: this one is {other:?}"),
    }
}

/// Makes a record of version 1 that holds `1`.
async fn create(node: &Node, expiry: Expiry) -> String {
    let name = name();
    assert!(ok(node.create(&name, b"1", expiry)).await, "a name that was never used is free");
    name
}

/// What is promised of a record besides its times.
fn content(record: &Record) -> (u64, &[u8], bool) {
    (record.version, &record.sealed, record.refused)
}

/// Does the same many times at once, on both nodes, and tells what each came to.
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

/// Asks until there is an answer: a store has no event for what happens by itself.
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
