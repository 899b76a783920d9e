//! The throughput of two threads, relative to one.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use crate::figures::layer;
use crate::rounds::turns;
use crate::stage::{Stage, drive};
use crate::table::Row;

pub(crate) async fn threads(rows: &mut Vec<Row>) {
    let stage = Stage::new(&layer(), 10_000).await;
    for (figure, cookies) in [("one session", &stage.cookies[..1]), ("many sessions", &stage.cookies[..])] {
        let minimum = || drive(stage.minimum.clone(), "/", cookies);
        let layer = || drive(stage.layer.clone(), "/", cookies);
        let times = turns(101, 4, |turn| match turn {
            0 => at_once(1, &minimum),
            1 => at_once(2, &minimum),
            2 => at_once(1, &layer),
            _ => at_once(2, &layer),
        });
        let minimum = times.spread(|times| 2.0 * times[0] / times[1]);
        let layer = times.spread(|times| 2.0 * times[2] / times[3]);
        let relative = times.spread(|times| times[0] / times[1] / (times[2] / times[3]));
        let figure = format!("speed-up by a second thread, {figure}, the minimum's relative to the layer's");
        let detail = format!("{relative}; minimum × {:.2}, layer × {:.2}", minimum.median, layer.median);
        rows.push(Row::ratio(&figure, relative.median, 1.05).detail(detail));
    }
}

/// Returns the seconds that it takes each of these threads to send the same number of requests.
fn at_once<D: FnMut(usize)>(threads: usize, drive: &(impl Fn() -> D + Sync)) -> f64 {
    const REQUESTS: usize = 20_000;
    let start = Arc::new(Barrier::new(threads + 1));
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let start = start.clone();
                scope.spawn(move || {
                    let mut run = drive();
                    run(1_000);
                    start.wait();
                    run(REQUESTS);
                })
            })
            .collect();
        start.wait();
        let began_at = Instant::now();
        running.into_iter().for_each(|thread| thread.join().expect("the thread does not panic"));
        began_at.elapsed().as_secs_f64()
    })
}
