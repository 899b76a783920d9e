//! Makes foreign text safe for a log line or a page: one bounded line, without characters that forge or reorder lines, and
//! without the secrets that were sent.
//!
//! Only for display. The crate makes its decisions on the original text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::error::Error;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

/// The shortest string that counts as a secret. Shorter strings occur in sentences by chance: hiding a token `r` would hide
/// everything.
const SHORTEST_SECRET: usize = 6;
/// The length of a part that gives a secret away. Long enough not to occur in a sentence by chance, and short enough that
/// less of a token is of no use.
const TELLING_PART: usize = 16;
/// The most characters of a text that are read for a line.
const LONGEST_READ: usize = 4096;
const WITHHELD: &str = "[withheld: it repeats a secret]";

/// Returns `text` as one line of at most `longest` characters.
pub(crate) fn line(text: &str, longest: usize) -> String {
    redacted(text, longest, &[])
}

/// Returns an error as one line with its causes, of at most 500 characters: `error sending request: connection refused`.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source());
    line(&causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")), 500)
}

/// Works like [`line`], and withholds words that contain one of `secrets` or a telling part of one. Also finds secrets in
/// percent-encoding, JSON and base64.
pub(crate) fn redacted(text: &str, longest: usize, secrets: &[&str]) -> String {
    let parts: Vec<_> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let parts: Vec<_> = parts.iter().filter_map(|form| Parts::of(form)).collect();
    let repeats = |text: &str| readings(text).iter().any(|read| parts.iter().any(|parts| parts.are_in(read)));
    let text: String = text.chars().take(LONGEST_READ).map(printable).collect();
    let words: Vec<_> = text.split_whitespace().map(|word| (!repeats(word)).then_some(word)).collect();
    let shown: Vec<_> = words.iter().map(|word| word.unwrap_or("[withheld]")).collect();
    let mut line = shown.join(" ");
    let is_all_withheld = !words.is_empty() && words.iter().all(Option::is_none);
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

/// Returns true if `c` is visible by itself: not a space, a control or format character, or a combining character.
pub(crate) fn is_visible(c: char) -> bool {
    match c {
        '!'..='~' => true,
        // The fillers are letters by their category, but invisible.
        ' ' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        _ => printable(c) == c && c.escape_debug().count() == 1,
    }
}

/// Returns `c`, or a safe character instead of it.
///
/// A space replaces characters that end a line or control a terminal. U+FFFD replaces characters that are invisible or reorder
/// their neighbours. `Debug` of a string tells these apart by the same general categories.
fn printable(c: char) -> char {
    let is_escaped = || "x".chars().chain([c]).collect::<String>().escape_debug().count() != 2;
    match c {
        ' '..='~' => c,
        _ if c.is_control() || c.is_whitespace() => ' ',
        _ if is_escaped() => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

/// Returns a secret as it is and in its JSON form, each turned into one line.
fn forms(secret: &str) -> [String; 2] {
    let escaped = serde_json::Value::from(secret).to_string();
    [secret, &escaped[1..escaped.len() - 1]].map(|form| {
        let text: String = form.chars().map(printable).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// All parts of a secret that would give it away.
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

/// Returns the text as it is, percent-decoded, and the contents of its base64 parts.
fn readings(text: &str) -> Vec<Cow<'_, [u8]>> {
    let decoded = |text: &str| Cow::Owned(percent_decode_str(text).collect());
    let in_form = decoded(&text.replace('+', " "));
    let in_base64 = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_".contains(c)));
    let in_base64 = in_base64.filter_map(|run| {
        let run = run.replace('-', "+").replace('_', "/");
        // A single last character does not encode a byte, so it belongs to the following text.
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
