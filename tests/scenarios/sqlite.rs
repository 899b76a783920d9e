//! Sessions in an SQLite file, when the disk, the file or the processes fail.

mod clocks;
mod contract;
mod diagnoses;
mod disk;
mod fleet;
mod power_loss;
mod preflight;
mod processes;
mod restored;
mod security;

use std::fs;
use std::path::Path;
use std::process::Command;

/// Builds a library from C. A program that is started with its path in `LD_PRELOAD` calls its functions instead of the system's.
fn library(directory: &Path, code: &str) -> String {
    let (source, library) = (directory.join("library.c"), directory.join("library.so"));
    fs::write(&source, code).expect("a file");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).args(["-ldl", "-lpthread"]);
    let built =
        compiler.output().expect("cc is missing: run tests/run.sh once, or apt-get install gcc libc6-dev");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library.display().to_string()
}
