//! The tables and lists of a guide page.

use crate::project::sources;

/// Returns the rows of the tables below a heading of a page, without their head.
pub(super) fn rows<const COLUMNS: usize>(page: &str, heading: &str) -> Vec<[String; COLUMNS]> {
    let lines = below(page, heading);
    let is_rule = |line: &str| line.starts_with("|--");
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| is_rule(next));
    let rows = lines.iter().enumerate().filter(|(at, line)| {
        let is_row = line.starts_with('|') && !is_rule(line);
        is_row && !is_head(*at)
    });
    rows.map(|(_, row)| cells(row)).collect()
}

/// Returns the items of the lists below a heading of a page, each in one line.
pub(super) fn items(page: &str, heading: &str) -> Vec<String> {
    let mut items = Vec::<String>::new();
    let mut is_open = false;
    for line in below(page, heading) {
        let continued = line.strip_prefix("  ").filter(|_| is_open);
        is_open = continued.is_some() || line.starts_with("- ");
        match (line.strip_prefix("- "), continued, items.last_mut()) {
            (Some(first), ..) => items.push(first.trim_end_matches('\\').to_owned()),
            (None, Some(more), Some(item)) => {
                item.push(' ');
                item.push_str(more.trim_end_matches('\\'));
            }
            _ => {}
        }
    }
    items.iter().map(|item| plain(item)).collect()
}

/// Returns the part of `item` between quotation marks, and what comes before it.
pub(super) fn quotation(item: &str) -> Option<(&str, &str)> {
    let (before, rest) = item.split_once('“')?;
    Some((before, rest.split_once('”')?.0))
}

fn below(page: &str, heading: &str) -> Vec<String> {
    let page = sources::text(&format!("osc-auth-layer/src/guide/{page}.md"));
    let below = page.lines().skip_while(|line| *line != heading).skip(1);
    let lines: Vec<_> = below.take_while(|line| !line.starts_with("## ")).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "the page has no {heading:?}");
    lines
}

fn cells<const COLUMNS: usize>(row: &str) -> [String; COLUMNS] {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    let cells: Vec<_> = inner.split('|').map(plain).collect();
    cells.try_into().unwrap_or_else(|_| panic!("a row needs {COLUMNS} cells: {row}"))
}

/// Leaves out backticks, brackets and the targets of links.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for part in text.replace('`', "").split('[') {
        match part.split_once("](") {
            Some((text, rest)) => {
                plain.push_str(text);
                plain.push_str(rest.split_once(')').map_or(rest, |(_, after)| after));
            }
            None => plain.push_str(&part.replace(']', "")),
        }
    }
    plain.trim().to_owned()
}
