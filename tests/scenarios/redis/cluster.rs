//! Nodes of one app with their sessions in a real Redis, and a visitor who comes to any of them.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::{Builder, Clock, OscToken, RedisStore};
use osc_tests::{Answer, App, Browser, Proxy, RedisServer, app, layer_for, soon, token_of};

use super::until;

/// The system's clock, set by the test: nodes refresh without waiting for an hour. Redis' own clock stays, so that a node
/// that has not seen a session yet takes its token for as old as it really is.
#[derive(Clone, Debug, Default)]
pub(super) struct SetClock {
    shift: Arc<AtomicI64>,
    is_unhurried: bool,
}

impl SetClock {
    /// Moves it on by so many milliseconds, or back.
    pub(super) fn shift(&self, millis: i64) {
        self.shift.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        let (now, shift) = (SystemTime::now(), self.shift.load(Ordering::SeqCst));
        let distance = Duration::from_millis(shift.unsigned_abs());
        if shift < 0 { now - distance } else { now + distance }
    }

    /// An unhurried clock lets ten times as long pass before the layer gives up waiting: a machine that is busy with other
    /// work is not an outage. Shorter sleeps are pauses between two tries, and stay as they are.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let is_timeout = duration >= Duration::from_secs(2);
        let factor = if self.is_unhurried && is_timeout { 10 } else { 1 };
        Box::pin(tokio::time::sleep(duration * factor))
    }
}

pub(super) struct Node {
    pub(super) clock: SetClock,
    /// Between its store and Redis.
    pub(super) proxy: Proxy,
    app: App,
}

pub(super) struct Cluster {
    pub(super) osc: MockOsc,
    pub(super) redis: RedisServer,
    /// The visitor, who is at node 0 unless sent elsewhere.
    pub(super) browser: Browser,
    nodes: Vec<Node>,
}

/// A provider as it comes.
pub(super) async fn provider() -> MockOsc {
    MockOsc::builder().start().await.expect("the mock starts")
}

/// The URL of a Redis that lets everybody in.
pub(super) fn open(_: usize, addr: SocketAddr) -> String {
    format!("redis://{addr}")
}

/// The URL of a Redis that lets [`UNTOLD`] in.
pub(super) fn untold(_: usize, addr: SocketAddr) -> String {
    format!("redis://untold:password@{addr}")
}

/// A layer and a store as they come.
pub(super) fn plain(_: usize, layer: Builder, store: RedisStore) -> Builder {
    layer.store(store)
}

/// A user who may do everything but ask to be told of changes.
pub(super) const UNTOLD: [&str; 8] =
    ["ACL", "SETUSER", "untold", "on", ">password", "~*", "+@all", "-client|tracking"];

impl Cluster {
    /// So many nodes that are told of changes, and a visitor who signed in at the first.
    pub(super) async fn told(nodes: usize) -> Self {
        Self::new(RedisServer::start().await, nodes).await.sign_in().await
    }

    /// The same with a Redis that refuses to tell of changes.
    pub(super) async fn untold(nodes: usize) -> Self {
        let redis = Self::that_tells_nothing().await;
        Self::with(redis, provider().await, nodes, untold, plain).await.sign_in().await
    }

    /// A Redis that refuses to tell of changes.
    pub(super) async fn that_tells_nothing() -> RedisServer {
        let redis = RedisServer::start().await;
        redis.command(&UNTOLD).await;
        redis
    }

    /// The same as one of these, on a machine that may be busy with other work. The store waits this long for Redis.
    pub(super) async fn unhurried(
        redis: RedisServer,
        nodes: usize,
        url: impl Fn(usize, SocketAddr) -> String,
        timeout: Duration,
    ) -> Self {
        let configure = |_: usize, layer: Builder, store: RedisStore| layer.store(store.timeout(timeout));
        let clock = || SetClock { is_unhurried: true, ..SetClock::default() };
        Self::made(redis, provider().await, nodes, url, configure, clock).await.sign_in().await
    }

    /// The same with a Redis that keeps everything when it is killed.
    pub(super) async fn durable(nodes: usize) -> Self {
        Self::new(Self::that_keeps_everything().await, nodes).await.sign_in().await
    }

    pub(super) async fn that_keeps_everything() -> RedisServer {
        RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// Before the visitor came.
    pub(super) async fn new(redis: RedisServer, nodes: usize) -> Self {
        Self::with(redis, provider().await, nodes, open, plain).await
    }

    /// The same with another provider, way to Redis, or layer; the last two by the node's number.
    pub(super) async fn with(
        redis: RedisServer,
        osc: MockOsc,
        nodes: usize,
        url: impl Fn(usize, SocketAddr) -> String,
        configure: impl Fn(usize, Builder, RedisStore) -> Builder,
    ) -> Self {
        Self::made(redis, osc, nodes, url, configure, SetClock::default).await
    }

    async fn made(
        redis: RedisServer,
        osc: MockOsc,
        nodes: usize,
        url: impl Fn(usize, SocketAddr) -> String,
        configure: impl Fn(usize, Builder, RedisStore) -> Builder,
        clock: impl Fn() -> SetClock,
    ) -> Self {
        let mut made = Vec::new();
        for number in 0..nodes {
            let (clock, proxy) = (clock(), Proxy::to(redis.addr()).await);
            let store = RedisStore::new(&url(number, proxy.addr())).expect("a valid URL");
            let layer = configure(number, layer_for(&osc).clock(clock.clone()), store);
            let app = app(&layer.build().expect("the test's layer builds"));
            made.push(Node { clock, proxy, app });
        }
        let browser = Browser::new(made[0].app.clone());
        Self { osc, redis, browser, nodes: made }
    }

    /// The visitor signs in at the first node.
    pub(super) async fn sign_in(mut self) -> Self {
        let answer = soon(self.browser.sign_in(&self.osc)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        self
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// The visitor's browser with the cookies it has by now, at one of the nodes.
    pub(super) fn at(&self, at: usize) -> Browser {
        self.send(&self.browser, at)
    }

    /// Any browser, at one of the nodes.
    pub(super) fn send(&self, browser: &Browser, at: usize) -> Browser {
        let mut browser = browser.clone();
        browser.switch_app(self.nodes[at].app.clone());
        browser
    }

    pub(super) async fn fetch(&self, at: usize) -> Answer {
        soon(self.at(at).fetch("/")).await
    }

    /// The token that a request to a node gets.
    pub(super) async fn token(&self, at: usize) -> OscToken {
        let answer = self.fetch(at).await;
        token_of(&answer).unwrap_or_else(|| panic!("no token at node {at}: {answer:?}"))
    }

    /// The token that a node gives without asking anybody.
    pub(super) fn at_once(&self, at: usize) -> Option<OscToken> {
        token_of(&self.at(at).fetch("/").now_or_never()?)
    }

    /// Makes all nodes know the session, and that changes to it are told.
    pub(super) async fn warm_up(&self) {
        for at in 0..self.len() {
            until("a node that is told of changes asks no more", async || {
                self.fetch(at).await;
                self.at_once(at).is_some()
            })
            .await;
        }
    }

    /// A request that waits, for whatever.
    pub(super) fn waiting(&self, at: usize) -> Pin<Box<dyn Future<Output = Answer>>> {
        let mut browser = self.at(at);
        let mut request = Box::pin(async move { browser.fetch("/").await });
        assert!(request.as_mut().now_or_never().is_none(), "node {at} answers at once");
        request
    }

    /// Signs the visitor out at a node; the test keeps the cookie.
    pub(super) async fn sign_out(&self, at: usize) {
        let mut browser = self.at(at);
        let answer = soon(browser.post_from("same-origin", "/auth/signout")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    }

    /// Time passes for the provider and the nodes.
    pub(super) fn pass(&self, time: Duration) {
        self.osc.advance(time);
        let millis = i64::try_from(time.as_millis()).expect("less than an age");
        self.nodes.iter().for_each(|node| node.clock.shift(millis));
    }

    /// How many refreshes arrived at the provider.
    pub(super) fn refreshes(&self) -> usize {
        self.osc.count_grants("refresh_token")
    }
}
