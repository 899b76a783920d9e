//! Nodes of one app with their sessions in a real Redis, and a visitor who can use any of them.

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

/// The system's clock with an offset from the test, so that nodes refresh without waiting for an hour.
///
/// Redis's own clock is unchanged. A node that first sees a session judges its token by that age.
#[derive(Clone, Debug, Default)]
pub(super) struct SetClock {
    shift: Arc<AtomicI64>,
    is_unhurried: bool,
}

impl SetClock {
    /// Moves the clock by this many milliseconds, ahead or back.
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

    /// Sleeps. An unhurried clock makes the layer's timeouts ten times as long, because a busy machine is not
    /// an outage.
    ///
    /// Shorter sleeps are pauses between two tries and stay as they are.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let is_timeout = duration >= Duration::from_secs(2);
        let factor = if self.is_unhurried && is_timeout { 10 } else { 1 };
        Box::pin(tokio::time::sleep(duration * factor))
    }
}

pub(super) struct Node {
    pub(super) clock: SetClock,
    /// The proxy between this node's store and Redis.
    pub(super) proxy: Proxy,
    app: App,
}

pub(super) struct Cluster {
    pub(super) osc: MockOsc,
    pub(super) redis: RedisServer,
    /// The visitor's browser. It uses node 0 unless sent elsewhere.
    pub(super) browser: Browser,
    nodes: Vec<Node>,
}

/// Starts a provider with default settings.
pub(super) async fn provider() -> MockOsc {
    MockOsc::builder().start().await.expect("the mock starts")
}

/// Returns the URL of a Redis without a password.
pub(super) fn open(_: usize, addr: SocketAddr) -> String {
    format!("redis://{addr}")
}

/// Returns the URL of a Redis for the user of [`UNNOTIFIED`].
pub(super) fn unnotified(_: usize, addr: SocketAddr) -> String {
    format!("redis://unnotified:password@{addr}")
}

/// Adds the store to the layer without other settings.
pub(super) fn plain(_: usize, layer: Builder, store: RedisStore) -> Builder {
    layer.store(store)
}

/// Creates a user who may do everything except subscribe to changes.
pub(super) const UNNOTIFIED: [&str; 8] =
    ["ACL", "SETUSER", "unnotified", "on", ">password", "~*", "+@all", "-client|tracking"];

impl Cluster {
    /// Starts this many nodes that are notified of changes. A visitor signs in at the first.
    pub(super) async fn notified(nodes: usize) -> Self {
        Self::new(RedisServer::start().await, nodes).await.sign_in().await
    }

    /// Starts this many nodes with a Redis that refuses notifications. A visitor signs in at the first.
    pub(super) async fn polling(nodes: usize) -> Self {
        let redis = Self::that_tells_nothing().await;
        Self::with(redis, provider().await, nodes, unnotified, plain).await.sign_in().await
    }

    /// Starts a Redis that refuses to notify of changes.
    pub(super) async fn that_tells_nothing() -> RedisServer {
        let redis = RedisServer::start().await;
        redis.command(&UNNOTIFIED).await;
        redis
    }

    /// Starts nodes for a busy machine. Their stores wait this long for Redis.
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

    /// Starts nodes with a Redis that keeps its data when it is killed.
    pub(super) async fn durable(nodes: usize) -> Self {
        Self::new(Self::that_keeps_everything().await, nodes).await.sign_in().await
    }

    pub(super) async fn that_keeps_everything() -> RedisServer {
        RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// Starts the nodes without a sign-in.
    pub(super) async fn new(redis: RedisServer, nodes: usize) -> Self {
        Self::with(redis, provider().await, nodes, open, plain).await
    }

    /// Starts the nodes with another provider, Redis URL or layer. URL and layer depend on the node's number.
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
            let store = RedisStore::from_url(&url(number, proxy.addr())).expect("a valid URL");
            let layer = configure(number, layer_for(&osc).clock(clock.clone()), store);
            let app = app(&layer.build().expect("the test's layer builds"));
            made.push(Node { clock, proxy, app });
        }
        let browser = Browser::new(made[0].app.clone());
        Self { osc, redis, browser, nodes: made }
    }

    /// Signs the visitor in at the first node.
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

    /// Returns a copy of the visitor's browser with its current cookies, at one of the nodes.
    pub(super) fn at(&self, at: usize) -> Browser {
        self.send(&self.browser, at)
    }

    /// Returns a copy of any browser, at one of the nodes.
    pub(super) fn send(&self, browser: &Browser, at: usize) -> Browser {
        let mut browser = browser.clone();
        browser.switch_app(self.nodes[at].app.clone());
        browser
    }

    pub(super) async fn fetch(&self, at: usize) -> Answer {
        soon(self.at(at).fetch("/")).await
    }

    /// Returns the token of a request to a node.
    pub(super) async fn token(&self, at: usize) -> OscToken {
        let answer = self.fetch(at).await;
        token_of(&answer).unwrap_or_else(|| panic!("no token at node {at}: {answer:?}"))
    }

    /// Returns the token if the node answers without asking anyone.
    pub(super) fn at_once(&self, at: usize) -> Option<OscToken> {
        token_of(&self.at(at).fetch("/").now_or_never()?)
    }

    /// Makes all nodes load the session and receive notifications of its changes.
    pub(super) async fn warm_up(&self) {
        for at in 0..self.len() {
            until("a node with notifications no longer asks", async || {
                self.fetch(at).await;
                self.at_once(at).is_some()
            })
            .await;
        }
    }

    /// Starts a request and checks that it waits.
    pub(super) fn waiting(&self, at: usize) -> Pin<Box<dyn Future<Output = Answer>>> {
        let mut browser = self.at(at);
        let mut request = Box::pin(async move { browser.fetch("/").await });
        assert!(request.as_mut().now_or_never().is_none(), "node {at} answers at once");
        request
    }

    /// Signs the visitor out at a node. The test keeps the cookie.
    pub(super) async fn sign_out(&self, at: usize) {
        let mut browser = self.at(at);
        let answer = soon(browser.post_from("same-origin", "/auth/signout")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    }

    /// Moves the clocks of the provider and the nodes ahead.
    pub(super) fn pass(&self, time: Duration) {
        self.osc.advance(time);
        let millis = i64::try_from(time.as_millis()).expect("less than an age");
        self.nodes.iter().for_each(|node| node.clock.shift(millis));
    }

    /// Returns the number of refreshes that arrived at the provider.
    pub(super) fn refreshes(&self) -> usize {
        self.osc.count_grants("refresh_token")
    }
}
