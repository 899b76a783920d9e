//! Which paths need no session. Matching is on the raw path, and fails closed.

use percent_encoding::percent_decode_str;

/// The paths and prefixes an app declared public.
#[derive(Debug, Default)]
pub(crate) struct PublicPaths {
    exact: Vec<String>,
    prefixes: Vec<String>,
    every: bool,
}

impl PublicPaths {
    pub(crate) fn allow_every(&mut self) {
        self.every = true;
    }

    pub(crate) fn allow(&mut self, path: &str) {
        self.exact.push(path.to_owned());
    }

    /// Allows `prefix` itself and whatever lies below it, by whole segments.
    pub(crate) fn allow_below(&mut self, prefix: &str) {
        self.prefixes.push(prefix.trim_end_matches('/').to_owned());
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.every
            || self.exact.iter().any(|public| public == path)
            || (!self.prefixes.is_empty()
                && !is_ambiguous(path)
                && self.prefixes.iter().any(|prefix| is_below(path, prefix)))
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether some router, proxy or file server might read `path` as another path than its bytes say: then it is
/// never public, for it may end up at a protected handler (`/public/..%2fadmin`, `/public;/../admin`).
pub(crate) fn is_ambiguous(path: &str) -> bool {
    !path.starts_with('/')
        || path.contains("//")
        || path.bytes().any(|byte| matches!(byte, b'\\' | b';' | b'*') || !byte.is_ascii_graphic())
        || path.split('/').any(is_dotted)
        || hides_a_delimiter(path)
        // URL parsers drop tabs and newlines (`.%09.`), and C's strings end at a zero.
        || percent_decode_str(path).any(|byte| byte.is_ascii_control())
        // To a lenient decoder `%c0%ae` is a dot (RFC 3629 §10).
        || percent_decode_str(path).decode_utf8().is_err()
}

/// A dot segment, or what is one to those for whom the escape behind the dots is the end of a segment: `..%3b` to a Java
/// server, `..%3f` and `..%23` to whoever puts the decoded path into a URL.
fn is_dotted(segment: &str) -> bool {
    matches!(segment.split('%').next(), Some("." | ".."))
}

/// `%2f`, `%5c`, `%2e` (another router may decode them) and `%25` (it may decode twice). A `%` that begins no escape is
/// as good as `%25`: what decodes `%%32e` leaves `%2e` to the next.
pub(crate) fn hides_a_delimiter(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| match rest.as_bytes() {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => matches!(
            [*high, low.to_ascii_lowercase()],
            [b'2', b'f'] | [b'5', b'c'] | [b'2', b'e'] | [b'2', b'5']
        ),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> PublicPaths {
        let mut paths = PublicPaths::default();
        paths.allow("/");
        paths.allow("/about");
        paths.allow_below("/static");
        paths
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
        ] {
            assert!(paths().matches(path), "{path}");
        }
        for path in ["/staticx", "/Static/app.css", "/x/static/"] {
            assert!(!paths().matches(path), "{path}");
        }
    }

    #[test]
    fn s38_a_path_that_could_be_read_as_another_is_never_public() {
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
        ] {
            assert!(!paths().matches(path), "{path}");
        }
    }

    #[test]
    fn optional_makes_every_path_public() {
        let mut paths = PublicPaths::default();
        paths.allow_every();
        assert!(paths.matches("/anything/../at/all"));
    }
}
