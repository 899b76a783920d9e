//! Simulates a million users on three nodes, with the layer's own code, in virtual time. Prints the figures beside those on paper.
//!
//! `cargo run -p osc-tests --release --bin scale`. It takes two minutes on two cores. Each user of the simulation stands for 64, and
//! a node's limits are divided by 64. `-- 128` simulates half as many users.
//!
//! It fails if a session is lost where none may be, if a refresh token is spent twice or before it is due, if a node exceeds its limit
//! of refreshes at a time, or if requests are refused while the provider works.

mod answered;
mod clock;
mod crowd;
mod paper;
mod provider;
mod report;
mod run;
mod store;
mod tally;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::thread;

use crate::run::{Course, run};
use crate::store::Kind;

/// The layer's limit of refreshes divided by this is one, so no greater scale is exact.
const SCALE: usize = 64;
/// With fewer users, a thousandth is less than one of them.
const LARGEST_SCALE: usize = 1000;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let scale = match &arguments[..] {
        [] => Some(SCALE),
        [scale] => scale.parse().ok().filter(|scale| (1..=LARGEST_SCALE).contains(scale)),
        _ => None,
    };
    let Some(scale) = scale else {
        eprintln!(
            "usage: scale [how many users each one of the simulation stands for, 1 to {LARGEST_SCALE}]"
        );
        return ExitCode::from(2);
    };
    let courses = simulate(scale);
    report::print(&courses);
    for course in &courses {
        for failure in &course.failures {
            eprintln!("{:?}: {failure}", course.kind);
        }
    }
    if courses.iter().all(|course| course.failures.is_empty()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the simulation with each kind of store, each in a thread.
fn simulate(scale: usize) -> Vec<Course> {
    let kinds = [Kind::None, Kind::Notified, Kind::Counter];
    let threads = kinds.map(|kind| thread::spawn(move || run(kind, scale)));
    threads.into_iter().map(|thread| thread.join().expect("the simulation does not panic")).collect()
}
