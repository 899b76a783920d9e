//! Counts work in instructions, so that a busy machine does not change the result.
//!
//! Callgrind, from Debian's package `valgrind`, runs one test in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs, process, thread};

/// The variable that passes the argument to the counted process.
const ARGUMENT: &str = "COUNT_INSTRUCTIONS";

/// Returns the argument in the counted process, and `None` elsewhere.
///
/// # Panics
/// If the argument is not a number.
pub fn instructions_argument() -> Option<usize> {
    Some(env::var(ARGUMENT).ok()?.parse().expect("a number"))
}

/// Runs the calling test once more with each argument, at the same time, under callgrind. Returns the instructions of each call of
/// `function`.
///
/// `function` is the path of a function in this program that is neither generic nor inlined.
///
/// # Panics
/// If the test fails, or valgrind is not installed.
pub fn instructions<const N: usize>(function: &str, arguments: [usize; N]) -> [Vec<u64>; N] {
    let test = thread::current().name().expect("a test has a name").to_owned();
    arguments.map(|argument| start(&test, function, argument)).map(|(run, folder)| {
        let run = run.wait_with_output().expect("valgrind ends");
        assert!(run.status.success(), "{run:?}");
        let counts = (1..).map_while(|n| count(&folder.join(format!("counted.{n}")))).collect();
        fs::remove_dir_all(&folder).expect("the folder is there");
        counts
    })
}

/// Starts a run. Returns it with the folder of its results.
fn start(test: &str, function: &str, argument: usize) -> (Child, PathBuf) {
    let name = format!("instructions-{}-{test}-{argument}", process::id()).replace(':', "-");
    let folder = env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-line=no"])
        .args([format!("--toggle-collect={function}"), format!("--dump-after={function}")])
        .arg(format!("--callgrind-out-file={}", folder.join("counted").display()))
        .arg(env::current_exe().expect("this program"))
        .args(["--exact", test, "--test-threads=1"])
        .env(ARGUMENT, argument.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("valgrind is installed, as tests/run.sh does");
    (run, folder)
}

fn count(dump: &Path) -> Option<u64> {
    let dump = fs::read_to_string(dump).ok()?;
    let summary = dump.lines().find_map(|line| line.strip_prefix("summary: "));
    Some(summary.expect("a dump has a summary").trim().parse().expect("a number"))
}
