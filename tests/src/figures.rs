//! Figures for BENCHMARKS.md. The tests print them and assert no times.

use std::fmt::Display;
use std::time::Duration;

/// Prints a row of a Markdown table. `tests/benchmarks.sh` collects the rows.
pub fn figure<const N: usize>(cells: [&dyn Display; N]) {
    println!("| {} |", cells.map(ToString::to_string).join(" | "));
}

/// Describes the median, the 99th percentile and the maximum.
pub fn latencies(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| milliseconds(took[(took.len() - 1) * percent / 100]);
    format!("p50 {}, p99 {}, longest {}", at(50), at(99), at(100))
}

/// Formats a duration in milliseconds.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
