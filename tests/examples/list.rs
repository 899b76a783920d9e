//! The list of examples in the guide, and their size.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn layer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../osc-auth-layer")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the names of the examples and their texts.
fn examples() -> Vec<(String, String)> {
    let entries = fs::read_dir(layer().join("examples")).expect("the examples are there");
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let name = |path: &Path| path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
    let examples: Vec<_> = paths.map(|path| (name(&path), text(&path))).collect();
    assert!(examples.len() > 10);
    examples
}

#[test]
fn each_example_is_under_60_lines_and_says_how_to_run_it() {
    for (name, text) in examples() {
        let lines = text.lines().count();
        assert!(lines < 60, "{name} has {lines} lines");
        let command = format!("cargo run -p osc-auth-layer --all-features --example {name}`");
        assert!(text.contains(&command), "{name} lacks `{command}");
    }
}

#[test]
fn each_example_has_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let tests: String =
        ["pages.rs", "kept_open.rs", "nodes.rs"].map(|file| text(&folder.join(file))).concat();
    for (name, _) in examples() {
        let starts = ["start(", "example("].map(|how| format!("{how}\"{name}\""));
        assert!(starts.iter().any(|start| tests.contains(start)), "no test starts {name}");
    }
}

#[test]
fn the_guide_lists_each_example() {
    let page = text(&layer().join("src/guide/examples.md"));
    let listed =
        page.lines().filter_map(|line| Some(line.strip_prefix("| [`")?.split_once('`')?.0.to_owned()));
    let listed: BTreeSet<_> = listed.collect();
    let files: BTreeSet<_> = examples().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, files);
}
