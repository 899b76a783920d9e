//! The layer's own page. It loads nothing, and all text is escaped.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::Page;

const STYLE: &str = include_str!("page.css");
const PAGE: &str = include_str!("page.html");

/// Adds the fragment of the page's address to the target of the sign-in. Browsers do not send it, and a link would lose it.
const SCRIPT: &str = include_str!("page.js");

/// Allows only the page's own style sheet and script, and forbids framing.
pub(crate) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let [style, script] = [STYLE, SCRIPT].map(|text| STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action \
         'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("a policy of ASCII text is valid in a header")
});

/// Returns the page as HTML.
pub(crate) fn render(page: &Page) -> String {
    let links = page.actions.iter().enumerate().map(|(at, action)| {
        let class = if at == 0 { "button" } else { "button second" };
        let (href, label) = (escape(&action.href), escape(&action.label));
        // Turbo and htmx would fetch the link.
        format!("<a class=\"{class}\" data-turbo=\"false\" hx-boost=\"false\" href=\"{href}\">{label}</a>")
    });
    let actions: String = links.collect();
    let frame = page.turbo_frame.as_ref().map(|id| format!("<turbo-frame id=\"{}\">", escape(id)));
    let script = page.keeps_fragment.then(|| format!("<script>{SCRIPT}</script>"));
    let (title, description) = (escape(&page.title), escape(&page.description));
    // One pass over the template, so that placeholders inside values are not replaced.
    let mut html = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + 512);
    for part in PAGE.split("{{") {
        let (name, rest) = part.split_once("}}").unwrap_or(("", part));
        html += match name {
            "language" => page.language.tag(),
            "style" => STYLE,
            "title" => &title,
            "frame" => frame.as_deref().unwrap_or_default(),
            "description" => &description,
            "actions" => &actions,
            "error" => page.error,
            "end of frame" => frame.as_ref().map_or("", |_| "</turbo-frame>"),
            "script" => script.as_deref().unwrap_or_default(),
            _ => "",
        };
        html += rest;
    }
    html
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
    use http::StatusCode;

    use super::super::{Action, Language};
    use super::*;
    use crate::response::return_to::LONGEST;

    fn page() -> Page {
        Page {
            error: "unauthenticated",
            status: StatusCode::UNAUTHORIZED,
            language: Language::English,
            title: "Please sign in".to_owned(),
            description: "Sign in to continue.".to_owned(),
            actions: Vec::new(),
            turbo_frame: None,
            keeps_fragment: false,
        }
    }

    fn link(label: &str, href: &str) -> Vec<Action> {
        vec![Action { label: label.to_owned(), href: href.to_owned() }]
    }

    #[test]
    fn s14_foreign_text_is_escaped_everywhere() {
        let foreign = "<script>&'{{title}}\">";
        let page = Page {
            title: foreign.to_owned(),
            description: foreign.to_owned(),
            actions: link(foreign, "/signin?return_to=\"><script>"),
            turbo_frame: Some("\"><script>".to_owned()),
            ..page()
        };
        let page = render(&page);
        assert!(!page.contains("<script>"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;&amp;&#39;{{title}}&quot;&gt;").count(), 4, "{page}");
        assert!(page.contains("href=\"/signin?return_to=&quot;&gt;&lt;script&gt;\""), "{page}");
        assert!(page.contains("<turbo-frame id=\"&quot;&gt;&lt;script&gt;\">"), "{page}");
    }

    #[test]
    fn s39_the_page_loads_nothing_and_cannot_be_framed() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        let page = render(&page());
        assert!(page.contains(&format!("<style>{STYLE}</style>")), "{page}");
        for outside in ["http:", "https:", "src=", "<script", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn s39_the_only_script_is_the_pages_own() {
        let actions = link("Sign in", "/signin?return_to=/a");
        let page = render(&Page { actions, keeps_fragment: true, ..page() });
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains(&format!("<script>{SCRIPT}</script>")), "{page}");
        let hash = STANDARD.encode(Sha256::digest(SCRIPT));
        assert!(POLICY.to_str().unwrap().contains(&format!("script-src 'sha256-{hash}';")));
        // A longer target would lead to the app's first page.
        assert!(SCRIPT.contains(&format!("length <= {LONGEST}")), "{SCRIPT}");
    }
}
