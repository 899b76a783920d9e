//! No wait of the layer outlasts its real duration, although a `TestClock` stands still.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use http::Request;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::{MemoryStore, TestClock, TestToken};
use osc_auth_layer::{Clock, ContextErrorKind, OscAuthLayer, OscAuthLayerBuilder, OscToken};
use osc_tests::{
    ADSERVER, Answer, Body, EXPIRED, Op, RiggedStore, Trouble, app, echo, error_of, layer_for, soon, token_of,
};
use tower::{Layer, ServiceExt, service_fn};

/// A request waits for ten seconds, and a request to the provider for 25.
const PATIENCE: Duration = Duration::from_secs(15);

/// An app whose user is signed in, and a clock that nobody moves from here on.
struct Scene {
    osc: MockOsc,
    clock: TestClock,
    layer: OscAuthLayer,
    cookie: http::HeaderValue,
}

impl Scene {
    async fn with(configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder) -> Self {
        Self::at(TestClock::new(), configure).await
    }

    async fn at(
        clock: TestClock,
        configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
    ) -> Self {
        let osc = MockOsc::builder().start().await.expect("the mock starts");
        let layer = configure(layer_for(&osc).clock(clock.clone())).build().expect("it builds");
        let cookie = layer.sign_in_for_test(TestToken::from_answer(osc.grant_for("ada"))).await;
        Self { osc, clock, layer, cookie }
    }

    async fn with_expired_token() -> Self {
        let scene = Self::with(|layer| layer).await;
        scene.clock.advance(EXPIRED);
        scene
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_from(&self.layer, path).await
    }

    async fn get_from(&self, layer: &OscAuthLayer, path: &str) -> Answer {
        let request = Request::get(path).header("cookie", &self.cookie).body(Body::default()).expect("valid");
        soon(app(layer).oneshot(request)).await.expect("the app answers")
    }

    /// Returns what a request that meets an outage is told.
    async fn outage(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 503, "{answer:?}");
        error_of(&answer)
    }
}

#[tokio::test]
async fn a_failing_provider_is_tried_again_and_answered_as_an_outage() {
    for fault in [Fault::Status(503), Fault::LostAnswer] {
        let scene = Scene::with_expired_token().await;
        let _fault = scene.osc.fault(Endpoint::Token, fault);
        assert_eq!(scene.outage("/").await, "temporarily_unavailable");
        assert_eq!(scene.osc.count_grants("refresh_token"), 2);
    }
}

#[tokio::test]
async fn a_brief_failure_is_not_seen() {
    let scene = Scene::with_expired_token().await;
    let _fault = scene.osc.fault(Endpoint::Token, Fault::Status(503)).once();
    assert!(token_of(&scene.get("/").await).is_some());
}

#[tokio::test(start_paused = true)]
async fn paused_time_passes_through_the_retry() {
    let scene = Scene::with_expired_token().await;
    let _fault = scene.osc.fault(Endpoint::Token, Fault::Status(503)).once();
    let (begun, real) = (tokio::time::Instant::now(), Instant::now());
    assert!(token_of(&scene.get("/").await).is_some());
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(real.elapsed() < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_request_gives_up_on_a_provider_that_hangs() {
    let scene = Scene::with_expired_token().await;
    let (hold, begun) = (scene.osc.hold(Endpoint::Token), tokio::time::Instant::now());
    assert_eq!(scene.outage("/").await, "temporarily_unavailable");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert!(token_of(&scene.get("/public").await).is_none());
    hold.release();
}

#[tokio::test(start_paused = true)]
async fn a_node_gives_up_on_the_lease_of_another() {
    let clock = TestClock::new();
    for store in [MemoryStore::with_clock(clock.clone()), MemoryStore::without_notifications(clock.clone())] {
        let shared = || |layer: OscAuthLayerBuilder| layer.store(store.clone()).cookie_key([7; 32]);
        let scene = Scene::at(clock.clone(), shared()).await;
        let other = shared()(layer_for(&scene.osc).clock(scene.clock.clone())).build().expect("it builds");
        scene.clock.advance(EXPIRED);
        let hold = scene.osc.hold(Endpoint::Token);
        let (here, there) = tokio::join!(scene.outage("/"), scene.get_from(&other, "/"));
        assert_eq!((here.as_str(), there.status().as_u16()), ("temporarily_unavailable", 503));
        assert_eq!(scene.osc.count_grants("refresh_token"), 1);
        hold.release();
        assert!(
            token_of(&scene.get_from(&other, "/").await).is_some(),
            "it waits for the other node's tokens"
        );
        assert_eq!(scene.osc.count_grants("refresh_token"), 1);
    }
}

#[tokio::test]
async fn a_store_that_hangs_is_answered_as_an_outage() {
    let store = RiggedStore::new(MemoryStore::new());
    let shared = || |layer: OscAuthLayerBuilder| layer.store(store.clone()).cookie_key([7; 32]);
    let scene = Scene::with(shared()).await;
    let cold = shared()(layer_for(&scene.osc).clock(scene.clock.clone())).build().expect("it builds");
    store.trouble(Op::Read, Trouble::Hangs);
    let (private, public) = tokio::join!(scene.get_from(&cold, "/"), scene.get_from(&cold, "/public"));
    assert_eq!(private.status(), 503);
    assert!(public.status() == 200 && token_of(&public).is_none(), "{public:?}");
}

#[tokio::test(start_paused = true)]
async fn a_callback_gives_up_on_a_provider_that_hangs() {
    let scene = Scene::with(|layer| layer).await;
    let (hold, begun) = (scene.osc.hold(Endpoint::Token), tokio::time::Instant::now());
    let error = scene
        .osc
        .sign_in_as("grace", &scene.layer.layer(service_fn(echo::<String>)))
        .await
        .expect_err("it hangs");
    assert_eq!(error.status(), Some(502), "{error}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    hold.release();
}

#[tokio::test]
async fn a_shutdown_ends_at_its_deadline() {
    let scene = Scene::with_expired_token().await;
    let hold = scene.osc.hold(Endpoint::Token);
    let asked = tokio::spawn(
        app(&scene.layer)
            .oneshot(Request::get("/").header("cookie", &scene.cookie).body(Body::default()).expect("valid")),
    );
    soon(hold.arrived(1)).await;
    assert!(soon(scene.layer.shutdown(Duration::from_millis(150))).await.is_err());
    asked.abort();
    hold.release();
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_an_instance_ends_at_its_timeout() {
    let osc =
        MockOsc::builder().instance_start(Duration::from_secs(86_400)).start().await.expect("it starts");
    let layer = layer_for(&osc).clock(TestClock::new()).build().expect("it builds");
    let cookie = layer.sign_in_for_test(TestToken::from_answer(osc.grant_for("ada"))).await;
    let request = Request::get("/").header("cookie", cookie).body(Body::default()).expect("valid");
    let answer = app(&layer).oneshot(request).await.expect("the app answers");
    let context = answer.extensions().get::<OscToken>().expect("signed in").context();
    let slow = context.service(ADSERVER).instance("slow");
    let instance = soon(slow.create(serde_json::json!({}))).await;
    instance.expect("it is created");
    let waited = soon(slow.wait_until_ready(Duration::from_secs(5), |_| {})).await;
    assert_eq!(waited.expect_err("it does not start").kind(), ContextErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn paused_time_stands_still_while_nothing_waits_for_the_layer() {
    let _scene = Scene::with(|layer| layer).await;
    let (sender, event) = tokio::sync::oneshot::channel();
    let begun = tokio::time::Instant::now();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        let _ = sender.send(());
    });
    event.await.expect("the thread sends");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    thread.join().expect("the thread ends");
}

/// A `TestClock` that counts short sleeps. The time limit of a store's operation is longer.
#[derive(Clone)]
struct Counting(TestClock, Arc<AtomicUsize>);

impl Clock for Counting {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.1.fetch_add(usize::from(duration < Duration::from_secs(1)), Ordering::Relaxed);
        self.0.sleep(duration)
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_time_that_never_comes_keeps_no_core_busy() {
    let clock = Counting(TestClock::new(), Arc::default());
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let layer = layer_for(&osc).clock(clock.clone()).absolute_timeout(Duration::from_secs(3600));
    let layer = layer.build().expect("it builds");
    let cookie = layer.sign_in_for_test(TestToken::from_answer(osc.grant_for("ada"))).await;
    let request = Request::get("/").header("cookie", cookie).body(Body::default()).expect("valid");
    let answer = app(&layer).oneshot(request).await.expect("the app answers");
    let session = answer.extensions().get::<OscToken>().expect("signed in").session();
    clock.0.advance(Duration::from_millis(3_599_999)); // a millisecond before the end
    let before = clock.1.load(Ordering::Relaxed);
    assert!(tokio::time::timeout(Duration::from_secs(1), session.ended()).await.is_err());
    let sleeps = clock.1.load(Ordering::Relaxed) - before;
    assert!((5..=20).contains(&sleeps), "{sleeps}");
    clock.0.advance(Duration::from_millis(1));
    soon(session.ended()).await;
}
