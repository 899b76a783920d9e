//! The server's clock is hours off, and jumps.

use osc_tests::{callback, error_of, soon, token_of};

use super::fleet::Cluster;
use crate::fleet::until;

/// Shadows the clocks of PostgreSQL. New connections find these functions before its own.
const CLOCKS: &str = "
    CREATE SCHEMA shifted;
    CREATE TABLE shifted.shift (by interval);
    INSERT INTO shifted.shift VALUES ('0');
    CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS
        'SELECT pg_catalog.clock_timestamp() + by FROM shifted.shift';
    CREATE FUNCTION shifted.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql AS
        'SELECT pg_catalog.statement_timestamp() + by FROM shifted.shift';
    ALTER DATABASE postgres SET search_path = shifted, pg_catalog, public;";

#[tokio::test]
async fn s59_a_server_whose_clock_jumps_by_hours_signs_nobody_out() {
    let server = osc_tests::PostgresServer::start().await;
    server.sql(CLOCKS).await;
    // The table goes to the last schema, because the others are not for tables.
    server
        .sql(
            &osc_auth_layer::store::PostgresStore::schema()
                .replace("osc_auth_sessions ", "public.osc_auth_sessions "),
        )
        .await;
    let mut cluster = Cluster::with(server, 2, |_, layer, store| layer.store(store)).await.sign_in().await;
    cluster.warm_up().await;
    for jump in ["1 hour", "-1 hour", "0"] {
        cluster.server.sql(&format!("UPDATE shifted.shift SET by = '{jump}'")).await;
        for at in 0..2 {
            until("all nodes serve", async || token_of(&cluster.fetch(at).await).is_some()).await;
            assert!(cluster.osc.is_live(cluster.token(at).await.access_token()), "{jump}");
        }
        let refreshes = cluster.refreshes();
        let token = cluster.token(0).await;
        cluster.pass(std::time::Duration::from_secs(10));
        soon(token.session().refresh(&token)).await.expect("a token");
        assert_eq!(cluster.refreshes(), refreshes + 1, "{jump}");

        // A sign-in that begins on one node ends on another.
        cluster.browser.forget_cookies("");
        let mut browser = cluster.at(0);
        let path = callback(&mut browser, &cluster.osc).await;
        let mut browser = cluster.send(&browser, 1);
        assert_eq!(soon(browser.navigate(&path)).await.status(), 303, "{jump}");
        cluster.browser = browser;
        cluster.warm_up().await;
        cluster.sign_out(1).await;
        until("node 0 is notified", async || token_of(&cluster.fetch(0).await).is_none()).await;
        assert_eq!(error_of(&cluster.fetch(0).await), "unauthenticated");
        cluster.browser.forget_cookies("");
        assert_eq!(soon(cluster.browser.sign_in(&cluster.osc)).await.status(), 303);
        cluster.warm_up().await;
    }
}
