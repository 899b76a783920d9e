//! The texts of answers, in each language. They contain only the layer's own words. The provider's words go to the log.
//!
//! A template may have these placeholders:
//!
//! | placeholder | text |
//! |---|---|
//! | `{App}`, `{app}`, `{the app}` | the app's name, or words such as “This app”, “this app” and “the app” |
//! | `{host}`, `{prefix}`, `{name}` | a value of the refusal |

mod en;
mod sv;

use std::borrow::Cow;

use super::refusal::Refusal;
use crate::pages::Language;

/// The label of a link that leads on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Label {
    SignIn,
    TryAgain,
    OtherAccount,
    /// Leads back to the page of the user who is signed in now.
    GoOn,
    Home,
}

/// The templates of one language. The functions match every refusal and every label, so none can lack a text.
struct Catalogue {
    title: fn(&Refusal) -> &'static str,
    description: fn(&Refusal) -> &'static str,
    label: fn(Label) -> &'static str,
    /// Comes before the description if the request could have changed something.
    nothing_was_saved: &'static str,
    /// Stands for `{App}`, `{app}` and `{the app}` if the app has no name.
    unnamed: [&'static str; 3],
}

/// The texts for one reader.
#[derive(Clone, Copy)]
pub(super) struct Texts<'t> {
    language: Language,
    app: Option<&'t str>,
}

impl<'t> Texts<'t> {
    /// Returns the texts of an answer for programs. They do not depend on the browser's language or the app's name.
    pub(super) fn for_programs() -> Self {
        Self { language: Language::English, app: None }
    }

    pub(super) fn for_people(language: Language, app: Option<&'t str>) -> Self {
        Self { language, app }
    }

    fn catalogue(self) -> &'static Catalogue {
        match self.language {
            Language::English => &en::CATALOGUE,
            Language::Swedish => &sv::CATALOGUE,
        }
    }

    pub(super) fn title(self, refusal: &Refusal) -> String {
        self.fill((self.catalogue().title)(refusal), refusal)
    }

    /// Tells the user what failed and what to do. `is_write` tells whether the request could have changed something.
    pub(super) fn description(self, refusal: &Refusal, is_write: bool) -> String {
        let catalogue = self.catalogue();
        let description = self.fill((catalogue.description)(refusal), refusal);
        // This refusal says so itself, because nothing was done by other methods either.
        if is_write && !matches!(refusal, Refusal::OtherUser { .. }) {
            format!("{} {description}", catalogue.nothing_was_saved)
        } else {
            description
        }
    }

    pub(super) fn label(self, label: Label, refusal: &Refusal) -> String {
        self.fill((self.catalogue().label)(label), refusal)
    }

    /// Fills the placeholders in one pass, so that placeholders inside values are not replaced.
    fn fill(self, template: &str, refusal: &Refusal) -> String {
        let mut parts = template.split('{');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (placeholder, rest) = part.split_once('}').unwrap_or((part, ""));
            text += &self.name(placeholder).or_else(|| refusal.value(placeholder)).unwrap_or_default();
            text += rest;
        }
        text
    }

    /// Returns the app's name, or words instead of it.
    fn name(self, placeholder: &str) -> Option<Cow<'t, str>> {
        let form = ["App", "app", "the app"].iter().position(|form| *form == placeholder)?;
        Some(self.app.unwrap_or(self.catalogue().unnamed[form]).into())
    }
}

#[cfg(test)]
pub(super) mod tests;
