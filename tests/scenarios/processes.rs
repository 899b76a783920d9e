//! The samples as real processes that share a real Redis: killed, frozen, restarted, under load and without
//! Redis.
//!
//! The mock revokes the grant when a refresh token is used twice. A second use anywhere would therefore end
//! the session.

mod frozen;
pub(crate) mod killed;
pub(crate) mod load;
pub(crate) mod outage;
mod place;
mod preflight;
pub(crate) mod refresh;
pub(crate) mod restart;
mod rush;
mod security;
pub(crate) mod sign_out;
mod tls;

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use http::{Request, StatusCode, header};
use mock_osc::MockOsc;
use osc_tests::{
    Answer, Body, Browser, Line, LineError, NodeSetup, RedisServer, Sample, SampleNode, callback, error_of,
    free_port, path_of, retry_after, soon,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use self::place::Place;

/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// A short lifetime. The early refresh begins after half of it, which leaves time to visit all nodes first.
pub(crate) const SHORT: Duration = Duration::from_secs(4);

/// Longer than a lease and a request that waits for its end.
const LEASE_LIMIT: Duration = Duration::from_secs(50);

/// The interval for polling a condition that has no event.
const AGAIN: Duration = Duration::from_millis(20);

/// Options of a Redis that refuses to notify clients of changes.
const UNTOLD: [&str; 3] = ["--rename-command", "CLIENT", ""];

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<SampleNode>,
    /// The settings for starting another node.
    pub(crate) setup: NodeSetup,
    pub(crate) place: Place,
    pub(crate) osc: MockOsc,
    /// The load balancer's address. Visitors know every node under it.
    host: String,
    /// Reserves the load balancer's port. Nothing listens on it, because a test picks the node itself.
    _port: TcpListener,
}

impl Cluster {
    /// Starts this many nodes, a provider whose tokens live this long, and a Redis with these options.
    async fn of(sample: Sample, nodes: usize, ttl: Duration, redis: &[&str]) -> Self {
        Self::with(sample, nodes, MockOsc::builder().token_ttl(ttl), redis).await
    }

    async fn with(sample: Sample, nodes: usize, osc: mock_osc::MockOscBuilder, redis: &[&str]) -> Self {
        Self::at(Place::Redis(RedisServer::with(redis).await), sample, nodes, osc).await
    }

    /// Starts nodes that keep their sessions in any place.
    pub(crate) async fn at(
        place: Place,
        sample: Sample,
        nodes: usize,
        osc: mock_osc::MockOscBuilder,
    ) -> Self {
        let osc = osc.start().await.expect("the mock starts");
        let (_port, addr) = free_port().await;
        let setup = NodeSetup::new(sample, &osc, addr.port(), &place.url());
        let nodes = join_all((0..nodes).map(|_| setup.start())).await;
        Self { nodes, setup, place, osc, host: format!("localhost:{}", addr.port()), _port }
    }

    /// Signs a visitor in. The sign-in begins at one node and ends at another.
    pub(crate) async fn visitor(&self) -> Browser {
        let mut browser = self.browser(0);
        let path = soon(callback(&mut browser, &self.osc)).await;
        browser.switch_app(self.nodes[1 % self.nodes.len()].app());
        let answer = soon(browser.navigate(&path)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        browser
    }

    /// Signs another user in.
    pub(crate) async fn stranger(&self) -> Browser {
        let mut browser = self.browser(0);
        let authorize = soon(browser.begin_sign_in("/auth/signin")).await;
        let callback = self.osc.approve_as("grace", &authorize).await.expect("the provider asks for consent");
        let answer = soon(browser.navigate(path_of(&callback))).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
        browser
    }

    pub(crate) async fn visitors(&self, number: usize) -> Vec<Browser> {
        let mut visitors = Vec::new();
        for _ in 0..number {
            visitors.push(self.visitor().await);
        }
        visitors
    }

    pub(crate) fn browser(&self, node: usize) -> Browser {
        Browser::new(self.nodes[node].app()).at(&self.host)
    }

    /// Returns a node's answer to a script of the visitor.
    pub(crate) async fn fetch(&self, visitor: &Browser, node: usize, path: &str) -> Answer {
        let mut browser = visitor.clone();
        browser.switch_app(self.nodes[node].app());
        soon(browser.fetch(path)).await
    }

    /// Returns visitors that all nodes know. Their first tokens have expired, and their next tokens live
    /// long.
    async fn overdue<const N: usize>(&self) -> [Browser; N] {
        let visitors = self.visitors(N).await;
        let mut latest = 0;
        for node in 0..self.nodes.len() {
            for visitor in &visitors {
                latest = latest.max(self.expires_at(visitor, node).await);
            }
        }
        self.osc.set_token_ttl(LONG);
        expired(latest).await;
        visitors.try_into().expect("as many")
    }

    /// Gives all nodes tokens that live long, so that nothing is refreshed any more.
    pub(crate) async fn calm_down(&self, visitors: &[Browser]) {
        self.osc.set_token_ttl(LONG);
        let far = now().as_secs() + LONG.as_secs() / 2;
        for visitor in visitors {
            for node in 0..self.nodes.len() {
                soon(async {
                    while self.expires_at(visitor, node).await < far {
                        tokio::time::sleep(AGAIN).await;
                    }
                })
                .await;
            }
        }
    }

    /// Waits until a node serves the visitor. Until then, the node may only answer `temporarily_unavailable`.
    async fn served(&self, visitor: &Browser, node: usize) {
        let served = async {
            loop {
                let answer = self.fetch(visitor, node, "/api/session").await;
                if answer.status() == StatusCode::OK {
                    break;
                }
                assert_eq!(error_of(&answer), "temporarily_unavailable", "node {node}: {answer:?}");
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::time::timeout(LEASE_LIMIT, served).await.expect("served in the end");
    }

    /// Starts a visitor's request in the background.
    fn under_way(&self, visitor: &Browser, node: usize) -> JoinHandle<Result<Answer, LineError>> {
        let (addr, request) = (self.nodes[node].addr(), self.request(visitor, "/api/session"));
        tokio::spawn(async move { Line::to(addr).await.expect("the node listens").send(request).await })
    }

    /// Returns when the visitor's token expires, as reported by a node.
    pub(crate) async fn expires_at(&self, visitor: &Browser, node: usize) -> u64 {
        let answer = self.fetch(visitor, node, "/api/session").await;
        expiry_of(&answer).unwrap_or_else(|| panic!("refused: {answer:?}"))
    }

    /// Checks that the visitors are signed in on all nodes, with tokens that the provider accepts.
    pub(crate) async fn assert_alive(&self, visitors: &[Browser]) {
        for visitor in visitors {
            for node in 0..self.nodes.len() {
                let answer = self.fetch(visitor, node, "/api/balance").await;
                assert_eq!(answer.status(), StatusCode::OK, "node {node}: {answer:?}");
            }
        }
        assert_eq!(self.osc.live_refresh_tokens(), visitors.len());
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.osc.count_grants("refresh_token")
    }

    /// Returns how often the nodes asked Redis about sessions. Other databases do not count.
    async fn questions(&self) -> u64 {
        let Place::Redis(redis) = &self.place else { return 0 };
        redis.calls().await.get("evalsha").copied().unwrap_or_default()
    }

    /// Returns a script's request of a visitor, for a connection that the test opens.
    fn request(&self, visitor: &Browser, path: &str) -> Request<Body> {
        let cookies: Vec<_> =
            visitor.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::get(path).header(header::HOST, &self.host);
        let request = request.header(header::ACCEPT, "application/json");
        request.header(header::COOKIE, cookies.join("; ")).body(Body::default()).expect("a request")
    }
}

/// Returns the expiry from an answer of `/api/session`, or `None` if it is a refusal.
fn expiry_of(answer: &Answer) -> Option<u64> {
    let json: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    json["expires_at"].as_u64().filter(|_| answer.status() == StatusCode::OK)
}

/// Checks that two nodes reported the expiry of the same token.
///
/// A node computes it from the token's age in the record and its own clock. The few milliseconds between the
/// two readings can carry it into the next second.
#[track_caller]
fn assert_same_token(reported: u64, expected: u64, context: impl Debug) {
    assert!(reported.abs_diff(expected) <= 1, "{context:?}: {reported} instead of {expected}");
}

/// Asks a node while another node holds the lease and will not return in time. Retries after `Retry-After`
/// and returns the final answer.
async fn after_the_lease(cluster: &Cluster, visitor: &Browser, node: usize) -> Answer {
    let (began, refreshes) = (Instant::now(), cluster.refreshes());
    let mut refused = 0;
    loop {
        let answer = cluster.fetch(visitor, node, "/api/session").await;
        if answer.status() == StatusCode::OK || error_of(&answer) != "temporarily_unavailable" {
            assert!(refused > 0, "it did not wait for the lease to end");
            return answer;
        }
        assert_eq!(cluster.refreshes(), refreshes, "a second grant under the lease");
        assert!(began.elapsed() < LEASE_LIMIT, "the lease never ends");
        refused += 1;
        tokio::time::sleep(retry_after(&answer)).await;
    }
}

/// Waits until a token that expires in this second of the system clock has expired.
async fn expired(expires_at: u64) {
    let left = Duration::from_secs(expires_at + 1).saturating_sub(now());
    assert!(left < Duration::from_secs(30), "no test waits {left:?}");
    tokio::time::sleep(left).await;
}

/// Returns the time since the start of 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set")
}
