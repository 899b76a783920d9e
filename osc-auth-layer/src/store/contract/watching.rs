//! Telling of changes, which a store may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::memory::MemoryStore;
use super::super::{Coherence, Ending, RecordName, Watcher};
use super::{LONG, Nodes, name, ok, until};
use crate::Client;
use crate::clock::SystemClock;
use crate::layer::OscAuthLayer;
use crate::shared::Shared;

/// How long the layer trusts a confirmation.
const TRUST: Duration = Duration::from_secs(1);

/// A layer that hears what a store tells.
struct Ear {
    layer: Arc<Shared>,
}

impl Ear {
    fn new() -> Self {
        let client = Client::confidential("store-contract", "no more than a name for this layer");
        // A store of its own, which says nothing.
        let layer = OscAuthLayer::builder(client).store(MemoryStore::untold(SystemClock)).build();
        Self { layer: layer.expect("the configuration is complete").shared }
    }

    fn coherence(&self) -> &Coherence {
        self.layer.coherence().expect("a layer with a store needs it")
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
    let ear = Ear::new();
    let before = Arc::weak_count(&ear.layer);
    nodes.here.watch(Watcher::new(Arc::downgrade(&ear.layer)));
    // A store that tells nothing does not keep the watcher.
    if Arc::weak_count(&ear.layer) == before {
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
