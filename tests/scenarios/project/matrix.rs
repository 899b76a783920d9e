//! Checks the form of SECURITY.md: every row is present, and every test that it names exists.

use super::sources::text_below;

const SECURITY: &str = include_str!("../../../SECURITY.md");
const IN_A_BROWSER: &str = concat!(
    include_str!("../../browser/signin.mjs"),
    include_str!("../../browser/back.mjs"),
    include_str!("../../browser/two-users.mjs")
);
const ROWS: usize = 91;

/// A section `### 12. Promise`: its number, and the items below each of its labels.
struct Row<'a> {
    number: usize,
    source: &'a str,
    tests: Vec<&'a str>,
    faults: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// Parses a section. Returns `None` for a section without a number, which is no row.
    fn parse(section: &'a str) -> Option<Self> {
        let (number, rest) = section.split_once(". ")?;
        let number = number.parse().ok()?;
        let (promise, rest) = rest.split_once('\n')?;
        assert!(!promise.is_empty(), "row {number} promises nothing");
        let label = |text: &'a str, label: &str| {
            text.split_once(label).unwrap_or_else(|| panic!("row {number} has no {label:?}"))
        };
        let (_, rest) = label(rest, "\n- Source: ");
        let (source, rest) = label(rest, "\n- Tests:\n");
        let (tests, faults) = label(rest, "\n- Seen to fail when:\n");
        // The last row of a group is followed by the heading of the next group.
        let faults = faults.split("\n## ").next().unwrap_or_default();
        let items = |text: &'a str| text.lines().filter_map(|line| line.strip_prefix("  - ")).collect();
        Some(Self { number, source, tests: items(tests), faults: items(faults) })
    }
}

#[test]
fn every_row_of_the_security_page_has_tests_of_its_number_and_they_exist() {
    let found = text_below("tests/scenarios");
    let rows: Vec<_> = SECURITY.split("\n### ").filter_map(Row::parse).collect();
    for Row { number, source, tests, faults } in &rows {
        assert!(!source.is_empty() && !faults.is_empty(), "row {number} has an empty label");
        let mark = format!("s{number:02}_");
        let mut has_its_own = false;
        for test in tests {
            // A scenario is written as `its_name`, a browser test as a “sentence” with its file.
            let exists = match test.strip_prefix('`').and_then(|test| test.strip_suffix('`')) {
                Some(name) => {
                    has_its_own |= name.contains(&mark);
                    found.contains(&format!("fn {name}("))
                }
                None => {
                    let sentence = test.strip_prefix('“').and_then(|test| test.split('”').next());
                    let exists = sentence.is_some_and(|name| {
                        // A test that runs in several ways has a template as its name.
                        let begins = [format!("test('{name}'"), format!("test(`{name}")];
                        begins.iter().any(|begin| IN_A_BROWSER.contains(begin))
                    });
                    has_its_own |= exists;
                    exists
                }
            };
            assert!(exists, "row {number}: there is no {test}");
        }
        assert!(has_its_own, "row {number} has no test of its number");
    }
    let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>(), "the rows in their order");
}
