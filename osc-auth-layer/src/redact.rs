//! Foreign text for a log line or a page: one line, bounded, without characters that forge or reorder lines, and without
//! the secrets that were sent. Decisions are made on the text as it came, before it gets here.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

/// Shorter strings are nobody's secret. They also stand in sentences by chance: to hide a token `r` would hide everything.
const SHORTEST_SECRET: usize = 6;
/// Long enough not to stand in a sentence by chance, short enough that what is left of a token is of no use.
const TELLING_PART: usize = 16;
/// As much is read for a line; nobody would read more.
const LONGEST_READ: usize = 4096;
const WITHHELD: &str = "[withheld: it repeats a secret]";

/// `text` as one line of at most `longest` characters.
pub(crate) fn line(text: &str, longest: usize) -> String {
    redacted(text, longest, &[])
}

/// The same, and words that repeat one of `secrets`, or a telling part of it, are withheld. Percent-encoded, in JSON or in
/// base64 they are found too.
pub(crate) fn redacted(text: &str, longest: usize, secrets: &[&str]) -> String {
    let parts: Vec<_> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let parts: Vec<_> = parts.iter().filter_map(|form| Parts::of(form)).collect();
    let repeats = |text: &str| readings(text).iter().any(|read| parts.iter().any(|parts| parts.are_in(read)));
    let text: String = text.chars().take(LONGEST_READ).map(printable).collect();
    let words: Vec<_> = text.split_whitespace().collect();
    let is_withheld: Vec<_> = words.iter().map(|word| repeats(word)).collect();
    let shown = words.iter().zip(&is_withheld).map(|(word, is_withheld)| match is_withheld {
        true => "[withheld]",
        false => word,
    });
    let mut line = shown.collect::<Vec<_>>().join(" ");
    let is_all_withheld = !words.is_empty() && is_withheld.iter().all(|is_withheld| *is_withheld);
    // A secret may consist of several words.
    if is_all_withheld || repeats(&line) {
        WITHHELD.clone_into(&mut line);
    }
    if let Some((end, _)) = line.char_indices().nth(longest) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Whether `c` can be seen by itself: no space, control or format character, and none that only changes its neighbour.
pub(crate) fn is_visible(c: char) -> bool {
    match c {
        '!'..='~' => true,
        // Fillers: letters by their category, and nothing to see.
        ' ' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        _ => printable(c) == c && c.escape_debug().count() == 1,
    }
}

/// `c` itself, a space for one that ends a line or controls a terminal, and a replacement character for one that is invisible
/// or changes the order of its neighbours. `Debug` of a string makes the same difference, by the general category.
fn printable(c: char) -> char {
    let is_escaped = || "x".chars().chain([c]).collect::<String>().escape_debug().count() != 2;
    match c {
        ' '..='~' => c,
        _ if c.is_control() || c.is_whitespace() => ' ',
        _ if is_escaped() => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

/// A secret as it is, and as it stands in JSON; each as the one line that it would be here.
fn forms(secret: &str) -> Vec<String> {
    let escaped = serde_json::Value::from(secret).to_string();
    let one_line = |form: &str| {
        let text: String = form.chars().map(printable).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut forms = vec![one_line(secret), one_line(&escaped[1..escaped.len() - 1])];
    forms.dedup();
    forms
}

/// All parts of a secret that give it away.
struct Parts<'s> {
    length: usize,
    parts: HashSet<&'s [u8]>,
}

impl<'s> Parts<'s> {
    fn of(secret: &'s str) -> Option<Self> {
        if secret.chars().count() < SHORTEST_SECRET {
            return None;
        }
        let length = secret.len().min(TELLING_PART);
        Some(Self { length, parts: secret.as_bytes().windows(length).collect() })
    }

    fn are_in(&self, text: &[u8]) -> bool {
        text.windows(self.length).any(|part| self.parts.contains(part))
    }
}

/// A text as it is, percent-decoded, and what stands in it in base64.
fn readings(text: &str) -> Vec<Cow<'_, [u8]>> {
    let decoded = |text: &str| Cow::Owned(percent_decode_str(text).collect());
    let in_form = decoded(&text.replace('+', " "));
    let in_base64 = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_".contains(c)));
    let in_base64 = in_base64.filter_map(|run| {
        let run = run.replace('-', "+").replace('_', "/");
        // One character more is no byte: it belongs to what follows.
        let whole = run.len() - usize::from(run.len() % 4 == 1);
        BASE64.decode(&run[..whole]).ok().map(Cow::Owned)
    });
    [Cow::Borrowed(text.as_bytes()), decoded(text), in_form].into_iter().chain(in_base64).collect()
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests;
