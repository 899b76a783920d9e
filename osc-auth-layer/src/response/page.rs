//! The layer's own page. It has no script and no outside resource, and all text is escaped.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");
const PAGE: &str = include_str!("page.html");

/// Allows only the page's own style sheet, and forbids framing.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("a policy of ASCII text is valid in a header")
});

pub(super) fn render(error: &str, description: &str, signin: Option<&str>) -> String {
    let title = match error {
        "unauthenticated" => "Please sign in",
        "session_ended" => "Your session has ended",
        "temporarily_unavailable" | "provider_unavailable" => "Temporarily unavailable",
        "access_denied" => "Access declined",
        "not_allowed" => "You are not allowed to use this app",
        "misconfigured" => "Sign-in is not set up",
        "invalid_state" | "sign_in_failed" => "Sign-in failed",
        _ => "The request failed",
    };
    let action = signin.map(|signin| {
        let label = if error == "provider_unavailable" { "Try again" } else { "Sign in with OSC" };
        format!("<a class=\"button\" href=\"{}\">{label}</a>", escape(signin))
    });
    let (action, description, error) = (action.unwrap_or_default(), escape(description), escape(error));
    // One pass over the template, so that placeholders inside values are not replaced.
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + 512);
    for part in PAGE.split("{{") {
        let (name, rest) = part.split_once("}}").unwrap_or(("", part));
        page += match name {
            "style" => STYLE,
            "title" => title,
            "description" => &description,
            "action" => &action,
            "error" => &error,
            _ => "",
        };
        page += rest;
    }
    page
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s14_foreign_text_is_escaped_everywhere() {
        let page = render("x", "<script>&'{{title}}", Some("/signin?return_to=\"><script>"));
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&lt;script&gt;&amp;&#39;{{title}}"), "{page}");
        assert!(page.contains("href=\"/signin?return_to=&quot;&gt;&lt;script&gt;\""), "{page}");
    }

    #[test]
    fn s39_the_page_loads_nothing_and_cannot_be_framed() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        let page = render("unauthenticated", "Sign in to continue.", None);
        assert!(page.contains(&format!("<style>{STYLE}</style>")), "{page}");
        for outside in ["http:", "https:", "src=", "<script", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
