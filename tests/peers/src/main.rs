//! Compares the layer with other crates. `cost` prints the cost of a signed-in request, and `sql` that of one whose
//! session is in a database. `storm` prints the fate of a session that gets 200 requests when its token has expired.

#[path = "../../../osc-auth-layer/benches/cost/contenders.rs"]
mod contenders;
#[path = "../../../osc-auth-layer/benches/cost/stage.rs"]
mod stage;

mod apache;
mod browser;
mod cost;
mod field;
mod memory;
mod peers;
mod processes;
mod provider;
mod rounds;
mod served;
mod signin;
mod stores;
mod storm;

use std::process::ExitCode;

fn main() -> ExitCode {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("no other code installs one");
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [program, name, issuer] = &*arguments
        && program == "app"
    {
        processes::serve(name, issuer);
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    match arguments.first().map(String::as_str) {
        Some("signin") => runtime.block_on(signin::run()),
        Some("server") => runtime.block_on(served::run()),
        Some("cost") => cost::run(&runtime),
        Some("storm") => runtime.block_on(storm::run()),
        Some("stores") => runtime.block_on(stores::run()),
        _ => {
            eprintln!("Usage: osc-peers cost|server|signin|stores|storm");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
