//! The layer's pages: their contents, their languages and their look. Knows no refusal.

mod built_in;
mod color;
mod language;
mod page;

use std::sync::LazyLock;

use http::HeaderValue;

use self::built_in::{Look, SCRIPT, hash};
pub(crate) use self::color::Color;
pub(crate) use self::language::Language;
pub(crate) use self::page::Renderer;
pub use self::page::{Page, PageAction, PageHtml};

/// The most bytes of a page's own policy. Proxies limit headers.
const LONGEST_POLICY: usize = 2048;

/// Allows what the app serves itself, and the script that keeps the fragment. Forbids frames, and forms.
static POLICY_OF_APPS: LazyLock<HeaderValue> = LazyLock::new(|| {
    let script = hash(SCRIPT);
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; script-src 'self' '{script}'; base-uri \
         'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("a policy of ASCII text is valid in a header")
});

/// The address of the app's first page.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// A path below the public URL.
    Path(String),
    Url(String),
}

/// The settings of the pages.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) app_name: Option<String>,
    home: Home,
    /// The languages to choose from, the default first.
    pub(crate) languages: Vec<Language>,
    look: Look,
    renderer: Option<Renderer>,
}

impl Pages {
    pub(crate) fn new(
        app_name: Option<String>,
        color: Option<Color>,
        home: Home,
        languages: Vec<Language>,
        renderer: Option<Renderer>,
    ) -> Self {
        Self { app_name, home, languages, look: Look::new(color), renderer }
    }

    /// Returns the address of the app's first page, as the browser sees it.
    pub(crate) fn home(&self, base_path: &str) -> String {
        match &self.home {
            Home::Path(path) => format!("{base_path}{path}"),
            Home::Url(url) => url.clone(),
        }
    }

    /// Returns the HTML of a page and its `Content-Security-Policy`.
    pub(crate) fn render(&self, page: &Page) -> (String, HeaderValue) {
        let Some(PageHtml { html, policy }) = self.renderer.as_ref().and_then(|app| app.render(page)) else {
            return self.look.render(page);
        };
        let own = policy.map(|policy| {
            let policy = Some(policy).filter(|policy| policy.len() <= LONGEST_POLICY);
            policy.and_then(|policy| HeaderValue::try_from(policy).ok())
        });
        if let Some(None) = own {
            tracing::error!(
                "The policy of the app's page renderer is longer than 2,048 bytes or not valid in a header. The layer sends its \
                 default policy instead."
            );
        }
        (html, own.flatten().unwrap_or_else(|| POLICY_OF_APPS.clone()))
    }
}
