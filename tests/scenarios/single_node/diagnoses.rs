//! Mistakes in a deployment: the log names the setting and the remedy, and the page blames the right side.

mod blame;
mod build;
mod pages;
mod proxy;
mod warnings;

use osc_tests::{Answer, Logs};

/// Returns the lines of the log at this level.
fn lines(logs: &Logs, level: &str) -> Vec<String> {
    let text = logs.text();
    let level = format!(" {level} ");
    text.lines().filter(|line| line.contains(&level)).map(str::to_owned).collect()
}

fn text_of(answer: &Answer) -> String {
    String::from_utf8_lossy(answer.body()).replace("&#39;", "'")
}
