//! Nodes with their sessions in a real PostgreSQL, each behind a proxy.

use osc_auth_layer::OscAuthLayerBuilder;
use osc_auth_layer::store::PostgresStore;
use osc_tests::{PostgresServer, Proxy};

use crate::fleet::{Fleet, SetClock, provider};

pub(super) type Cluster = Fleet<PostgresServer>;

impl Cluster {
    /// Starts this many nodes with a server of their own. A visitor signs in at the first.
    pub(super) async fn signed_in(nodes: usize) -> Self {
        Self::with(PostgresServer::start().await, nodes, |_, layer, store| layer.store(store))
            .await
            .sign_in()
            .await
    }

    /// Starts the nodes without a sign-in.
    pub(super) async fn with(
        server: PostgresServer,
        nodes: usize,
        configure: impl Fn(usize, OscAuthLayerBuilder, PostgresStore) -> OscAuthLayerBuilder,
    ) -> Self {
        let mut proxies = Vec::new();
        for _ in 0..nodes {
            proxies.push(Proxy::to(server.addr()).await);
        }
        let urls: Vec<_> = proxies.iter().map(|proxy| server.url_at(proxy.addr())).collect();
        Self::start(server, provider().await, proxies, SetClock::default, |number, _, layer| {
            configure(number, layer, PostgresStore::from_url(&urls[number]).expect("a valid URL"))
        })
    }

    /// Returns how often the tokens of the only record were replaced.
    pub(super) async fn rotation(&self) -> String {
        self.server.sql(ROTATION).await.concat()
    }
}

/// The header is JSON. It follows four bytes, of which the last two are its length.
const ROTATION: &str = "SELECT coalesce(convert_from(substring(value FROM 7 FOR get_byte(value, 4) * 256 + get_byte(value, 5)), \
                        'UTF8')::json->>'rotation', '') FROM osc_auth_sessions WHERE user_group IS NOT NULL";
