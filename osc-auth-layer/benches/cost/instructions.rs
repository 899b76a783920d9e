//! Instructions per request. Callgrind counts them in a process of its own, so a busy machine changes nothing.

use std::env;
use std::process::Command;

use crate::table::Row;

pub(crate) const ARGUMENT: &str = "--instructions";
const FIGURE: &str = "instructions per request beyond the bare app's, relative to the minimum's";

pub(crate) fn instructions(rows: &mut Vec<Row>) {
    let counted = (per_request("bare"), per_request("minimum"), per_request("layer"));
    let (Some(bare), Some(minimum), Some(layer)) = counted else {
        rows.push(Row::missing(FIGURE, "valgrind is not installed, or it failed"));
        return;
    };
    let (of_minimum, of_layer) = (minimum - bare, layer - bare);
    let detail = format!("bare {bare:.0}, minimum {of_minimum:.0} more, layer {of_layer:.0} more");
    rows.push(Row::ratio(FIGURE, of_layer / of_minimum, 1.3).detail(detail));
}

fn per_request(contender: &str) -> Option<f64> {
    // Start and end of the process differ by up to two million instructions from run to run, so the long run has many requests.
    per_repetition(&[ARGUMENT, contender], 1_000, 81_000)
}

/// Returns the instructions of one repetition. Subtracts a short run from a long one, so that start and end of the process do not
/// count. The number of repetitions is the last argument.
pub(crate) fn per_repetition(arguments: &[&str], short: u32, long: u32) -> Option<f64> {
    let [few, many] = [short, long].map(|number| collected(&[arguments, &[&number.to_string()]].concat()));
    Some((many? - few?) / f64::from(long - short))
}

/// Returns the instructions of the benchmark with these arguments.
fn collected(arguments: &[&str]) -> Option<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe().ok()?);
    let run = valgrind.args(arguments).output().ok()?;
    if !run.status.success() {
        return None;
    }
    let report = String::from_utf8_lossy(&run.stderr).into_owned();
    let collected = report.lines().find_map(|line| line.split_once("Collected :"));
    collected?.1.trim().parse().ok()
}
