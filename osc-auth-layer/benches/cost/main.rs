//! Measures the cost of one request: behind the layer, behind a hand-written minimum, and without either.
//!
//! `cargo bench -p osc-auth-layer --all-features` prints one Markdown table. Times are medians over interleaved rounds. The
//! ratios are reliable on a busy machine too, the times are not. Names after `--` select figures, such as `time memory`.

#![expect(clippy::cast_precision_loss, reason = "the counts are far below 2^52")]

mod contenders;
mod figures;
mod instructions;
mod life;
mod loopback;
mod provider;
mod redis;
mod renewal;
mod resident;
mod rounds;
mod routers;
mod sign_in;
mod stage;
mod stalls;
mod table;
mod threads;
mod tls;

use std::env;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // The benchmark starts itself again for figures that need a process of their own.
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [instructions::ARGUMENT, contender, requests] => {
            return runtime.block_on(figures::run_only(contender, requests.parse().expect("a number")));
        }
        [life::ARGUMENT, store] => return runtime.block_on(life::run_startup(store)),
        [resident::ARGUMENT, store] => return runtime.block_on(resident::run(store)),
        [provider::ARGUMENT] => return runtime.block_on(provider::run()),
        [sign_in::ARGUMENT, provider, sign_ins] => {
            return sign_in::run(provider, sign_ins.parse().expect("a number"));
        }
        [renewal::ARGUMENT, provider, work, rounds] => {
            return renewal::run(provider, work, rounds.parse().expect("a number"));
        }
        _ => {}
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
        if wanted("resident") {
            resident::resident(&mut rows).await;
        }
        if wanted("public") {
            figures::public(&mut rows).await;
        }
        if wanted("growth") {
            figures::growth(&mut rows).await;
        }
        if wanted("threads") {
            threads::threads(&mut rows).await;
        }
        if wanted("redis") {
            figures::redis(&mut rows).await;
        }
        if wanted("cold") {
            life::cold(&mut rows).await;
        }
        if wanted("warm") {
            life::warm(&mut rows).await;
            life::warm_redis(&mut rows).await;
        }
    });
    if wanted("startup") {
        life::startup(&mut rows);
    }
    if wanted("stalls") {
        stalls::stalls(&mut rows);
    }
    if wanted("loopback") {
        loopback::loopback(&mut rows);
    }
    if wanted("sign_in") {
        sign_in::sign_in(&mut rows);
    }
    if wanted("renewal") {
        renewal::renewal(&mut rows);
    }
    println!("| figure | measured | aim | detail |\n|---|---|---|---|");
    rows.iter().for_each(|row| println!("{row}"));
}
