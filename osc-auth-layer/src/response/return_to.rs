//! Checks where a sign-in leads: only to a page on the same origin, whatever the link says (open redirects).

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::config::{Config, route};
use crate::redact::is_visible;
use crate::request::public_path::reads_as_dots;

/// The longest page to return to: path, query and fragment.
pub(crate) const LONGEST: usize = 2048;
/// The times that servers and parsers on the way may decode a path.
const MOST_DECODED: usize = 3;

/// Returns the page that `target` names, if it is on the same origin and not one of the layer's own paths. If it is too long,
/// returns its path alone.
pub(crate) fn landing<'t>(target: &'t str, config: &Config, base_path: &str) -> Option<&'t str> {
    let target = if target.len() > LONGEST { path_of(target) } else { target };
    checked(target, config, base_path)
}

/// Returns `target` unchanged if it is a page on the same origin and not one of the layer's own paths.
pub(crate) fn checked<'t>(target: &'t str, config: &Config, base_path: &str) -> Option<&'t str> {
    let path = path_of(target);
    let own = path.strip_prefix(base_path).unwrap_or(path);
    let is_page = target.len() <= LONGEST
        && target.bytes().all(|byte| byte.is_ascii_graphic())
        && path.starts_with('/')
        // Browsers read `\` as `/`.
        && !path.contains('\\')
        // Browsers resolve dot segments, so the path would lead elsewhere than it says.
        && !path.split('/').any(reads_as_dots)
        && stays(path);
    (is_page && route(config, own).is_none()).then_some(target)
}

/// Returns the path of a target, without query and fragment.
pub(crate) fn path_of(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

/// Writes a page into the value of a query parameter, with as few escapes as possible. So the longest page fits into a header.
pub(crate) fn in_query(page: &str) -> String {
    const UNSAFE: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'\'')
        .add(b'#')
        .add(b'%')
        .add(b'&')
        .add(b'+')
        .add(b'<')
        .add(b'>')
        .add(b'`');
    utf8_percent_encode(page, UNSAFE).to_string()
}

/// Returns true if the path leads to this host, even after servers on the way have decoded it up to three times.
///
/// A path leads elsewhere if some parser could read it as the address of another host (`//evil.example`). It must not split a
/// header either.
fn stays(path: &str) -> bool {
    let mut reading = path.to_owned();
    for _ in 0..=MOST_DECODED {
        // Browsers drop tabs and newlines. Some parsers drop other invisible characters.
        let second = reading.chars().filter(|c| is_visible(*c)).nth(1);
        if second.is_some_and(is_read_as_a_slash) || reading.contains("\r\n") {
            return false;
        }
        // Without an escape, every further reading is the same.
        if !reading.contains('%') {
            return true;
        }
        reading = percent_decode_str(&reading).decode_utf8_lossy().into_owned();
    }
    true
}

/// Returns true for slashes, and for characters that some parser turns into one:
///
/// - by compatibility normalisation (UAX #15, NFKC);
/// - by conversion to a code page (`¥` and `₩` are the backslash in 932 and 949);
/// - because they look like one.
fn is_read_as_a_slash(c: char) -> bool {
    matches!(
        c,
        '/' | '\\'
            | '\u{a5}'
            | '\u{20a9}'
            | '\u{2044}'
            | '\u{2215}'
            | '\u{2216}'
            | '\u{29f5}'
            | '\u{29f8}'
            | '\u{29f9}'
            | '\u{fe68}'
            | '\u{ff0f}'
            | '\u{ff3c}'
            | '\u{ffe5}'
            | '\u{ffe6}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    use crate::{OAuthClient, OscAuthLayer};

    fn lands(target: &str) -> bool {
        let layer = OscAuthLayer::builder(OAuthClient::public("cli")).build().unwrap();
        checked(target, &layer.auth.config, "/app").is_some()
    }

    #[test]
    fn paths_of_the_app_are_accepted() {
        for target in [
            "/",
            "/dashboard",
            "/a/b?x=1&y=//z",
            "/a%20b",
            "/caf%C3%A9",
            "/a?next=%2Fb",
            "/a;b",
            "/app/x#top",
            "/a%2Fb",
            "/p//q",
            "/a//evil.com",
            "/?t=a%0Ab&u=%00&v=\\",
            "/line%0Abreak",
            "/100%25",
            "/100%",
            "/%zz",
            "/a%5Cb",
            "/a%252Fb",
            "/a%ef%bc%8f%e2%88%95evil.com",
            "/%ef%bc%8e%ef%bc%8e/x",
            "/x#/../y//z",
            "/a/%c2%ad/evil.com",
            "/files/.%C3%A9tat",
            "/notes/.%20x",
            "/a/..%20b",
            "/\"<>`{|}^",
            "/x?next=https://evil.com",
        ] {
            assert!(lands(target), "{target}");
        }
    }

    #[test]
    fn s37_all_other_targets_are_refused() {
        let long = format!("/{}", "a".repeat(LONGEST));
        for target in [
            "",
            "dashboard",
            "https://evil.com",
            "//evil.com",
            "///evil.com",
            "/\\evil.com",
            "\\\\evil.com",
            "/\t/evil.com",
            "/\n/evil.com",
            " /x",
            "/ x",
            "/./x",
            "/../x",
            "/%2fevil.com",
            "/%5cevil.com",
            "/%2e%2e/x",
            "/%252f/x",
            "/%%32fevil.com",
            "/%2%66evil.com",
            "/%ef%bc%8fevil.com",
            "/%ef%bc%bcevil.com",
            "/%e2%80%8b/evil.com",
            "/%c2%ad/evil.com",
            "/%20/evil.com",
            "/%09/evil.com",
            "/%e2%80%8b../x",
            "/..%3b/x",
            "/%e3%85%a4/evil.com",
            "/x%0d%0aSet-Cookie:a=b",
            "javascript:alert(1)",
            "/é",
            "?x",
            "#x",
            "/auth/signin",
            "/auth/callback?code=x",
            "/app/auth/signin?return_to=/",
            "/auth/signout",
            "data:text/html,x",
            "/%25252fevil.com",
            "/x\\y",
            &long,
        ] {
            assert!(!lands(target), "{target}");
        }
    }

    #[test]
    fn s37_no_character_that_normalises_to_a_slash_may_follow_the_first_slash() {
        let becomes_one = |c: char| [c].into_iter().nfkc().next().is_some_and(|c| matches!(c, '/' | '\\'));
        let found: Vec<char> = ('\u{80}'..=char::MAX).filter(|c| becomes_one(*c)).collect();
        assert!(found.len() >= 3, "{found:?}");
        for c in found {
            let escaped: String = c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
            assert!(!lands(&format!("/{escaped}evil.com")), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn a_page_that_is_too_long_loses_its_query_and_then_counts_as_none() {
        let layer = OscAuthLayer::builder(OAuthClient::public("cli")).build().unwrap();
        let landing = |target: &str| landing(target, &layer.auth.config, "").map(str::to_owned);
        let longest = format!("/{}", "a".repeat(LONGEST - 1));
        assert_eq!(landing(&longest).as_ref(), Some(&longest));
        assert_eq!(landing(&format!("/list?{}#x", "q".repeat(LONGEST))).as_deref(), Some("/list"));
        assert_eq!(landing(&format!("{longest}a?q")), None);
    }
}
