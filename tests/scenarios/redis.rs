//! Sessions in a real Redis: what the layer promises when the server, the wire or the nodes do their worst.

mod between;
mod clocks;
mod cluster;
mod contract;
mod half_wire;
mod killed;
mod lease;
mod memory;
mod restored;
mod slow;
mod storms;
mod told;
mod untold;
mod warm;
mod wrong;

use std::time::{Duration, Instant};

use http::StatusCode;
use osc_tests::{Answer, RedisServer, error_of, retry_after, token_of};

/// A session whose end was not told may be served for so long, and not a moment longer.
const STALENESS: Duration = Duration::from_millis(1200);

/// A session is refreshed by force once in this time.
const FORCE_AGAIN: Duration = Duration::from_secs(10);

/// Asks until it is so: what happens in another process has no event here.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    const LIMIT: Duration = Duration::from_secs(60);
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < LIMIT, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}

/// Refused with 401 for this reason, and without a token.
fn assert_refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status(), error_of(answer).as_str()), (StatusCode::UNAUTHORIZED, error));
    assert!(token_of(answer).is_none());
}

/// Refused as in an outage: the browser keeps its cookie and is told when to come again.
fn assert_unavailable(answer: &Answer) {
    assert_refused(answer, "temporarily_unavailable");
    assert!(retry_after(answer) >= Duration::from_secs(1), "{answer:?}");
    assert!(!answer.headers().contains_key("set-cookie"), "{answer:?}");
}

/// The keys of all sessions' records, and of the marks of those that ended.
async fn records(redis: &RedisServer) -> Vec<String> {
    let keys = redis.command(&["KEYS", "osc-auth:s:*"]).await;
    keys.lines().map(str::to_owned).collect()
}

/// A field of the only record there is; `""` when it has none.
async fn field(redis: &RedisServer, name: &str) -> String {
    let records = records(redis).await;
    assert_eq!(records.len(), 1, "{records:?}");
    redis.command(&["HGET", &records[0], name]).await
}
