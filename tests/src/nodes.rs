//! Several nodes of one app that share a store, and a user who sends requests to any of them.

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::select_all;
use http::StatusCode;
use mock_osc::{Endpoint, Hold, MockOsc};
use osc_auth_layer::test_util::{MemoryStore, held};
use osc_auth_layer::{Clock, OscAuthLayer, OscAuthLayerBuilder, OscSession, OscToken};

use crate::{Answer, App, Browser, Op, RiggedStore, WatchedClock, app, layer_for, soon, token_of};

/// One process of the app.
#[derive(Debug)]
pub struct Node<C = WatchedClock> {
    /// The node's own clock.
    pub clock: C,
    /// The node's layer.
    pub layer: OscAuthLayer,
    /// The node's access to the shared store.
    pub store: RiggedStore,
    app: App,
}

impl<C> Node<C> {
    /// Returns the number of sessions in the layer's memory.
    pub fn sessions(&self) -> usize {
        held(&self.layer).0
    }
}

/// The nodes, their shared parts, and a user.
#[derive(Debug)]
pub struct Nodes<C = WatchedClock> {
    /// The provider.
    pub osc: MockOsc,
    /// The store that all nodes share.
    pub store: MemoryStore,
    /// The store's clock.
    pub store_clock: C,
    /// The user's browser. It uses node 0 unless sent elsewhere.
    pub browser: Browser,
    nodes: Vec<Node<C>>,
}

/// A clock that a test can move ahead.
pub trait MovableClock: Clock + Clone + Default {
    /// Moves the clock ahead.
    fn advance(&self, time: Duration);
}

impl MovableClock for WatchedClock {
    fn advance(&self, time: Duration) {
        Self::advance(self, time);
    }
}

/// A running clock that a test can move ahead.
#[derive(Clone, Debug, Default)]
pub struct RunningClock(Arc<AtomicU64>);

impl Clock for RunningClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl MovableClock for RunningClock {
    fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Nodes {
    /// The pause between two looks of a node that waits for another node's refresh, if the store does not
    /// notify nodes.
    pub const LOOK: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_millis(100);
    /// The pauses between two looks, with and without notifications.
    pub const LOOKS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(1);
    /// The time that a node waits after it takes over a lease, so that a write of the last holder can still
    /// arrive.
    pub const TAKEOVER_PAUSE: RangeInclusive<Duration> = Duration::from_secs(4)..=Duration::from_secs(4);

    /// Starts this many nodes on a store that notifies them of changes. A user signs in at the first node.
    pub async fn notified(nodes: usize) -> Self {
        Self::with(MockOsc::builder(), true, nodes, |layer| layer).await.sign_in().await
    }

    /// Starts this many nodes on a store that does not notify them of changes. A user signs in at the first
    /// node.
    pub async fn polling(nodes: usize) -> Self {
        Self::with(MockOsc::builder(), false, nodes, |layer| layer).await.sign_in().await
    }

    /// Ends every pause of this length on any node as soon as it begins, until `event` has happened.
    pub async fn through<T>(&self, pauses: RangeInclusive<Duration>, event: impl Future<Output = T>) -> T {
        // The last pause that was begun may still be running.
        let begun = |node: &Node| node.clock.sleeps(pauses.clone()).saturating_sub(1);
        let mut passed: Vec<_> = self.nodes.iter().map(begun).collect();
        let mut event = std::pin::pin!(soon(event));
        loop {
            let next = self.nodes.iter().zip(&passed).enumerate().map(|(at, (node, passed))| {
                let pause = node.clock.slept(pauses.clone(), passed + 1);
                Box::pin(pause.map(move |pause| (at, pause)))
            });
            tokio::select! {
                biased;
                happened = &mut event => return happened,
                ((at, pause), ..) = select_all(next) => {
                    passed[at] += 1;
                    self.nodes[at].clock.advance(pause);
                }
            }
        }
    }
}

impl Nodes {
    /// Waits until a node has waited this often for another node's refresh.
    pub async fn looks(&self, at: usize, at_least: usize) {
        self.nodes[at].clock.slept(Self::LOOKS, at_least).await;
    }

    /// Returns the token of a request to a node that takes over another node's lease.
    ///
    /// # Panics
    /// If the request gets no token.
    pub async fn token_after_takeover(&self, at: usize) -> OscToken {
        self.through(Self::TAKEOVER_PAUSE, self.token(at)).await
    }
}

impl<C: MovableClock> Nodes<C> {
    /// Starts the nodes without a sign-in.
    ///
    /// # Panics
    /// If a layer does not build.
    pub async fn with(
        osc: mock_osc::MockOscBuilder,
        is_notified: bool,
        nodes: usize,
        mut configure: impl FnMut(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
    ) -> Self {
        let osc = osc.start().await.expect("the mock starts");
        let store_clock = C::default();
        let store = if is_notified {
            MemoryStore::with_clock(store_clock.clone())
        } else {
            MemoryStore::without_notifications(store_clock.clone())
        };
        let nodes: Vec<_> = (0..nodes)
            .map(|_| {
                let (clock, store) = (C::default(), RiggedStore::new(store.clone()));
                let layer = layer_for(&osc).clock(clock.clone()).store(store.clone());
                let layer = configure(layer).build().expect("the test's layer builds");
                let app = app(&layer);
                Node { clock, layer, store, app }
            })
            .collect();
        let browser = Browser::new(nodes[0].app.clone());
        Self { osc, store, store_clock, browser, nodes }
    }

    /// Signs the user in at the first node.
    ///
    /// # Panics
    /// If the sign-in fails.
    pub async fn sign_in(mut self) -> Self {
        let answer = soon(self.browser.sign_in(&self.osc)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        self
    }

    /// Returns one of the nodes.
    pub fn node(&self, at: usize) -> &Node<C> {
        &self.nodes[at]
    }

    /// Returns all nodes.
    pub fn iter(&self) -> std::slice::Iter<'_, Node<C>> {
        self.nodes.iter()
    }

    /// Returns a copy of the user's browser with its current cookies, at one of the nodes.
    pub fn at(&self, at: usize) -> Browser {
        self.send(&self.browser, at)
    }

    /// Returns a copy of any browser, at one of the nodes.
    pub fn send(&self, browser: &Browser, at: usize) -> Browser {
        let mut browser = browser.clone();
        browser.switch_app(self.nodes[at].app.clone());
        browser
    }

    /// Sends a script's request of the user to a node. Cookies that the answer sets are dropped.
    pub async fn fetch(&self, at: usize) -> Answer {
        soon(self.at(at).fetch("/")).await
    }

    /// Returns the token of a request to a node.
    ///
    /// # Panics
    /// If the request gets no token.
    pub async fn token(&self, at: usize) -> OscToken {
        let answer = self.fetch(at).await;
        token_of(&answer).unwrap_or_else(|| panic!("no token at node {at}: {answer:?}"))
    }

    /// Makes all nodes load the session from the store.
    ///
    /// # Panics
    /// If a node does not accept the session.
    pub async fn warm_up(&self) {
        for at in 0..self.nodes.len() {
            self.token(at).await;
        }
    }

    /// Signs in with another browser of the same user, at a node.
    ///
    /// # Panics
    /// If the sign-in fails.
    pub async fn another(&self, at: usize) -> Browser {
        let mut browser = self.at(at);
        browser.forget_cookies("");
        assert_eq!(soon(browser.sign_in(&self.osc)).await.status(), StatusCode::SEE_OTHER);
        browser
    }

    /// Returns the session of a browser, as a node knows it.
    ///
    /// # Panics
    /// If the node gives the browser no token.
    pub async fn session_of(&self, browser: &Browser, at: usize) -> OscSession {
        let answer = soon(self.send(browser, at).fetch("/")).await;
        token_of(&answer).unwrap_or_else(|| panic!("no token at node {at}: {answer:?}")).session()
    }

    /// Starts a request to a node and checks that it waits.
    ///
    /// # Panics
    /// If the request does not wait.
    pub fn waiting(&self, at: usize) -> Pin<Box<dyn Future<Output = Answer>>> {
        let mut browser = self.at(at);
        let mut request = Box::pin(async move { browser.fetch("/").await });
        assert!(request.as_mut().now_or_never().is_none(), "node {at} answers at once");
        request
    }

    /// Starts a request to a node that waits for a refresh. The provider holds the refresh until it is
    /// released.
    ///
    /// # Panics
    /// If the request is answered without waiting.
    pub async fn held_up(&self, at: usize) -> (Hold, Pin<Box<dyn Future<Output = Answer>>>) {
        let hold = self.osc.hold(Endpoint::Token);
        let request = self.waiting(at);
        soon(hold.arrived(1)).await;
        (hold, request)
    }

    /// Moves all clocks ahead.
    pub fn pass(&self, time: Duration) {
        self.osc.advance(time);
        self.store_clock.advance(time);
        self.nodes.iter().for_each(|node| node.clock.advance(time));
    }

    /// Returns the number of refreshes that arrived at the provider.
    pub fn refreshes(&self) -> usize {
        self.osc.count_grants("refresh_token")
    }

    /// Waits until every lease that was taken has been released.
    pub async fn settle_leases(&self) {
        for node in &self.nodes {
            let leased = usize::from(node.store.count(Op::Lease) > 0);
            soon(node.store.asked_any(&[Op::Replace, Op::Refuse, Op::Release], leased)).await;
        }
    }

    /// Waits until no node has work left. Refreshes do not work afterwards.
    ///
    /// # Panics
    /// If a node still has work after a minute.
    pub async fn settle(&self) {
        for node in &self.nodes {
            assert!(
                soon(node.layer.shutdown(Duration::from_secs(600))).await.is_ok(),
                "a node still has work"
            );
        }
    }
}
