//! The memory of a million signed-in users. A process of its own signs them in, so that nothing else counts.

use std::env;
use std::fs;
use std::process::Command;

use futures_util::future::join_all;
use osc_auth_layer::store::RedisStore;

use crate::redis::Redis;
use crate::stage::{builder, test_token};
use crate::table::{Row, grouped};

pub(crate) const ARGUMENT: &str = "--resident";
const NO_STORE: &str = "none";
const USERS: usize = 1_000_000;
/// More sign-ins at a time would only measure their own buffers.
const AT_ONCE: usize = 50;

pub(crate) async fn resident(rows: &mut Vec<Row>) {
    rows.push(row("resident memory of a million users, no store", grown_by(NO_STORE)));
    let (node, server) =
        ("resident memory of a million users, node with Redis", "the same million users in Redis");
    let Some(redis) = Redis::start().await else {
        rows.push(Row::missing(node, "redis-server is not installed"));
        return;
    };
    let before = redis.used_memory();
    rows.push(row(node, grown_by(&redis.url)));
    let after = redis.used_memory();
    rows.push(row(server, after.zip(before).map(|(after, before)| after - before)));
}

fn row(figure: &str, bytes: Option<usize>) -> Row {
    let Some(bytes) = bytes else {
        return Row::missing(figure, "the process failed");
    };
    let gigabytes = format!("{:.2} GB", bytes as f64 / 1e9);
    Row::observed(figure, gigabytes).detail(format!("{} bytes each, tokens included", grouped(bytes / USERS)))
}

/// Returns by how many bytes a process grew that signed the users in.
fn grown_by(store: &str) -> Option<usize> {
    let run = Command::new(env::current_exe().ok()?).args([ARGUMENT, store]).output().ok()?;
    String::from_utf8_lossy(&run.stdout).trim().parse().ok()
}

/// Signs the users in, in this process, and prints by how many bytes it grew.
pub(crate) async fn run(store: &str) {
    let builder = match store {
        NO_STORE => builder(),
        url => builder().store(RedisStore::from_url(url).expect("a URL").with_namespace("bench")),
    };
    let layer = builder.build().expect("the layer builds");
    let before = resident_bytes();
    for first in (0..USERS).step_by(AT_ONCE) {
        join_all((first..first + AT_ONCE).map(|user| layer.sign_in_for_test(test_token(user)))).await;
    }
    println!("{}", resident_bytes() - before);
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kibibytes.and_then(|number| number.parse::<usize>().ok()).expect("Linux names its size") * 1024
}
