//! The programs of the samples and of the layer's examples, built once.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// One of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// `samples/axum`
    Axum,
    /// `samples/hyper`
    Hyper,
}

/// A program that a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Sample(Sample),
    /// A file of `osc-auth-layer/examples`, without `.rs`.
    Example(&'static str),
}

/// A build from scratch on a busy machine.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// Prefixes of variables that cargo sets for the package of this test. Build scripts that watch them would
/// run again.
const OF_THE_TEST: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"];

impl Program {
    /// Returns the path of the program, rebuilt if its sources changed.
    pub(super) async fn path(self) -> PathBuf {
        static AXUM: OnceCell<PathBuf> = OnceCell::const_new();
        static HYPER: OnceCell<PathBuf> = OnceCell::const_new();
        let (cell, package) = match self {
            Self::Sample(Sample::Axum) => (&AXUM, "osc-sample-axum"),
            Self::Sample(Sample::Hyper) => (&HYPER, "osc-sample-hyper"),
            Self::Example(name) => return example(name).await,
        };
        cell.get_or_init(|| built(package, &[], package)).await.clone()
    }
}

/// Returns the path of one of the layer's examples. The first call builds all of them, unless cargo has done so.
///
/// # Panics
/// If an example does not build, or there is none of this name.
pub async fn example(name: &str) -> PathBuf {
    static EXAMPLES: OnceCell<HashMap<String, PathBuf>> = OnceCell::const_new();
    // With the features of `cargo test --workspace --all-features`, which builds the examples too.
    let build = || build("osc-auth-layer", &["--workspace", "--all-features", "--examples"]);
    let path = EXAMPLES.get_or_init(build).await.get(name).cloned();
    path.unwrap_or_else(|| panic!("there is no example {name}"))
}

/// Builds a program of this workspace with further arguments for cargo, and returns its path.
///
/// # Panics
/// If it does not build.
async fn built(package: &str, arguments: &[&str], name: &str) -> PathBuf {
    build(package, arguments).await.remove(name).expect("cargo names the program")
}

/// Builds programs and returns their paths by name.
async fn build(package: &str, arguments: &[&str]) -> HashMap<String, PathBuf> {
    // The path is target/PROFILE/deps/scenarios-… or target/PROFILE/soak.
    let test = env::current_exe().expect("the path of this program");
    let deps_or_profile = test.parent().expect("a directory of its own");
    let profile = match deps_or_profile.ends_with("deps") {
        true => deps_or_profile.parent().expect("a directory for the profile"),
        false => deps_or_profile,
    };
    let target = profile.parent().expect("a target directory");
    let profile = match profile.file_name().and_then(|name| name.to_str()).expect("a profile's name") {
        "debug" => "dev",
        name => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| OF_THE_TEST.iter().any(|of| name.starts_with(of))) {
            cargo.env_remove(name);
        }
    }
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--package", package, "--profile", profile])
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let built = tokio::time::timeout(BUILD_LIMIT, cargo.output()).await.expect("a build ends");
    let built = built.expect("cargo can be run");
    assert!(built.status.success(), "{package}: {}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).expect("cargo writes JSON");
    let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let programs = messages.filter_map(|message| {
        let path = message["executable"].as_str()?;
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
    });
    programs.collect()
}
