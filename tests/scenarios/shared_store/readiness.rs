//! `ready()` of a node whose store fails, or does not notify.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{Impairment, OscAuthLayer};
use osc_tests::{RunningClock, WatchedClock, layer_for, soon};

const SECOND: Duration = Duration::from_secs(1);

struct Probed {
    osc: MockOsc,
    store: MemoryStore,
    clock: WatchedClock,
    layer: OscAuthLayer,
}

impl Probed {
    async fn with(store: MemoryStore) -> Self {
        let osc = MockOsc::builder().start().await.expect("the mock starts");
        let clock = WatchedClock::default();
        let layer = layer_for(&osc).clock(clock.clone()).store(store.clone());
        Self { layer: layer.build().expect("the test's layer builds"), osc, store, clock }
    }

    /// Asks after the last answer is too old to be kept.
    async fn impairments(&self) -> (bool, Vec<Impairment>) {
        self.clock.advance(SECOND);
        let readiness = soon(self.layer.ready()).await;
        (readiness.is_ready(), readiness.impairments().to_vec())
    }
}

#[tokio::test]
async fn a_hundred_probes_ask_the_store_and_the_provider_once() {
    let probed = Probed::with(MemoryStore::new()).await;
    probed.store.hold();
    let mut probes = Box::pin(join_all((0..100).map(|_| probed.layer.ready())));
    assert!(probes.as_mut().now_or_never().is_none(), "they wait for the store");
    soon(probed.osc.wait_for_requests(Endpoint::Metadata, 1)).await;
    assert_eq!(probed.store.operations(), 0);
    probed.store.release();
    for readiness in soon(probes).await {
        assert_eq!((readiness.is_ready(), readiness.to_string().as_str()), (true, "ready"));
    }
    assert_eq!((probed.store.operations(), probed.osc.count(Endpoint::Metadata)), (1, 1));
}

#[tokio::test]
async fn a_hammered_probe_asks_the_store_once_a_second() {
    let probed = Probed::with(MemoryStore::new()).await;
    let started = Instant::now();
    for _ in 0..1_000 {
        assert!(soon(probed.layer.ready()).await.is_ready());
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).expect("a small number");
    assert!((1..=1 + seconds).contains(&probed.store.operations()), "{}", probed.store.operations());
    let so_far = probed.store.operations();
    probed.impairments().await;
    assert_eq!(probed.store.operations(), so_far + 1, "after a second it asks again");
}

#[tokio::test]
async fn a_node_without_its_store_is_not_ready_until_it_is_back() {
    let probed = Probed::with(MemoryStore::new()).await;
    assert_eq!(probed.impairments().await, (true, vec![]));
    probed.store.go_down();
    assert_eq!(probed.impairments().await, (false, vec![Impairment::Store]));
    probed.store.come_back();
    assert_eq!(probed.impairments().await, (true, vec![]));
}

#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for_longer_than_an_operation() {
    let probed = Probed::with(MemoryStore::new()).await;
    // The metadata is known from here on.
    assert_eq!(probed.impairments().await, (true, vec![]));
    probed.clock.advance(SECOND);
    probed.store.hold();
    let limit = 2 * SECOND..=2 * SECOND;
    let so_far = probed.clock.sleeps(limit.clone());
    let passing = async {
        probed.clock.slept(limit, so_far + 1).await;
        probed.clock.advance(2 * SECOND);
    };
    let (readiness, ()) = soon(join(probed.layer.ready(), passing)).await;
    assert_eq!((readiness.is_ready(), readiness.impairments()), (false, &[Impairment::Store][..]));
    probed.store.release();
    assert_eq!(probed.impairments().await, (true, vec![]));
}

#[tokio::test]
async fn missing_notifications_impair_a_node_that_stays_ready() {
    let probed = Probed::with(MemoryStore::new()).await;
    assert_eq!(probed.impairments().await, (true, vec![]));
    probed.store.stop_notifications();
    assert_eq!(probed.impairments().await, (true, vec![Impairment::Notifications]));
    probed.store.resume_notifications();
    assert_eq!(probed.impairments().await, (true, vec![]));
}

#[tokio::test]
async fn a_store_that_cannot_notify_lacks_nothing() {
    let probed = Probed::with(MemoryStore::without_notifications(RunningClock::default())).await;
    assert_eq!(probed.impairments().await, (true, vec![]));
}

#[tokio::test]
async fn a_node_that_shuts_down_is_not_ready_at_once() {
    let probed = Probed::with(MemoryStore::new()).await;
    assert!(soon(probed.layer.ready()).await.is_ready());
    soon(probed.layer.shutdown(SECOND)).await.expect("no task is under way");
    let readiness = soon(probed.layer.ready()).await;
    assert_eq!((readiness.is_ready(), readiness.impairments()), (false, &[Impairment::ShuttingDown][..]));
}
