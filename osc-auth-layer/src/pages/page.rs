//! The contents of a page.

use http::StatusCode;

use super::Language;

/// The contents of a page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) error: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) language: Language,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) actions: Vec<Action>,
    /// The id of the Turbo frame that shows the contents.
    pub(crate) turbo_frame: Option<String>,
    /// True if the links to a sign-in get the fragment of the page's address.
    pub(crate) keeps_fragment: bool,
}

/// A link that leads on.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) label: String,
    pub(crate) href: String,
}
