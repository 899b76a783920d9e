//! The layer's own page. It loads nothing, and all text is escaped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::{Color, Page};

const STYLE: &str = include_str!("page.css");
const PAGE: &str = include_str!("page.html");

/// Adds the fragment of the page's address to the target of the sign-in. Browsers do not send it, and a link would lose it.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The style sheet of the layer's own pages, and the policy that allows it.
#[derive(Debug)]
pub(super) struct Look {
    style: String,
    policy: HeaderValue,
}

impl Look {
    pub(super) fn new(color: Option<Color>) -> Self {
        let style = format!("{STYLE}{}", color.map(Color::style).unwrap_or_default());
        // Allows only the page's own style sheet and script, and forbids framing.
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(&style),
            hash(SCRIPT)
        );
        Self {
            style,
            policy: HeaderValue::try_from(policy).expect("a policy of ASCII text is valid in a header"),
        }
    }

    /// Returns the page as HTML, and its policy.
    pub(super) fn render(&self, page: &Page) -> (String, HeaderValue) {
        (render(page, &self.style), self.policy.clone())
    }
}

/// Returns the source expression that allows this text in a policy (CSP3 §2.3.1).
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn render(page: &Page, style: &str) -> String {
    let links = page.actions.iter().map(|action| {
        let class = if action.is_primary { "button" } else { "button second" };
        link(class, &action.href, &action.label)
    });
    let actions: String = links.collect();
    let app = page.app_name.as_ref().map(|name| link("app", &page.home, name));
    let frame = page.turbo_frame.as_ref().map(|id| format!("<turbo-frame id=\"{}\">", escape(id)));
    let script = page.keeps_fragment.then(|| format!("<script>{SCRIPT}</script>"));
    let (heading, description) = (escape(&page.title), escape(&page.description));
    let title = match &page.app_name {
        Some(name) => format!("{heading} · {}", escape(name)),
        None => heading.clone(),
    };
    // One pass over the template, so that placeholders inside values are not replaced.
    let mut html = String::with_capacity(PAGE.len() + style.len() + SCRIPT.len() + 512);
    for part in PAGE.split("{{") {
        let (name, rest) = part.split_once("}}").unwrap_or(("", part));
        html += match name {
            "language" => page.language.tag(),
            "style" => style,
            "title" => &title,
            "app" => app.as_deref().unwrap_or_default(),
            "heading" => &heading,
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

fn link(class: &str, href: &str, label: &str) -> String {
    let (href, label) = (escape(href), escape(label));
    // Turbo and htmx would fetch the link.
    format!("<a class=\"{class}\" data-turbo=\"false\" hx-boost=\"false\" href=\"{href}\">{label}</a>")
}

pub(super) fn escape(text: &str) -> String {
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

    use super::super::{Language, PageAction};
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
            app_name: None,
            home: "/".to_owned(),
            turbo_frame: None,
            keeps_fragment: false,
        }
    }

    fn action(label: &str, href: &str) -> Vec<PageAction> {
        vec![PageAction { label: label.to_owned(), href: href.to_owned(), is_primary: true }]
    }

    /// Returns the page with its policy, in a teal app.
    fn rendered(page: &Page) -> (String, String) {
        let (html, policy) = Look::new(Color::parse("#0b6a62")).render(page);
        (html, policy.to_str().unwrap().to_owned())
    }

    #[test]
    fn s14_foreign_text_is_escaped_everywhere() {
        let foreign = "<script>&'{{title}}\">";
        let page = Page {
            title: foreign.to_owned(),
            description: foreign.to_owned(),
            actions: action(foreign, foreign),
            app_name: Some(foreign.to_owned()),
            home: foreign.to_owned(),
            turbo_frame: Some(foreign.to_owned()),
            ..page()
        };
        let (page, _) = rendered(&page);
        assert!(!page.contains("<script>"), "{page}");
        // Twice in `<title>`, and once as heading, name, home, description, target, label and frame.
        assert_eq!(page.matches("&lt;script&gt;&amp;&#39;{{title}}&quot;&gt;").count(), 9, "{page}");
    }

    #[test]
    fn s39_the_page_loads_nothing_and_cannot_be_framed() {
        let (page, policy) = rendered(&Page { app_name: Some("Acme".to_owned()), ..page() });
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        for outside in ["http:", "https:", "src=", "<script", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn s39_the_policy_allows_the_pages_own_style_and_script_only() {
        let actions = action("Sign in", "/signin?return_to=/a");
        for look in [Look::new(None), Look::new(Color::parse("#fff"))] {
            let (html, policy) =
                look.render(&Page { actions: actions.clone(), keeps_fragment: true, ..page() });
            for (element, directive) in [("style", "style-src"), ("script", "script-src")] {
                let parts: Vec<_> = html.split(&format!("<{element}>")).collect();
                assert_eq!((parts.len(), html.matches(&format!("<{element}")).count()), (2, 1), "{html}");
                let text = parts[1].split(&format!("</{element}>")).next().unwrap();
                let allowed = format!("{directive} 'sha256-{}';", STANDARD.encode(Sha256::digest(text)));
                assert!(policy.to_str().unwrap().contains(&allowed), "{policy:?}");
            }
        }
        // A longer target would lead to the app's first page.
        assert!(SCRIPT.contains(&format!("length <= {LONGEST}")), "{SCRIPT}");
    }

    #[test]
    fn the_page_names_the_app_and_links_to_its_home() {
        let named = Page { app_name: Some("Acme & Co".to_owned()), home: "/app/".to_owned(), ..page() };
        let (page, _) = rendered(&named);
        assert!(page.contains("<title>Please sign in · Acme &amp; Co</title>"), "{page}");
        assert!(page.contains("href=\"/app/\">Acme &amp; Co</a>"), "{page}");
    }

    #[test]
    fn a_colour_is_readable_on_the_cards_of_the_style_sheet() {
        for card in ["--card: #ffffff;", "--card: #181c24;"] {
            assert!(STYLE.contains(card), "{card}");
        }
    }
}
