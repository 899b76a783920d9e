//! What one request costs: the layer beside the bare app and beside the least that could be written by hand.
//!
//! `cargo bench -p osc-auth-layer --all-features` prints one table. Times are medians over interleaved rounds, and the
//! ratios are what counts: they hold on a busy machine too. A name behind `--` runs the figures whose name it is part of.

#![expect(clippy::cast_precision_loss, reason = "the counts are far below 2^52")]

mod contenders;
mod figures;
mod instructions;
mod loopback;
mod redis;
mod rounds;
mod stage;
mod table;

use std::env;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [argument, who, requests] = &arguments[..]
        && argument == instructions::ARGUMENT
    {
        return runtime.block_on(figures::run_only(who, requests.parse().expect("a number")));
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|wanted| name.contains(wanted));
    let mut rows = Vec::new();
    runtime.block_on(async {
        if wanted("time") {
            figures::time(&mut rows).await;
        }
        if wanted("allocations") {
            figures::allocations(&mut rows).await;
        }
        if wanted("instructions") {
            instructions::instructions(&mut rows);
        }
        if wanted("memory") {
            figures::memory(&mut rows).await;
        }
        if wanted("public") {
            figures::public(&mut rows).await;
        }
        if wanted("growth") {
            figures::growth(&mut rows).await;
        }
        if wanted("threads") {
            figures::threads(&mut rows).await;
        }
        if wanted("redis") {
            figures::redis(&mut rows).await;
        }
    });
    if wanted("loopback") {
        loopback::loopback(&mut rows);
    }
    println!("| figure | measured | at most | |\n|---|---|---|---|");
    rows.iter().for_each(|row| println!("{row}"));
}
