//! Decides which paths need no session. Matches the raw path and fails closed.

use percent_encoding::percent_decode_str;

use crate::redact::is_visible;

/// The paths and prefixes that the app declared public.
#[derive(Debug, Default)]
pub(crate) struct PublicPaths {
    pub(crate) exact: Vec<String>,
    /// Each is public with everything below it, by whole segments. Without a trailing slash.
    pub(crate) prefixes: Vec<String>,
    pub(crate) every: bool,
}

impl PublicPaths {
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.names(path) || (self.has_prefix_of(path) && !is_ambiguous(path))
    }

    /// Returns true for all public paths, and for ambiguous ones that look public. It costs no allocation.
    pub(crate) fn resemble(&self, path: &str) -> bool {
        self.names(path) || self.has_prefix_of(path)
    }

    fn names(&self, path: &str) -> bool {
        self.every || self.exact.iter().any(|public| public == path)
    }

    fn has_prefix_of(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| is_below(path, prefix))
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns true if some router, proxy or file server could read `path` as another path than its bytes say.
///
/// Such a path is never public, because it may reach a protected handler (`/public/..%2fadmin`, `/public;/../admin`).
pub(crate) fn is_ambiguous(path: &str) -> bool {
    !path.starts_with('/')
        || path.contains("//")
        || path.bytes().any(|byte| matches!(byte, b'\\' | b';' | b'*') || !byte.is_ascii_graphic())
        || path.split('/').any(is_dotted)
        || hides_a_delimiter(path)
        // URL parsers drop tabs and newlines (`.%09.`), and C strings end at a zero byte.
        || percent_decode_str(path).any(|byte| byte.is_ascii_control())
        // A lenient UTF-8 decoder reads `%c0%ae` as a dot (RFC 3629 §10).
        || percent_decode_str(path).decode_utf8().is_err()
}

/// Returns true if some parser could read `segment` as `.` or `..`.
///
/// - Java servers end a segment at `%3b`.
/// - `%3f` and `%23` end it if a decoded path is put into a URL.
/// - Some parsers first drop spaces and invisible characters (UTS #46, `toNFKC_Casefold`).
pub(crate) fn is_dotted(segment: &str) -> bool {
    // Any escape may end a segment for somebody: RFC 3986 §3.3 lets `,` and `=` begin parameters.
    matches!(segment.split('%').next(), Some("." | "..")) || reads_as_dots(segment)
}

/// Returns true if some parser reads the decoded `segment` as `.` or `..`, also with invisible characters or a delimiter after it.
pub(crate) fn reads_as_dots(segment: &str) -> bool {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    let visible = decoded.chars().filter(|c| is_visible(*c));
    let read: String = visible.take_while(|c| !matches!(c, ';' | '?' | '#' | '%')).take(3).collect();
    matches!(&*read, "." | "..")
}

/// Returns true if a decoder could find a delimiter in an escape of `path`.
///
/// - `%2f`, `%5c` and `%2e`, because another router may decode them;
/// - `%25`, because it may decode twice;
/// - a `%` without two hex digits, because decoding `%%32e` once leaves `%2e`;
/// - a fullwidth `／` and the like, because a parser may normalise the decoded path.
fn hides_a_delimiter(path: &str) -> bool {
    let is_delimiter = |rest: &str| match rest.as_bytes() {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => matches!(
            [*high, low.to_ascii_lowercase()],
            [b'2', b'f'] | [b'5', b'c'] | [b'2', b'e'] | [b'2', b'5']
        ),
        _ => true,
    };
    let decoded = || percent_decode_str(path).decode_utf8_lossy();
    path.contains('%')
        && (path.split('%').skip(1).any(is_delimiter) || decoded().chars().any(becomes_a_delimiter))
}

/// Returns true if some parser turns `c` into one of `. / \ ; % ? # *`, alone or with other characters.
pub(crate) fn becomes_a_delimiter(c: char) -> bool {
    matches!(
        c,
        // Compatibility normalisation (UAX #15, NFKC): the Greek question mark; leaders and the ellipsis; doubled marks;
        // `℀ ℁ ℅ ℆`; numbers with a full stop; `㏂ ㏇ ㏘`; forms for vertical text, small forms, fullwidth forms.
        '\u{37e}' | '\u{2024}'..='\u{2026}' | '\u{2047}'..='\u{2049}' | '\u{2100}' | '\u{2101}' | '\u{2105}'
        | '\u{2106}' | '\u{2488}'..='\u{249b}' | '\u{1f100}' | '\u{33c2}' | '\u{33c7}' | '\u{33d8}' | '\u{fe14}'
        | '\u{fe16}' | '\u{fe19}' | '\u{fe30}' | '\u{fe52}' | '\u{fe54}' | '\u{fe56}' | '\u{fe5f}' | '\u{fe61}'
        | '\u{fe68}' | '\u{fe6a}' | '\u{ff03}' | '\u{ff05}' | '\u{ff0a}' | '\u{ff0e}' | '\u{ff0f}' | '\u{ff1b}'
        | '\u{ff1f}' | '\u{ff3c}'
        // Best-fit conversion to code pages (`¥` and `₩` are the backslash in 932 and 949), and lookalikes.
        | '\u{a5}' | '\u{20a9}' | '\u{ffe5}' | '\u{ffe6}' | '\u{66a}' | '\u{2044}' | '\u{2215}'..='\u{2217}'
        | '\u{29f5}' | '\u{29f8}' | '\u{29f9}'
        // IDNA, which reads these as dots (UTS #46).
        | '\u{3002}' | '\u{ff61}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    fn escaped(c: char) -> String {
        c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    fn paths() -> PublicPaths {
        let exact = vec!["/".to_owned(), "/about".to_owned()];
        PublicPaths { exact, prefixes: vec!["/static".to_owned()], every: false }
    }

    #[test]
    fn exact_paths_match_only_themselves() {
        for path in ["/", "/about"] {
            assert!(paths().matches(path), "{path}");
        }
        for path in ["/about/", "/about/us", "/About", "/aboutx", "", "*", "//", "/%61bout"] {
            assert!(!paths().matches(path), "{path}");
        }
    }

    #[test]
    fn prefixes_match_whole_segments() {
        for path in [
            "/static",
            "/static/",
            "/static/app.css",
            "/static/a%20b.css",
            "/static/.well-known",
            "/static/..a%3b",
            "/static/caf%C3%A9.css",
            "/static/cafe%CC%81.css",
            "/static/%E6%9D%B1%E4%BA%AC%20%E2%80%93%20%F0%9F%97%BC.css",
            "/static/%E2%80%9Cquoted%E2%80%9D.css",
        ] {
            assert!(paths().matches(path), "{path}");
        }
        for path in ["/staticx", "/Static/app.css", "/x/static/"] {
            assert!(!paths().matches(path), "{path}");
        }
    }

    #[test]
    fn s38_an_ambiguous_path_is_never_public() {
        for path in [
            "/static/../admin",
            "/static/./x",
            "/static/..",
            "/static//admin",
            "/static/..%2fadmin",
            "/static/%2e%2e/admin",
            "/static/%2E./admin",
            "/static/..%5cadmin",
            "/static\\..\\admin",
            "/static;/../admin",
            "/static/x;jsessionid=1",
            "/static/%252e%252e/admin",
            "/static/%%32e%%32e/admin",
            "/static/%2%65%2%65/admin",
            "/static/%zz",
            "/static/%2",
            "/static/*",
            "/static/..%3b/admin",
            "/static/..%2cx/admin",
            "/static/.%3dx/admin",
            "/static/..%41/admin",
            "/static/..%3f/admin",
            "/static/..%23",
            "/static/..%00/x",
            "/static/.%09./admin",
            "/static/%0d../admin",
            "/static/%2fadmin",
            "/static/%c0%ae%c0%ae/admin",
            "/static/x%c0%af..%c0%afadmin",
            "/static/%e0%80%ae./admin",
            "/static/\u{ff0e}\u{ff0e}/admin",
            "/static/%",
            "/static/%ef%bc%8e%ef%bc%8e/admin",
            "/static/%EF%BC%8E./admin",
            "/static/..%ef%bc%8fadmin",
            "/static/x%ef%bc%8f..%ef%bc%8fadmin",
            "/static/..%ef%bc%bcadmin",
            "/static/..%ef%b9%a8admin",
            "/static/%e2%80%a4%e2%80%a4/admin",
            "/static/%e2%80%a5/admin",
            "/static/%e2%80%a6/admin",
            "/static/%ef%b9%92%ef%b9%92/admin",
            "/static/..%e2%81%84admin",
            "/static/..%e2%88%95admin",
            "/static/..%e2%88%96admin",
            "/static/..%c2%a5admin",
            "/static/%ef%bc%852e/admin",
            "/static/x%ef%bc%9bjsessionid=1",
            "/static/%e2%80%8b../admin",
            "/static/.%ef%bb%bf./admin",
            "/static/%20../admin",
            "/static/..%c2%a0/admin",
            "/static/%e2%80%8b..%3bx/%e2%80%8badmin",
            "/static/.%e2%80%8b.%3b/admin",
            "/static/.%c2%ad%3fx",
            "/static/%20..%23x/admin",
            "/static/%f3%a0%80%81..%3b/admin",
            "/static/%e3%85%a4../admin",
        ] {
            assert!(!paths().matches(path), "{path}");
        }
    }

    #[test]
    fn s38_characters_that_normalise_to_a_delimiter_are_never_public() {
        const DELIMITERS: [char; 8] = ['.', '/', '\\', ';', '%', '?', '#', '*'];
        let normalised = |c: char| [c].into_iter().nfkc().chain([c].into_iter().nfkd());
        let becomes_one = |c: &char| normalised(*c).any(|c| DELIMITERS.contains(&c));
        let found: Vec<char> = ('\u{80}'..=char::MAX).filter(becomes_one).collect();
        assert!(found.len() > 50, "{found:?}");
        for c in found {
            let escaped = escaped(c);
            assert!(!paths().matches(&format!("/static/{escaped}")), "U+{:04X} {c}", u32::from(c));
        }
        let refused = ('\u{80}'..=char::MAX).filter(|c| becomes_a_delimiter(*c)).count();
        assert!(refused < 100, "{refused}");
    }

    #[test]
    fn s38_ignorable_characters_do_not_hide_a_dot_segment() {
        // `Default_Ignorable_Code_Point` of Unicode 16.
        const IGNORABLE: [std::ops::RangeInclusive<char>; 17] = [
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{17b4}'..='\u{17b5}',
            '\u{180b}'..='\u{180f}',
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{ffa0}'..='\u{ffa0}',
            '\u{fff0}'..='\u{fff8}',
            '\u{1bca0}'..='\u{1bca3}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e0fff}',
        ];
        for c in IGNORABLE.into_iter().flatten() {
            let escaped = escaped(c);
            for segment in ["_..", "._.", ".._", "_.._%3bx", "_.", "_._%3f", "_%23"] {
                let dotted = segment.contains('.');
                let path = format!("/static/{}/admin", segment.replace('_', &escaped));
                assert_eq!(paths().matches(&path), !dotted, "U+{:04X} {path}", u32::from(c));
            }
        }
    }

    #[test]
    fn allow_anonymous_makes_every_path_public() {
        let paths = PublicPaths { every: true, ..PublicPaths::default() };
        assert!(paths.matches("/anything/../at/all"));
    }
}
