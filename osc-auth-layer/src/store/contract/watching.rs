//! Notifications of changes, which a store may send.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Coherence, RecordName, Watcher};
use super::{LONG, Nodes, key, ok, swap, until};

/// How long the layer trusts a confirmation.
const TRUST: Duration = Duration::from_secs(1);

async fn confirmation(coherence: &Coherence, since: Instant) {
    until(
        "a store that keeps a watcher confirms again and again that it sent all notifications",
        async || coherence.is_trusted(since + TRUST).then_some(()),
    )
    .await;
}

async fn is_notified<T>(
    coherence: &Coherence,
    name: &RecordName,
    verb: &str,
    operation: impl Future<Output = T>,
) -> T {
    let before = coherence.before_read(name);
    let result = operation.await;
    confirmation(coherence, Instant::now()).await;
    let was_notified = coherence.has_changed(name, before);
    assert!(
        was_notified,
        "a store notifies of every change before it confirms: there was none of a `{verb}`"
    );
    result
}

pub(super) async fn a_store_that_takes_a_watcher_notifies_it_of_every_change(nodes: &Nodes) {
    let coherence = Arc::new(Coherence::new());
    let before = Arc::weak_count(&coherence);
    nodes.here.watch(Watcher::new(&coherence));
    // A store without notifications does not keep the watcher.
    if Arc::weak_count(&coherence) == before {
        return;
    }
    confirmation(&coherence, Instant::now()).await;
    for node in [&nodes.there, &nodes.here] {
        let key = key();
        let name = &RecordName::parse(&key).expect("a key of the form that the layer uses");
        let created = swap(node, &key, None, b"1", Some(LONG));
        let first = is_notified(&coherence, name, "swap", created).await.expect("a new key is free");
        let written = swap(node, &key, Some(first), b"2", None);
        let second = is_notified(&coherence, name, "swap", written).await.expect("the version is there");
        is_notified(&coherence, name, "delete", async { ok(node.delete(&key, second)).await }).await;
    }
}
