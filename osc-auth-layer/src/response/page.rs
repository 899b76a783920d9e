//! The layer's own page. It loads nothing, and all text is escaped.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");
const PAGE: &str = include_str!("page.html");

/// Adds the fragment of the page's address to the target of the sign-in. Browsers do not send it, and a link would lose it.
const SCRIPT: &str = include_str!("page.js");

/// Allows only the page's own style sheet and script, and forbids framing.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let [style, script] = [STYLE, SCRIPT].map(|text| STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action \
         'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("a policy of ASCII text is valid in a header")
});

/// A link that leads on: its label and its target.
type Button<'b> = (&'static str, &'b str);

/// Returns the ways on from an error, the likeliest first: to a sign-in, if that helps, to the same `page`, or to the `app`.
pub(super) fn buttons<'b>(
    error: &str,
    signin: Option<&'b str>,
    page: Option<&'b str>,
    app: &'b str,
) -> Vec<Button<'b>> {
    let label = match error {
        "provider_unavailable" | "store_unavailable" | "sign_in_failed" => "Try again",
        "not_allowed" => "Sign in with another account",
        _ => "Sign in with OSC",
    };
    let first = match page.filter(|_| error == "temporarily_unavailable") {
        Some(page) => Some(("Try again", page)),
        None => signin.map(|signin| (label, signin)),
    };
    // A visitor who only has to sign in gets no second choice.
    let is_dead_end = first.is_none() || matches!(error, "access_denied" | "not_allowed" | "sign_in_failed");
    first.into_iter().chain(is_dead_end.then_some(("Go to the app", app))).collect()
}

/// The contents of a page.
#[derive(Default)]
pub(super) struct Page<'p> {
    pub(super) error: &'p str,
    pub(super) description: &'p str,
    pub(super) buttons: Vec<Button<'p>>,
    /// The id of the Turbo frame that shows the contents.
    pub(super) frame: Option<&'p str>,
    /// True if the first button gets the fragment of the page's address.
    pub(super) keeps_fragment: bool,
}

impl Page<'_> {
    pub(super) fn render(&self) -> String {
        let title = title(self.error);
        let links = self.buttons.iter().enumerate().map(|(at, (label, target))| {
            let class = if at == 0 { "button" } else { "button second" };
            let href = escape(target);
            // Turbo and htmx would fetch the link.
            format!(
                "<a class=\"{class}\" data-turbo=\"false\" hx-boost=\"false\" href=\"{href}\">{label}</a>"
            )
        });
        let actions: String = links.collect();
        let frame = self.frame.map(|id| format!("<turbo-frame id=\"{}\">", escape(id)));
        let script = self.keeps_fragment.then(|| format!("<script>{SCRIPT}</script>"));
        let (description, error) = (escape(self.description), escape(self.error));
        // One pass over the template, so that placeholders inside values are not replaced.
        let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + 512);
        for part in PAGE.split("{{") {
            let (name, rest) = part.split_once("}}").unwrap_or(("", part));
            page += match name {
                "style" => STYLE,
                "title" => title,
                "frame" => frame.as_deref().unwrap_or_default(),
                "description" => &description,
                "actions" => &actions,
                "error" => &error,
                "end of frame" => frame.as_ref().map_or("", |_| "</turbo-frame>"),
                "script" => script.as_deref().unwrap_or_default(),
                _ => "",
            };
            page += rest;
        }
        page
    }
}

fn title(error: &str) -> &'static str {
    match error {
        "unauthenticated" => "Please sign in",
        "session_ended" => "Your session has ended",
        "temporarily_unavailable" | "provider_unavailable" | "store_unavailable" => "Temporarily unavailable",
        "access_denied" => "Access declined",
        "not_allowed" => "You are not allowed to use this app",
        "misconfigured" => "Sign-in is not set up",
        "invalid_state" | "sign_in_failed" => "Sign-in failed",
        _ => "The request failed",
    }
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
    use super::super::return_to::LONGEST;
    use super::*;

    fn page() -> Page<'static> {
        Page { error: "unauthenticated", description: "Sign in to continue.", ..Page::default() }
    }

    #[test]
    fn s14_foreign_text_is_escaped_everywhere() {
        let (description, signin) = ("<script>&'{{title}}", "/signin?return_to=\"><script>");
        let buttons = vec![("Sign in", signin)];
        let page = Page { description, buttons, frame: Some("\"><script>"), ..page() };
        let page = page.render();
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&lt;script&gt;&amp;&#39;{{title}}"), "{page}");
        assert!(page.contains("href=\"/signin?return_to=&quot;&gt;&lt;script&gt;\""), "{page}");
        assert!(page.contains("<turbo-frame id=\"&quot;&gt;&lt;script&gt;\">"), "{page}");
    }

    #[test]
    fn s39_the_page_loads_nothing_and_cannot_be_framed() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        let page = page().render();
        assert!(page.contains(&format!("<style>{STYLE}</style>")), "{page}");
        for outside in ["http:", "https:", "src=", "<script", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn s39_the_only_script_is_the_pages_own() {
        let buttons = vec![("Sign in", "/signin?return_to=/a")];
        let page = Page { buttons, keeps_fragment: true, ..page() }.render();
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains(&format!("<script>{SCRIPT}</script>")), "{page}");
        let hash = STANDARD.encode(Sha256::digest(SCRIPT));
        assert!(POLICY.to_str().unwrap().contains(&format!("script-src 'sha256-{hash}';")));
        // A longer target would lead to the app's first page.
        assert!(SCRIPT.contains(&format!("length <= {LONGEST}")), "{SCRIPT}");
    }
}
