//! Several layers of one app that share a store, and a visitor who comes to any of them.

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
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{Builder, Clock, OscAuthLayer, OscToken};

use crate::{Answer, App, Browser, Op, RiggedStore, WatchedClock, app, layer_for, soon, token_of};

/// One process of the app.
#[derive(Debug)]
pub struct Node<C = WatchedClock> {
    /// Its own clock.
    pub clock: C,
    /// Its layer.
    pub layer: OscAuthLayer,
    /// The shared store as it sees it.
    pub store: RiggedStore,
    app: App,
}

impl<C> Node<C> {
    /// How many sessions its layer holds in memory, by its own account.
    ///
    /// # Panics
    /// When it does not say so.
    pub fn sessions(&self) -> usize {
        let text = format!("{:?}", self.layer);
        let (_, rest) = text.rsplit_once(" sessions: ").expect("the layer says how many sessions it holds");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    }
}

/// The nodes, what they share, and a visitor.
#[derive(Debug)]
pub struct Nodes<C = WatchedClock> {
    /// The provider.
    pub osc: MockOsc,
    /// What all nodes share.
    pub store: MemoryStore,
    /// Its clock.
    pub store_clock: C,
    /// The visitor, who is at node 0 unless sent elsewhere.
    pub browser: Browser,
    nodes: Vec<Node<C>>,
}

/// A clock that a test can move on.
pub trait MovableClock: Clock + Clone + Default {
    /// Moves it on.
    fn advance(&self, time: Duration);
}

impl MovableClock for WatchedClock {
    fn advance(&self, time: Duration) {
        Self::advance(self, time);
    }
}

/// A clock that goes by itself, and can be moved on.
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
    /// The pause of a node that waits for another's refresh without word of changes.
    pub const LOOK: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_millis(100);
    /// The time that a node which inherits a lease gives the last holder to write.
    pub const LAST_WORD: RangeInclusive<Duration> = Duration::from_secs(4)..=Duration::from_secs(4);

    /// So many nodes, told of changes, and a visitor who signed in at the first.
    pub async fn told(nodes: usize) -> Self {
        Self::with(MockOsc::builder(), true, nodes, |layer| layer).await.sign_in().await
    }

    /// The same with a store that tells nobody of changes.
    pub async fn untold(nodes: usize) -> Self {
        Self::with(MockOsc::builder(), false, nodes, |layer| layer).await.sign_in().await
    }

    /// Lets every pause as long as this pass on whichever node as soon as it begins, until `event` has happened.
    pub async fn through<T>(&self, pauses: RangeInclusive<Duration>, event: impl Future<Output = T>) -> T {
        // The last one that was begun may be under way.
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
    /// The token that a request to a node gets which inherits the lease of another.
    ///
    /// # Panics
    /// When it gets none.
    pub async fn heir(&self, at: usize) -> OscToken {
        self.through(Self::LAST_WORD, self.token(at)).await
    }
}

impl<C: MovableClock> Nodes<C> {
    /// Before the visitor came.
    ///
    /// # Panics
    /// When a layer does not build.
    pub async fn with(
        osc: mock_osc::Builder,
        is_told: bool,
        nodes: usize,
        mut configure: impl FnMut(Builder) -> Builder,
    ) -> Self {
        let osc = osc.start().await.expect("the mock starts");
        let store_clock = C::default();
        let store = if is_told {
            MemoryStore::with_clock(store_clock.clone())
        } else {
            MemoryStore::untold(store_clock.clone())
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

    /// The visitor signs in at the first node.
    ///
    /// # Panics
    /// When that fails.
    pub async fn sign_in(mut self) -> Self {
        let answer = soon(self.browser.sign_in(&self.osc)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        self
    }

    /// One of the nodes.
    pub fn node(&self, at: usize) -> &Node<C> {
        &self.nodes[at]
    }

    /// All nodes.
    pub fn iter(&self) -> std::slice::Iter<'_, Node<C>> {
        self.nodes.iter()
    }

    /// The visitor's browser with the cookies it has by now, at one of the nodes.
    pub fn at(&self, at: usize) -> Browser {
        self.send(&self.browser, at)
    }

    /// Any browser, at one of the nodes.
    pub fn send(&self, browser: &Browser, at: usize) -> Browser {
        let mut browser = browser.clone();
        browser.switch_app(self.nodes[at].app.clone());
        browser
    }

    /// The visitor's script makes a request to a node, and forgets what it answers.
    pub async fn fetch(&self, at: usize) -> Answer {
        soon(self.at(at).fetch("/")).await
    }

    /// The token that a request to a node gets.
    ///
    /// # Panics
    /// When it gets none.
    pub async fn token(&self, at: usize) -> OscToken {
        let answer = self.fetch(at).await;
        token_of(&answer).unwrap_or_else(|| panic!("no token at node {at}: {answer:?}"))
    }

    /// Makes all nodes know the session, and what the store holds of it.
    ///
    /// # Panics
    /// When one of them does not let the visitor in.
    pub async fn warm_up(&self) {
        for at in 0..self.nodes.len() {
            self.token(at).await;
        }
    }

    /// A request to a node that waits, for whatever.
    ///
    /// # Panics
    /// When it does not.
    pub fn waiting(&self, at: usize) -> Pin<Box<dyn Future<Output = Answer>>> {
        let mut browser = self.at(at);
        let mut request = Box::pin(async move { browser.fetch("/").await });
        assert!(request.as_mut().now_or_never().is_none(), "node {at} answers at once");
        request
    }

    /// A request to a node that waits for a refresh, which the provider holds until it is released.
    ///
    /// # Panics
    /// When the request is answered without waiting.
    pub async fn held_up(&self, at: usize) -> (Hold, Pin<Box<dyn Future<Output = Answer>>>) {
        let hold = self.osc.hold(Endpoint::Token);
        let request = self.waiting(at);
        soon(hold.arrived(1)).await;
        (hold, request)
    }

    /// Time passes, for everybody.
    pub fn pass(&self, time: Duration) {
        self.osc.advance(time);
        self.store_clock.advance(time);
        self.nodes.iter().for_each(|node| node.clock.advance(time));
    }

    /// How many refreshes arrived at the provider.
    pub fn refreshes(&self) -> usize {
        self.osc.count_grants("refresh_token")
    }

    /// Waits until every lease that was taken was given back.
    pub async fn settle_leases(&self) {
        for node in &self.nodes {
            let leased = usize::from(node.store.count(Op::Lease) > 0);
            soon(node.store.asked(Op::Release, leased)).await;
        }
    }

    /// Waits until no node has anything left to do. They refresh nothing afterwards.
    ///
    /// # Panics
    /// When one of them still has after a while.
    pub async fn settle(&self) {
        for node in &self.nodes {
            assert!(soon(node.layer.shutdown(Duration::from_secs(600))).await, "it goes on and on");
        }
    }
}
