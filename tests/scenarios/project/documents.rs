//! Holds the documents to lines that fit on a screen.

use std::fs;
use std::path::{Path, PathBuf};

/// In characters.
const LONGEST: usize = 160;
/// Their tables have to fit too. A cell in another document may need a long row.
const NARROW: [&str; 2] = ["BENCHMARKS.md", "SECURITY.md"];
/// Folders that other programs write. Folders with a leading dot are skipped too.
const GENERATED: [&str; 2] = ["node_modules", "target"];

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the project is there") {
        let entry = entry.expect("a folder can be read");
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && !GENERATED.contains(&&*name) {
                documents(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// Returns the length in characters without link targets, which cannot be wrapped.
fn length(line: &str) -> usize {
    if line.starts_with('[') && line.contains("]: ") {
        return 0;
    }
    let mut parts = line.split("](");
    let text = parts.next().unwrap_or_default().chars().count();
    let after_links =
        parts.map(|part| part.split_once(')').map_or(part, |(_, rest)| rest).chars().count() + 1);
    text + after_links.sum::<usize>()
}

#[test]
fn no_document_has_a_line_over_160_characters() {
    let mut paths = Vec::new();
    documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut paths);
    assert!(paths.iter().any(|path| path.ends_with("SECURITY.md")), "{paths:?}");
    let mut long = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a document is text");
        let may_have_wide_tables = !NARROW.iter().any(|name| path.ends_with(name));
        let mut is_code = false;
        for (number, line) in text.lines().enumerate() {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            let is_exempt = is_code || is_fence || (may_have_wide_tables && line.starts_with('|'));
            if !is_exempt && length(line) > LONGEST {
                long.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(long.is_empty(), "wrap these lines, or make a list of the table:\n{}", long.join("\n"));
}
