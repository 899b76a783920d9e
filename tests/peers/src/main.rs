//! Compares the layer with other crates. `cost` prints the cost of a signed-in request, and `sql` that of one whose
//! session is in a database. `storm` prints the fate of a session that gets 200 requests when its token has expired.

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
mod sql;
mod storm;

use std::process::ExitCode;

fn main() -> ExitCode {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("no other code installs one");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    match std::env::args().nth(1).as_deref() {
        Some("cost") => cost::run(&runtime),
        Some("storm") => runtime.block_on(storm::run()),
        Some("sql") => runtime.block_on(sql::run()),
        _ => {
            eprintln!("Usage: osc-peers cost|sql|storm");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
