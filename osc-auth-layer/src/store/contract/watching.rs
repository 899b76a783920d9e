//! Telling of changes, which a store may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Coherence, Ending, RecordName, Watcher};
use super::{LONG, Nodes, name, ok, until};

/// How long the layer trusts a confirmation.
const TRUST: Duration = Duration::from_secs(1);

/// A layer that hears what a store tells.
struct Ear(Arc<Coherence>);

impl Ear {
    fn coherence(&self) -> &Coherence {
        &self.0
    }

    async fn confirmation(&self, since: Instant) {
        until("a store that took a watcher says again and again that all changes were told", async || {
            self.coherence().is_trusted(since + TRUST).then_some(())
        })
        .await;
    }

    async fn hears(&self, name: &RecordName, change: &str, operation: impl Future<Output: Sized>) {
        let before = self.coherence().before_read(name);
        operation.await;
        self.confirmation(Instant::now()).await;
        let told = self.coherence().before_read(name) != before;
        assert!(told, "a store tells of every change before it says so: it was silent about `{change}`");
    }
}

pub(super) async fn a_store_that_takes_a_watcher_tells_it_of_every_change(nodes: &Nodes) {
    let ear = Ear(Arc::new(Coherence::new()));
    let before = Arc::weak_count(&ear.0);
    nodes.here.watch(Watcher::new(&ear.0));
    // A store that tells nothing does not keep the watcher.
    if Arc::weak_count(&ear.0) == before {
        return;
    }
    ear.confirmation(Instant::now()).await;
    for node in [&nodes.there, &nodes.here] {
        let text = name();
        let name = &RecordName::parse(&text).expect("a name such as the layer gives");
        ear.hears(name, "create", async { ok(node.create(&text, b"1", LONG)).await }).await;
        ear.hears(name, "touch", async { ok(node.touch(&text)).await }).await;
        ear.hears(name, "refuse", async { ok(node.refuse(&text, 1)).await }).await;
        ear.hears(name, "lease", async { ok(node.lease(&text, "owner", LONG.idle)).await }).await;
        ear.hears(name, "replace", async { ok(node.replace(&text, 1, 2, b"2")).await }).await;
        ear.hears(name, "release", async { ok(node.release(&text, "owner")).await }).await;
        ear.hears(name, "end", async { ok(node.end(&text, Ending::SignedOut)).await }).await;
    }
}
