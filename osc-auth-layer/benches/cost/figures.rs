//! The figures. Each function measures one or two of them.

use std::thread;

use allocation_counter::measure;
use http::HeaderValue;
use osc_auth_layer::OscAuthLayer;
use osc_auth_layer::store::RedisStore;

use crate::contenders::Sessions;
use crate::redis::Redis;
use crate::rounds::{Rounds, interleaved};
use crate::routers::Routers;
use crate::stage::{ACCESS_TOKEN, REFRESH_TOKEN, Stage, builder, drive, id_of, minimum_token, signed_in};
use crate::table::{Row, grouped};

const BARE: usize = 0;
const MINIMUM: usize = 1;
const LAYER: usize = 2;

pub(crate) fn layer() -> OscAuthLayer {
    builder().build().expect("the bench's layer builds")
}

fn three(stage: &Stage, path: &str, cookies: &[HeaderValue]) -> Rounds {
    interleaved(
        101,
        2_000,
        &mut [
            &mut drive(stage.bare.clone(), path, cookies),
            &mut drive(stage.minimum.clone(), path, cookies),
            &mut drive(stage.layer.clone(), path, cookies),
        ],
    )
}

/// Measures a request for a random session, of 1,000 and of 100,000.
pub(crate) async fn time(rows: &mut Vec<Row>) {
    for (sessions, most) in [(1_000, 1.1), (100_000, 1.05)] {
        let stage = Stage::new(&layer(), sessions).await;
        let times = three(&stage, "/", &stage.cookies);
        let figure = format!("time, {} sessions, relative to the minimum", grouped(sessions));
        let ratio = times.ratio(LAYER, MINIMUM);
        rows.push(Row::ratio(&figure, ratio.median, most).detail(format!(
            "{ratio}; bare {:.0} ns, minimum {:.0} ns, layer {:.0} ns",
            times.of(BARE),
            times.of(MINIMUM),
            times.of(LAYER)
        )));
    }
}

/// Measures a request without a session on a public path.
pub(crate) async fn public(rows: &mut Vec<Row>) {
    let stage = Stage::new(&layer(), 1_000).await;
    let times = three(&stage, "/public", &[]);
    let figure = "time on a public path without a session, relative to the minimum";
    let detail = format!("minimum {:.0} ns, layer {:.0} ns", times.of(MINIMUM), times.of(LAYER));
    rows.push(Row::ratio(figure, times.ratio(LAYER, MINIMUM).median, 1.2).detail(detail));
}

/// Counts the heap allocations beyond those of the bare app, and beyond those of a bare axum router.
pub(crate) async fn allocations(rows: &mut Vec<Row>) {
    let auth = layer();
    let stage = Stage::new(&auth, 1_000).await;
    let cookies = &stage.cookies;
    let services = [
        allocated(&mut drive(stage.bare.clone(), "/", cookies)),
        allocated(&mut drive(stage.minimum.clone(), "/", cookies)),
        allocated(&mut drive(stage.layer.clone(), "/", cookies)),
    ];
    let Routers { bare, minimum, layer } = Routers::new(&stage, auth);
    let routers = [bare, minimum, layer].map(|router| allocated(&mut drive(router, "/", cookies)));
    for (figure, [bare, minimum, layer], most) in [
        ("heap allocations beyond the app's", services, 3.0),
        ("heap allocations in an axum router, beyond the bare router's", routers, 6.0),
    ] {
        let detail = format!("bare {bare:.0}, minimum {:.0} more", minimum - bare);
        rows.push(Row::count(figure, layer - bare, most).detail(detail));
    }
}

/// Returns the allocations per request.
fn allocated(run: &mut dyn FnMut(usize)) -> f64 {
    const REQUESTS: u32 = 1_000;
    run(1);
    let counted = measure(|| run(REQUESTS as usize));
    counted.count_total as f64 / f64::from(REQUESTS)
}

/// Counts the bytes of a session beyond its tokens.
pub(crate) async fn memory(rows: &mut Vec<Row>) {
    const SESSIONS: usize = 100_000;
    let payload = (SESSIONS * (ACCESS_TOKEN + REFRESH_TOKEN)) as i64;
    let beyond = |bytes: i64| (bytes - payload) as f64 / SESSIONS as f64;

    let layer = layer();
    let mut ids = Vec::with_capacity(SESSIONS);
    // This thread already runs in a runtime, and a runtime cannot block within another.
    let (layers, ids) = thread::scope(|scope| {
        let counted = scope.spawn(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let counted = measure(|| {
                let cookies = runtime.block_on(signed_in(&layer, SESSIONS));
                allocation_counter::opt_out(|| ids.extend(cookies.iter().map(id_of)));
            });
            (counted, ids)
        });
        counted.join().expect("the thread does not panic")
    });
    let minimums = measure(|| {
        let sessions = Sessions::default();
        for (n, id) in ids.iter().enumerate() {
            sessions.insert(*id, minimum_token(n));
        }
        std::mem::forget(sessions);
    });
    let detail = format!("minimum {:.0}", beyond(minimums.bytes_current));
    rows.push(
        Row::count("bytes per session beyond its tokens", beyond(layers.bytes_current), 160.0).detail(detail),
    );
}

/// Measures how the time per request grows with the number of sessions.
pub(crate) async fn growth(rows: &mut Vec<Row>) {
    let mut first: Option<(f64, f64)> = None;
    for sessions in [1_000, 10_000, 100_000, 1_000_000] {
        let stage = Stage::new(&layer(), sessions).await;
        let times = three(&stage, "/", &stage.cookies);
        let (minimum, layer) = (times.of(MINIMUM), times.of(LAYER));
        let (minimum_at_first, layer_at_first) = *first.get_or_insert((minimum, layer));
        let (grown, minimum_grown) = (layer / layer_at_first, minimum / minimum_at_first);
        if sessions > 1_000 {
            let figure = format!(
                "growth of time from 1,000 to {} sessions, relative to the minimum's",
                grouped(sessions)
            );
            let detail = format!("minimum × {minimum_grown:.2}, layer × {grown:.2}");
            rows.push(Row::ratio(&figure, grown / minimum_grown, 1.0).detail(detail));
        }
    }
}

/// Measures a request for a session in the node's local cache, with Redis as the store.
pub(crate) async fn redis(rows: &mut Vec<Row>) {
    const FIGURE: &str = "time with a Redis store and a cached session, relative to no store";
    let Some(redis) = Redis::start().await else {
        rows.push(Row::missing(FIGURE, "redis-server is not installed"));
        return;
    };
    let in_memory = Stage::new(&layer(), 1_000).await;
    let store = RedisStore::from_url(&redis.url).expect("a URL").with_namespace("bench");
    let stored = builder().store(store).build().expect("the bench's layer builds");
    let stored = Stage::new(&stored, 1_000).await;
    redis.warm_up(&stored).await;
    // Another thread of the runtime serves the connection for notifications.
    let times = interleaved(
        101,
        2_000,
        &mut [
            &mut drive(in_memory.layer.clone(), "/", &in_memory.cookies),
            &mut drive(stored.layer.clone(), "/", &stored.cookies),
        ],
    );
    let detail = format!("no store {:.0} ns, Redis {:.0} ns", times.of(0), times.of(1));
    rows.push(Row::ratio(FIGURE, times.ratio(1, 0).median, 2.0).detail(detail));
}

/// Runs one contender alone, for callgrind (see `instructions`).
pub(crate) async fn run_only(contender: &str, requests: usize) {
    let stage = Stage::new(&layer(), 100).await;
    match contender {
        "bare" => drive(stage.bare, "/", &stage.cookies)(requests),
        "minimum" => drive(stage.minimum, "/", &stage.cookies)(requests),
        _ => drive(stage.layer, "/", &stage.cookies)(requests),
    }
}
