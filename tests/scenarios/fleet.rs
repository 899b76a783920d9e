//! Nodes of one app in this process that share a real database, and a visitor who can use any of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::{Clock, OscAuthLayerBuilder, OscToken};
use osc_tests::{Answer, App, Browser, Proxy, app, error_of, layer_for, retry_after, soon, token_of};

/// A session may be served for this long after it ended, if its notification was lost.
pub(crate) const STALENESS: Duration = Duration::from_millis(1200);

/// Polls until the condition holds. Events in another process cannot be awaited here.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    const LIMIT: Duration = Duration::from_secs(60);
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < LIMIT, "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}

/// Checks for 401 with this error and without a token.
pub(crate) fn assert_refused(answer: &Answer, error: &str) {
    assert_status(answer, StatusCode::UNAUTHORIZED, error);
}

fn assert_status(answer: &Answer, status: StatusCode, error: &str) {
    assert_eq!((answer.status(), error_of(answer).as_str()), (status, error));
    assert!(token_of(answer).is_none());
}

/// Checks for a refusal as in an outage: the browser keeps its cookie and is asked to retry.
pub(crate) fn assert_unavailable(answer: &Answer) {
    assert_status(answer, StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert!(retry_after(answer) >= Duration::from_secs(1), "{answer:?}");
    assert!(!answer.headers().contains_key("set-cookie"), "{answer:?}");
}

/// The system's clock with an offset from the test, so that nodes refresh without waiting for an hour.
///
/// The store's own clock is unchanged. A node that first sees a session judges its token by that age.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetClock {
    shift: Arc<AtomicI64>,
    is_unhurried: bool,
}

impl SetClock {
    /// Returns a clock for a busy machine.
    pub(crate) fn unhurried() -> Self {
        Self { is_unhurried: true, ..Self::default() }
    }

    /// Moves the clock by this many milliseconds, ahead or back.
    pub(crate) fn shift(&self, millis: i64) {
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

pub(crate) struct Node {
    pub(crate) clock: SetClock,
    /// The proxy between this node's store and the server.
    pub(crate) proxy: Proxy,
    app: App,
}

pub(crate) struct Fleet<S> {
    pub(crate) osc: MockOsc,
    /// The database.
    pub(crate) server: S,
    /// The visitor's browser. It uses node 0 unless sent elsewhere.
    pub(crate) browser: Browser,
    nodes: Vec<Node>,
}

/// Starts a provider with default settings.
pub(crate) async fn provider() -> MockOsc {
    MockOsc::builder().start().await.expect("the mock starts")
}

impl<S> Fleet<S> {
    /// Starts the nodes without a sign-in. Each gets a layer from `configure`, which adds the store.
    pub(crate) fn start(
        server: S,
        osc: MockOsc,
        proxies: Vec<Proxy>,
        clock: impl Fn() -> SetClock,
        configure: impl Fn(usize, &Proxy, OscAuthLayerBuilder) -> OscAuthLayerBuilder,
    ) -> Self {
        let mut nodes = Vec::new();
        for (number, proxy) in proxies.into_iter().enumerate() {
            let clock = clock();
            let layer = configure(number, &proxy, layer_for(&osc).clock(clock.clone()));
            let app = app(&layer.build().expect("the test's layer builds"));
            nodes.push(Node { clock, proxy, app });
        }
        let browser = Browser::new(nodes[0].app.clone());
        Self { osc, server, browser, nodes }
    }

    /// Signs the visitor in at the first node.
    pub(crate) async fn sign_in(mut self) -> Self {
        let answer = soon(self.browser.sign_in(&self.osc)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// Returns a copy of the visitor's browser with its current cookies, at one of the nodes.
    pub(crate) fn at(&self, at: usize) -> Browser {
        self.send(&self.browser, at)
    }

    /// Returns a copy of any browser, at one of the nodes.
    pub(crate) fn send(&self, browser: &Browser, at: usize) -> Browser {
        let mut browser = browser.clone();
        browser.switch_app(self.nodes[at].app.clone());
        browser
    }

    pub(crate) async fn fetch(&self, at: usize) -> Answer {
        soon(self.at(at).fetch("/")).await
    }

    /// Returns the token of a request to a node.
    pub(crate) async fn token(&self, at: usize) -> OscToken {
        let answer = self.fetch(at).await;
        token_of(&answer).unwrap_or_else(|| panic!("no token at node {at}: {answer:?}"))
    }

    /// Returns the token if the node answers without asking anyone.
    pub(crate) fn at_once(&self, at: usize) -> Option<OscToken> {
        token_of(&self.at(at).fetch("/").now_or_never()?)
    }

    /// Makes all nodes load the session and receive notifications of its changes.
    pub(crate) async fn warm_up(&self) {
        for at in 0..self.len() {
            until("a node with notifications no longer asks", async || {
                self.fetch(at).await;
                self.at_once(at).is_some()
            })
            .await;
        }
    }

    /// Starts a request and checks that it waits.
    pub(crate) fn waiting(&self, at: usize) -> Pin<Box<dyn Future<Output = Answer>>> {
        let mut browser = self.at(at);
        let mut request = Box::pin(async move { browser.fetch("/").await });
        assert!(request.as_mut().now_or_never().is_none(), "node {at} answers at once");
        request
    }

    /// Signs the visitor out at a node. The test keeps the cookie.
    pub(crate) async fn sign_out(&self, at: usize) {
        let mut browser = self.at(at);
        let answer = soon(browser.post_from("same-origin", "/auth/signout")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    }

    /// Moves the clocks of the provider and the nodes ahead.
    pub(crate) fn pass(&self, time: Duration) {
        self.osc.advance(time);
        let millis = i64::try_from(time.as_millis()).expect("less than an age");
        self.nodes.iter().for_each(|node| node.clock.shift(millis));
    }

    /// Returns the number of refreshes that arrived at the provider.
    pub(crate) fn refreshes(&self) -> usize {
        self.osc.count_grants("refresh_token")
    }
}
