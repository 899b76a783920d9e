//! The guide's tables and lists must name the same texts as the code: log lines, configuration errors, answers and settings.

mod answers;
mod config_errors;
mod log_lines;
mod pages;
mod queries;
mod settings;
mod texts;

use std::collections::BTreeSet;
use std::fmt::Debug;

/// Fails if an entry is only in the code, or only in the guide.
fn assert_same<T: Ord + Debug>(page: &str, code: &BTreeSet<T>, guide: &BTreeSet<T>) {
    let only_code: Vec<_> = code.difference(guide).collect();
    let only_guide: Vec<_> = guide.difference(code).collect();
    assert!(!code.is_empty(), "the test found nothing in the code");
    assert!(
        only_code.is_empty() && only_guide.is_empty(),
        "the guide's page `{page}` and the code differ\nonly in the code: {only_code:#?}\nonly in the guide: {only_guide:#?}"
    );
}
