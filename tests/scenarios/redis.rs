//! Sessions in a real Redis, when the server, the connection or the nodes fail.

mod between;
mod clocks;
mod cluster;
mod contract;
mod deployments;
mod diagnoses;
mod half_wire;
mod killed;
mod lease;
mod memory;
mod notified;
mod preflight;
mod refresh;
mod restored;
mod slow;
mod unnotified;
mod warm;

use std::time::Duration;

use osc_tests::RedisServer;

use crate::fleet::{STALENESS, assert_refused, assert_unavailable, until};

/// The minimum time between two forced refreshes of a session.
const FORCE_AGAIN: Duration = Duration::from_secs(10);

/// Returns the keys of all sessions' records, including the markers of ended sessions.
async fn records(redis: &RedisServer) -> Vec<String> {
    let keys = redis.command(&["KEYS", "osc-auth:s:*"]).await;
    let mut records = Vec::new();
    for key in keys.lines() {
        // A record begins with the number of its format. A used state is empty, or begins with a letter. An entry may have expired
        // since.
        let script = "return string.byte(redis.call('HGET', KEYS[1], 'value') or '', 1) or 0";
        if redis.command(&["EVAL", script, "1", key]).await == "1" {
            records.push(key.to_owned());
        }
    }
    records
}

/// Returns a member of the only record's header, or `""` if it has none.
async fn field(redis: &RedisServer, name: &str) -> String {
    let records = records(redis).await;
    assert_eq!(records.len(), 1, "{records:?}");
    if name == "ended" {
        let script = "return string.byte(redis.call('HGET', KEYS[1], 'value'), 2)";
        let ending = redis.command(&["EVAL", script, "1", &records[0]]).await;
        return ["", "signed-out", "replaced"][ending.trim().parse::<usize>().expect("a byte")].to_owned();
    }
    // The header follows six bytes, of which the last four are its length.
    let script = "local v = redis.call('HGET', KEYS[1], 'value') \
                  return string.sub(v, 7, 6 + string.byte(v, 5) * 256 + string.byte(v, 6))";
    let header = redis.command(&["EVAL", script, "1", &records[0]]).await;
    let header: serde_json::Value = serde_json::from_str(&header).unwrap_or_default();
    match &header[name] {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
