//! The contents of a page, and the app's own renderer of it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::StatusCode;

use super::Language;
use super::built_in::{SCRIPT, escape};

/// The contents of a page of the layer, for a [`page_renderer`](crate::OscAuthLayerBuilder::page_renderer).
///
/// All texts are plain text in the [`language`](Self::language) of the page. Some contain a name or a host that somebody else
/// chose, so escape them, as template libraries do.
#[derive(Clone, Debug)]
pub struct Page {
    pub(crate) error: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) language: Language,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) actions: Vec<PageAction>,
    pub(crate) app_name: Option<String>,
    pub(crate) home: String,
    pub(crate) turbo_frame: Option<String>,
    /// True if the links to a sign-in get the fragment of the page's address.
    pub(crate) keeps_fragment: bool,
}

impl Page {
    /// Returns the error code, such as `unauthenticated`. The page *Answers, errors and logs* of the guide lists all.
    pub fn error(&self) -> &str {
        self.error
    }

    /// Returns the status of the answer. It is 200 if htmx restores its history, because htmx then shows no other answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the language of the texts as a tag for the attribute `lang`: `en` or `sv`.
    pub fn language(&self) -> &str {
        self.language.tag()
    }

    /// Returns the heading, such as “Please sign in”.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the text that tells what failed and what to do.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns the links that lead on, the likeliest first. There is always one.
    pub fn actions(&self) -> &[PageAction] {
        &self.actions
    }

    /// Returns the name of the app: the one of [`app_name`](crate::OscAuthLayerBuilder::app_name), if there is one.
    pub fn app_name(&self) -> Option<&str> {
        self.app_name.as_deref()
    }

    /// Returns the address of the app's first page: the one of [`app_home`](crate::OscAuthLayerBuilder::app_home), as the browser sees it.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// Returns the id of the Turbo frame that asked. Turbo shows nothing but the contents of a `<turbo-frame>` with this id.
    pub fn turbo_frame(&self) -> Option<&str> {
        self.turbo_frame.as_deref()
    }

    /// Returns a script for the end of the page, if it has to keep the fragment of its address (`#…`) for the time after the
    /// sign-in. Browsers do not send the fragment.
    ///
    /// Put exactly this text between `<script>` and `</script>`: the default policy allows it by its hash. The script adds the
    /// fragment to every link of [`actions`](Self::actions) that leads to a sign-in.
    pub fn script(&self) -> Option<&'static str> {
        self.keeps_fragment.then_some(SCRIPT)
    }
}

/// A link of a [`Page`] that leads on.
#[derive(Clone, Debug)]
pub struct PageAction {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) is_primary: bool,
}

impl PageAction {
    /// Returns the label, such as “Sign in with OSC”.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the target: a path of the app, or the address of [`app_home`](crate::OscAuthLayerBuilder::app_home).
    ///
    /// Turbo and htmx must not fetch it. Give the link the attributes `data-turbo="false"` and `hx-boost="false"` if your pages
    /// use them.
    pub fn href(&self) -> &str {
        &self.href
    }

    /// Returns true for the likeliest way on, the first one.
    pub fn is_primary(&self) -> bool {
        self.is_primary
    }
}

/// The HTML of a page that a [`page_renderer`](crate::OscAuthLayerBuilder::page_renderer) returns. A `String` converts into one.
///
/// ```
/// use osc_auth_layer::PageHtml;
///
/// let page = PageHtml::new("<!doctype html><title>Please sign in</title>…")
///     .content_security_policy("default-src 'self'; img-src https://cdn.example.com");
/// ```
#[derive(Clone, Debug)]
pub struct PageHtml {
    pub(super) html: String,
    pub(super) policy: Option<String>,
}

impl PageHtml {
    /// Makes a page with the default `Content-Security-Policy` of [`page_renderer`](crate::OscAuthLayerBuilder::page_renderer).
    pub fn new(html: impl Into<String>) -> Self {
        Self { html: html.into(), policy: None }
    }

    /// Replaces the default `Content-Security-Policy`.
    ///
    /// The layer adds a second policy that forbids frames around the page.
    ///
    /// The layer keeps its default, and logs an error, if `policy` is longer than 2,048 bytes or not valid in a header.
    #[must_use]
    pub fn content_security_policy(self, policy: impl Into<String>) -> Self {
        Self { policy: Some(policy.into()), ..self }
    }

    /// Escapes text for HTML and for attributes in quotation marks, for pages without a template library.
    ///
    /// ```
    /// use osc_auth_layer::PageHtml;
    ///
    /// assert_eq!(PageHtml::escape("<b class=\"x\">"), "&lt;b class=&quot;x&quot;&gt;");
    /// ```
    pub fn escape(text: &str) -> String {
        escape(text)
    }
}

impl From<String> for PageHtml {
    fn from(html: String) -> Self {
        Self::new(html)
    }
}

impl From<&str> for PageHtml {
    fn from(html: &str) -> Self {
        Self::new(html)
    }
}

/// The app's own function that makes a page's HTML.
#[derive(Clone)]
pub(crate) struct Renderer(Arc<dyn Fn(&Page) -> PageHtml + Send + Sync>);

impl Renderer {
    pub(crate) fn new<R: Into<PageHtml>>(render: impl Fn(&Page) -> R + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |page| render(page).into()))
    }

    /// Returns the app's page. `None` if its function panicked: a page that fails must not hide the reason of an answer.
    pub(super) fn render(&self, page: &Page) -> Option<PageHtml> {
        let rendered = catch_unwind(AssertUnwindSafe(|| (self.0)(page)));
        if rendered.is_err() {
            tracing::error!(
                error = page.error,
                "The app's page renderer panicked. The layer shows its own page instead."
            );
        }
        rendered.ok()
    }
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renderer")
    }
}
