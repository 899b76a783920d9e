//! SECURITY.md names tests. They have to exist, and each of its rows has to have one of its number.

use std::fs;
use std::path::Path;

const SECURITY: &str = include_str!("../../../SECURITY.md");
const ROWS: usize = 84;
/// This row is shown by a test in a browser.
const IN_A_BROWSER: usize = 73;

pub(super) fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

#[test]
fn every_row_of_the_security_page_has_tests_of_its_number_and_they_exist() {
    let mut found = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), &mut found);
    let mut rows = Vec::new();
    for row in SECURITY.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, _, _, tests, _] = cells[..] else { panic!("a row has five cells: {row}") };
        let Ok(number) = number.parse::<usize>() else { continue };
        rows.push(number);
        if number == IN_A_BROWSER {
            continue;
        }
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        for name in &names {
            assert!(found.contains(&format!("fn {name}(")), "row {number}: there is no {name}");
        }
        let mark = format!("s{number:02}_");
        assert!(names.iter().any(|name| name.contains(&mark)), "row {number} has no test of its number");
    }
    rows.sort_unstable();
    assert_eq!(rows, (1..=ROWS).collect::<Vec<_>>());
}
