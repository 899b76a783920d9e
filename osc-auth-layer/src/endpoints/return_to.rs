//! Checks where a sign-in leads: only to a path on the same origin, whatever the link says (open redirects).

use percent_encoding::percent_decode_str;

use super::route;
use crate::config::Config;
use crate::redact::is_visible;
use crate::request::public_path::{hides_a_delimiter, is_dotted};
use crate::response::LONGEST_RETURN;

/// Returns `target` if it is a plain path on the same origin, with or without a query, and not one of the layer's own paths.
pub(crate) fn checked<'t>(target: &'t str, config: &Config, base_path: &str) -> Option<&'t str> {
    if target.len() > LONGEST_RETURN {
        return None;
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let own = path.strip_prefix(base_path).unwrap_or(path);
    // Some parsers drop invisible characters, so `/<zero width space>/evil` would leave the origin.
    let seen: String =
        percent_decode_str(path).decode_utf8_lossy().chars().filter(|c| is_visible(*c)).collect();
    // Browsers read `\` as `/` and drop tabs and newlines, so `/\evil` and `/<tab>/evil` would leave the origin.
    let is_plain = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && path.starts_with('/')
        && !seen.contains("//")
        && !path.split('/').any(is_dotted)
        // A server on the way may decode the path, which must not produce any of the above.
        && !hides_a_delimiter(path)
        && !percent_decode_str(target).any(|byte| byte.is_ascii_control());
    (is_plain && route(config, own).is_none()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, OscAuthLayer};

    fn lands(target: &str) -> bool {
        let layer = OscAuthLayer::builder(Client::public("cli")).build().unwrap();
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
        ] {
            assert!(lands(target), "{target}");
        }
    }

    #[test]
    fn s37_all_other_targets_are_refused() {
        let long = format!("/{}", "a".repeat(LONGEST_RETURN));
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
            "/a//evil.com",
            "/./x",
            "/../x",
            "/%2fevil.com",
            "/%5cevil.com",
            "/%2e%2e/x",
            "/%252f/x",
            "/%%32fevil.com",
            "/%2%66evil.com",
            "/%",
            "/%ef%bc%8fevil.com",
            "/a%ef%bc%8f%e2%88%95evil.com",
            "/%ef%bc%bcevil.com",
            "/%ef%bc%8e%ef%bc%8e/x",
            "/%e2%80%8b/evil.com",
            "/a/%c2%ad/evil.com",
            "/%20/evil.com",
            "/%09/evil.com",
            "/%e2%80%8b../x",
            "/..%3b/x",
            "/%e3%85%a4/evil.com",
            "/x%0d%0aSet-Cookie:a=b",
            "/x?a=%00",
            "javascript:alert(1)",
            "/é",
            "?x",
            "#x",
            "/auth/signin",
            "/auth/callback?code=x",
            "/app/auth/signin?return_to=/",
            "/auth/signout",
            "data:text/html,x",
            &long,
        ] {
            assert!(!lands(target), "{target}");
        }
    }
}
