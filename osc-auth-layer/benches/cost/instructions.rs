//! Instructions per request, counted by callgrind in a process of its own: the same however busy the machine is.

use std::env;
use std::process::Command;

use crate::table::Row;

pub(crate) const ARGUMENT: &str = "--instructions";

pub(crate) fn instructions(rows: &mut Vec<Row>) {
    let counted = (per_request("bare"), per_request("minimum"), per_request("layer"));
    let (Some(bare), Some(minimum), Some(layer)) = counted else {
        rows.push(Row::missing("instructions", "valgrind is not installed, or it failed"));
        return;
    };
    let note = format!("bare {bare:.0}, minimum {minimum:.0}");
    rows.push(Row::number("instructions", layer, 6_000.0).note(note));
}

/// The difference between a long and a short run leaves out what it takes to begin and to end.
fn per_request(who: &str) -> Option<f64> {
    const SHORT: u32 = 1_000;
    const LONG: u32 = 6_000;
    let (short, long) = (collected(who, SHORT)?, collected(who, LONG)?);
    Some((long - short) / f64::from(LONG - SHORT))
}

fn collected(who: &str, requests: u32) -> Option<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe().ok()?);
    let run = valgrind.args([ARGUMENT, who, &requests.to_string()]).output().ok()?;
    if !run.status.success() {
        return None;
    }
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    let collected = told.lines().find_map(|line| line.split_once("Collected :"));
    collected?.1.trim().parse().ok()
}
