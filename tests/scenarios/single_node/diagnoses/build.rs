//! The line that `build()` logs.

use std::sync::Arc;

use osc_auth_layer::store::{Found, SessionStore, StoreFuture, Swap, Swapped, Version};
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::Logs;

use super::lines;

const SECRET: &str = "a secret of more than thirty-two characters";

fn built(builder: OscAuthLayerBuilder) -> String {
    let logs = Logs::collect();
    builder.build().expect("it builds");
    let lines = lines(&logs, "INFO");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(!logs.text().contains(SECRET) && !logs.text().contains("hunter2"), "{}", logs.text());
    lines[0].clone()
}

fn confidential() -> OscAuthLayerBuilder {
    OscAuthLayer::builder(OAuthClient::confidential("osc_id", SECRET))
}

#[test]
fn build_logs_provider_client_store_and_redirect_uri() {
    let line = built(confidential().public_url("https://app.example/shop"));
    for part in [
        "https://app.osaas.io",
        "confidential client osc_id",
        "a restart clears",
        "Register this redirect URI: https://app.example/shop/auth/callback",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let two =
        confidential().public_url("https://a.example").public_url("https://b.example").callback_path("/cb");
    let line = built(two);
    assert!(line.contains("redirect URIs: https://a.example/cb, https://b.example/cb"), "{line}");
    let line = built(OscAuthLayer::builder(OAuthClient::public("cli")));
    assert!(line.contains("the public client cli"), "{line}");
    assert!(
        line.contains("PUBLIC_URL is not set") && line.contains("localhost:<port>/auth/callback"),
        "{line}"
    );
    let app = OscAuthLayer::builder(OAuthClient::register("My app")).public_url("https://a.example");
    let line = built(app.cookie_key([7; 32]));
    assert!(line.contains("registers itself as \"My app\""), "{line}");
    assert!(line.contains("It registers this redirect URI: https://a.example/auth/callback"), "{line}");
}

#[test]
fn build_logs_where_the_sessions_are_and_no_password() {
    for (url, place) in [
        ("sqlite:sessions.db", "SQLite file sessions.db"),
        ("postgres://ada:hunter2@db.example/shop", "PostgreSQL at db.example:5432/shop"),
        ("postgres:///shop?host=/run/postgresql&password=hunter2", "PostgreSQL at /run/postgresql/shop"),
        ("redis://:hunter2@cache.example:6380/3", "Redis at cache.example:6380"),
        ("unix:///run/redis.sock", "Redis at /run/redis.sock"),
    ] {
        let line = built(confidential().store_url(url));
        assert!(line.contains(&format!("Session store: {place}. ")), "{line}");
    }
    let own = built(confidential().store(Arc::new(Own(MemoryStore::new()))));
    assert!(own.contains("Session store: scenarios::single_node::diagnoses::build::Own. "), "{own}");
}

/// A store of an app.
struct Own(MemoryStore);

impl SessionStore for Own {
    fn namespace(&self) -> &str {
        self.0.namespace()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.0.get(key)
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.0.swap(key, swap)
    }

    fn touch<'s>(
        &'s self,
        key: &'s str,
        expected: Version,
        expires_in: std::time::Duration,
    ) -> StoreFuture<'s, ()> {
        self.0.touch(key, expected, expires_in)
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.0.delete(key, expected)
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.0.members(group)
    }
}
