//! Nodes of one app with their sessions in a real Redis, and a visitor who can use any of them.

use std::net::SocketAddr;
use std::time::Duration;

use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayerBuilder;
use osc_auth_layer::store::RedisStore;
use osc_tests::{Proxy, RedisServer};

pub(super) use crate::fleet::provider;
use crate::fleet::{Fleet, SetClock};

pub(super) type Cluster = Fleet<RedisServer>;

/// Returns the URL of a Redis without a password.
pub(super) fn open(_: usize, addr: SocketAddr) -> String {
    format!("redis://{addr}")
}

/// Adds the store to the layer without other settings.
pub(super) fn plain(_: usize, layer: OscAuthLayerBuilder, store: RedisStore) -> OscAuthLayerBuilder {
    layer.store(store)
}

impl Cluster {
    /// Starts this many nodes that are notified of changes. A visitor signs in at the first.
    pub(super) async fn notified(nodes: usize) -> Self {
        Self::new(RedisServer::start().await, nodes).await.sign_in().await
    }

    /// Starts this many nodes with a Redis that refuses notifications. A visitor signs in at the first.
    pub(super) async fn polling(nodes: usize) -> Self {
        Self::new(Self::that_tells_nothing().await, nodes).await.sign_in().await
    }

    /// Starts a Redis that refuses to notify of changes.
    pub(super) async fn that_tells_nothing() -> RedisServer {
        let redis = RedisServer::start().await;
        // Before Redis 6, there are neither notifications nor ACLs.
        if redis.is_at_least(6).await {
            redis.command(&["ACL", "SETUSER", "default", "-client"]).await;
        }
        redis
    }

    /// Starts nodes for a busy machine. Their stores wait this long for Redis.
    pub(super) async fn unhurried(
        redis: RedisServer,
        nodes: usize,
        url: impl Fn(usize, SocketAddr) -> String,
        timeout: Duration,
    ) -> Self {
        let configure =
            |_: usize, layer: OscAuthLayerBuilder, store: RedisStore| layer.store(store.timeout(timeout));
        Self::made(redis, provider().await, nodes, url, configure, SetClock::unhurried).await.sign_in().await
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
        configure: impl Fn(usize, OscAuthLayerBuilder, RedisStore) -> OscAuthLayerBuilder,
    ) -> Self {
        Self::made(redis, osc, nodes, url, configure, SetClock::default).await
    }

    async fn made(
        redis: RedisServer,
        osc: MockOsc,
        nodes: usize,
        url: impl Fn(usize, SocketAddr) -> String,
        configure: impl Fn(usize, OscAuthLayerBuilder, RedisStore) -> OscAuthLayerBuilder,
        clock: impl Fn() -> SetClock,
    ) -> Self {
        let mut proxies = Vec::new();
        for _ in 0..nodes {
            proxies.push(Proxy::to(redis.addr()).await);
        }
        Self::start(redis, osc, proxies, clock, |number, proxy, layer| {
            let store = RedisStore::from_url(&url(number, proxy.addr())).expect("a valid URL");
            configure(number, layer, store)
        })
    }
}
