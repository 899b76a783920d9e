//! Comparable crates next to the layer. `cost` prints what a signed-in request costs, `storm` what happens to a session
//! when 200 of its requests come at the moment its token expires.

#[path = "../../../osc-auth-layer/benches/cost/contenders.rs"]
mod contenders;
#[path = "../../../osc-auth-layer/benches/cost/stage.rs"]
mod stage;

mod browser;
mod cost;
mod memory;
mod peers;
mod provider;
mod rounds;
mod storm;

use std::process::ExitCode;

fn main() -> ExitCode {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("nobody else installs one");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    match std::env::args().nth(1).as_deref() {
        Some("cost") => cost::run(&runtime),
        Some("storm") => runtime.block_on(storm::run()),
        _ => {
            eprintln!("say what to run: cost or storm");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
