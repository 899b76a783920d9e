//! Two nodes of the axum sample, and visitors to whom everything happens that the dashboard shows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Browser, NodeSetup, RedisServer, Sample, SampleNode, callback, path_of};

const TOKEN_TTL: Duration = Duration::from_secs(2);
/// Long enough for the other node to meet the lease.
const PROVIDER_DELAY: Duration = Duration::from_millis(150);
/// Longer than the store's time limit.
const STANDSTILL: Duration = Duration::from_millis(2500);
/// A page that needs a session.
const PAGE: &str = "/api/session";

#[derive(Clone)]
pub(crate) struct Crowd(Arc<Parts>);

struct Parts {
    osc: MockOsc,
    redis: RedisServer,
    nodes: [SampleNode; 2],
    metrics: [SocketAddr; 2],
}

impl Crowd {
    pub(crate) async fn start() -> Self {
        let osc = MockOsc::builder().token_ttl(TOKEN_TTL).refresh_grace(Duration::from_secs(10));
        let osc = osc.delay(Endpoint::Token, PROVIDER_DELAY).start().await.expect("the mock starts");
        let redis = RedisServer::start().await;
        let setup =
            NodeSetup::new(Sample::Axum, &osc, 3000, &redis.url()).with("METRICS_BIND", "127.0.0.1:0");
        let nodes = [setup.start().await, setup.start().await];
        let metrics = [metrics_of(&nodes[0]), metrics_of(&nodes[1])];
        Self(Arc::new(Parts { osc, redis, nodes, metrics }))
    }

    /// Returns the addresses at which the nodes serve their metrics.
    pub(crate) fn metrics(&self) -> &[SocketAddr] {
        &self.0.metrics
    }

    /// Goes on until it is dropped.
    pub(crate) async fn go_on(self) {
        let mut stays = self.visitor(0).await;
        loop {
            self.sign_in_and_out().await;
            self.fail_to_sign_in().await;
            self.meet_at_both_nodes(&stays).await;
            if !self.is_served(&mut stays).await {
                stays = self.visitor(0).await;
            }
            self.refresh_in_trouble().await;
            self.freeze_the_store(&stays).await;
        }
    }

    fn browser(&self, node: usize) -> Browser {
        Browser::new(self.0.nodes[node].app())
    }

    async fn visitor(&self, node: usize) -> Browser {
        let mut browser = self.browser(node);
        browser.sign_in(&self.0.osc).await;
        browser
    }

    async fn is_served(&self, browser: &mut Browser) -> bool {
        browser.fetch(PAGE).await.status().is_success()
    }

    async fn sign_in_and_out(&self) {
        let mut visitor = self.visitor(1).await;
        for _ in 0..5 {
            visitor.fetch(PAGE).await;
            tokio::time::sleep(TOKEN_TTL / 10).await;
        }
        visitor.post_from("same-origin", "/auth/signout").await;
        visitor.fetch(PAGE).await;
    }

    async fn fail_to_sign_in(&self) {
        let mut visitor = self.browser(0);
        let authorize = visitor.begin_sign_in("/auth/signin").await;
        let denied = self.0.osc.deny(&authorize).await.expect("a denial");
        visitor.navigate(path_of(&denied)).await;
        let path = callback(&mut visitor, &self.0.osc).await;
        self.browser(1).navigate(&path).await;
    }

    /// The token has expired, and the visitor asks both nodes at once. One of them waits for the other.
    async fn meet_at_both_nodes(&self, visitor: &Browser) {
        tokio::time::sleep(TOKEN_TTL).await;
        let (mut here, mut there) = (visitor.clone(), visitor.clone());
        there.switch_app(self.0.nodes[1].app());
        tokio::join!(here.fetch(PAGE), there.fetch(PAGE));
    }

    async fn refresh_in_trouble(&self) {
        let is_refresh = |request: &mock_osc::Recorded| request.field("grant_type") == Some("refresh_token");
        for fault in [Fault::Status(503), Fault::OAuth("invalid_grant")] {
            let mut visitor = self.visitor(1).await;
            let _ = self.0.osc.fault(Endpoint::Token, fault).when(is_refresh);
            tokio::time::sleep(TOKEN_TTL).await;
            visitor.fetch(PAGE).await;
            self.0.osc.clear_faults();
        }
    }

    async fn freeze_the_store(&self, visitor: &Browser) {
        self.0.redis.freeze();
        let mut visitor = visitor.clone();
        tokio::join!(tokio::time::sleep(STANDSTILL), visitor.fetch(PAGE));
        self.0.redis.thaw();
        visitor.fetch(PAGE).await;
    }
}

/// Returns the address in the line that a node prints at its start.
fn metrics_of(node: &SampleNode) -> SocketAddr {
    let log = node.log();
    let (_, rest) = log.split_once("Metrics are at http://").expect("the address");
    rest.split_once("/metrics").expect("its end").0.parse().expect("an address")
}
