//! Nodes with their sessions in one SQLite file. Each has a connection of its own, as a process has.

use osc_auth_layer::OscAuthLayerBuilder;
use osc_auth_layer::store::SqliteStore;
use osc_tests::{Proxy, SqliteFile};
use sqlx::Row;

use crate::fleet::{Fleet, SetClock, provider};

pub(super) type Cluster = Fleet<SqliteFile>;

impl Cluster {
    /// Starts this many nodes. A visitor signs in at the first.
    pub(super) async fn signed_in(nodes: usize) -> Self {
        Self::made(SqliteFile::new(), nodes, |_, layer, store| layer.store(store)).await.sign_in().await
    }

    /// Starts the nodes without a sign-in.
    pub(super) async fn made(
        file: SqliteFile,
        nodes: usize,
        configure: impl Fn(usize, OscAuthLayerBuilder, SqliteStore) -> OscAuthLayerBuilder,
    ) -> Self {
        let osc = provider().await;
        let mut proxies = Vec::new();
        for _ in 0..nodes {
            // A file needs no connection.
            proxies.push(Proxy::to(osc.address()).await);
        }
        let url = file.url();
        Self::start(file, osc, proxies, SetClock::default, |number, _, layer| {
            configure(number, layer, SqliteStore::from_url(&url).expect("a valid URL"))
        })
    }

    /// Returns how often the tokens of the only record were replaced.
    pub(super) async fn rotation(&self) -> u64 {
        let mut connection = self.server.connect().await;
        let query = "SELECT value FROM osc_auth_sessions WHERE user_group IS NOT NULL";
        let row = sqlx::query(query).fetch_one(&mut connection).await.expect("a record");
        let value: Vec<u8> = row.get(0);
        osc_tests::header(&value).expect("a live session's record")["rotation"].as_u64().expect("a number")
    }
}
