//! Every refusal has texts in every language.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;

use super::*;
use crate::request::cookie::BadCookie;
use crate::response::{RequestProblem, StateProblem};
use crate::sessions::Side;

/// Text that would break out of HTML, and a placeholder.
pub(crate) const FOREIGN: &str = "<script>&'\"{app}{{title}}";
const LABELS: [Label; 5] = [Label::SignIn, Label::TryAgain, Label::OtherAccount, Label::GoOn, Label::Home];

/// Returns every refusal, with foreign text where there may be some.
pub(crate) fn refusals() -> Vec<Refusal> {
    let unavailable = |side| Refusal::TemporarilyUnavailable { retry_after: Duration::from_secs(3), side };
    let foreign = || FOREIGN.to_owned();
    vec![
        Refusal::Unauthenticated,
        Refusal::SessionEnded,
        unavailable(Side::Provider),
        unavailable(Side::Store),
        unavailable(Side::Settings),
        Refusal::ProviderUnavailable,
        Refusal::StoreUnavailable,
        Refusal::Misconfigured,
        Refusal::UnknownHost { host: foreign() },
        Refusal::KeptPrefix { prefix: foreign() },
        Refusal::InvalidState(StateProblem::Expired),
        Refusal::InvalidState(StateProblem::Used),
        Refusal::InvalidState(StateProblem::Evicted),
        Refusal::InvalidState(StateProblem::NoCookie),
        Refusal::InvalidState(StateProblem::Foreign),
        Refusal::AccessDenied,
        Refusal::NotAllowed,
        Refusal::OtherUser { name: Some(foreign()) },
        Refusal::OtherUser { name: None },
        Refusal::UserUnknown,
        Refusal::SignInFailed,
        Refusal::InvalidRequest(RequestProblem::QueryTooLong),
        Refusal::InvalidRequest(RequestProblem::QueryNotText),
        Refusal::InvalidRequest(RequestProblem::DuplicateParameter),
        Refusal::InvalidRequest(RequestProblem::EmptyCallback),
        Refusal::InvalidRequest(RequestProblem::OtherIssuer),
        Refusal::InvalidRequest(RequestProblem::NotAWindow),
        Refusal::BadCookie(BadCookie::Duplicate(foreign())),
        Refusal::BadCookie(BadCookie::TooLong(foreign())),
        Refusal::MethodNotAllowed { allow: Method::POST },
        Refusal::MethodNotAllowed { allow: Method::GET },
        Refusal::Forbidden,
    ]
}

/// Returns the templates of a refusal in a language: title, description and labels.
fn templates(language: Language, refusal: &Refusal) -> Vec<&'static str> {
    let catalogue = Texts::for_people(language, None).catalogue();
    let labels = LABELS.map(|label| (catalogue.label)(label));
    [(catalogue.title)(refusal), (catalogue.description)(refusal)].into_iter().chain(labels).collect()
}

fn placeholders(template: &str) -> BTreeSet<&str> {
    let parts = template.split('{').skip(1);
    parts.map(|part| part.split_once('}').expect("the end of a placeholder").0).collect()
}

#[test]
fn every_text_has_the_same_values_in_every_language() {
    let values = |template| -> BTreeSet<_> {
        placeholders(template).into_iter().filter(|name| ["host", "prefix", "name"].contains(name)).collect()
    };
    for refusal in refusals() {
        let english = templates(Language::English, &refusal);
        for language in Language::ALL {
            let translated = templates(language, &refusal);
            for (english, translated) in english.iter().zip(&translated) {
                assert_eq!(values(english), values(translated), "{translated}");
                let known = ["App", "app", "the app", "host", "prefix", "name"];
                assert!(placeholders(translated).iter().all(|name| known.contains(name)), "{translated}");
            }
        }
    }
}

#[test]
fn no_text_is_left_in_english_or_without_a_value() {
    for refusal in refusals() {
        let of = |language, app| Texts::for_people(language, app).description(&refusal, true);
        let (english, swedish) = (of(Language::English, None), of(Language::Swedish, None));
        assert_ne!(english, swedish);
        let title = |language| Texts::for_people(language, None).title(&refusal);
        assert_ne!(title(Language::English), title(Language::Swedish));
        let (english, swedish) = (of(Language::English, Some("Acme")), of(Language::Swedish, Some("Acme")));
        let value = match &refusal {
            Refusal::UnknownHost { .. }
            | Refusal::KeptPrefix { .. }
            | Refusal::OtherUser { name: Some(_) } => FOREIGN,
            _ => "",
        };
        for text in [english, swedish] {
            assert!(text.contains(value), "{text}");
            let own = text.replace(FOREIGN, "a value");
            assert!(!own.contains(['{', '}']) && !own.contains("  "), "{text}");
            assert!(own.ends_with(['.', '?']), "{text}");
        }
    }
}

#[test]
fn texts_name_the_app() {
    let refusal = Refusal::ProviderUnavailable;
    let of = |language, app| {
        let texts = Texts::for_people(language, app);
        (texts.description(&refusal, false), texts.label(Label::Home, &refusal))
    };
    let (description, label) = of(Language::English, None);
    assert!(description.starts_with("This app cannot reach Open Source Cloud"), "{description}");
    assert_eq!(label, "Go to the app");
    let (description, label) = of(Language::English, Some("Acme"));
    assert!(description.starts_with("Acme cannot reach Open Source Cloud"), "{description}");
    assert_eq!(label, "Go to Acme");
    let (description, label) = of(Language::Swedish, None);
    assert!(description.starts_with("Appen får ingen kontakt med Open Source Cloud"), "{description}");
    assert_eq!(label, "Gå till appen");
    let (description, label) = of(Language::Swedish, Some("Acme"));
    assert!(description.starts_with("Acme får ingen kontakt med Open Source Cloud"), "{description}");
    assert_eq!(label, "Gå till Acme");
}

#[test]
fn only_a_refused_write_says_that_nothing_was_saved() {
    let english = Texts::for_people(Language::English, None);
    let swedish = Texts::for_people(Language::Swedish, None);
    let refusal = Refusal::Unauthenticated;
    assert_eq!(english.description(&refusal, true), "Nothing was saved. Sign in to continue.");
    assert_eq!(swedish.description(&refusal, true), "Inget sparades. Logga in för att fortsätta.");
    assert_eq!(english.description(&refusal, false), "Sign in to continue.");
    let refusal = Refusal::OtherUser { name: Some("anna".to_owned()) };
    assert!(english.description(&refusal, true).starts_with("You are signed in as anna now. This page"));
    assert!(swedish.description(&refusal, true).starts_with("Du är nu inloggad som anna. Den här sidan"));
}

#[test]
fn the_name_of_another_user_is_one_short_line() {
    let refusal = Refusal::OtherUser { name: Some(format!("anna\nberta{}", "x".repeat(500))) };
    let label = Texts::for_programs().label(Label::GoOn, &refusal);
    assert!(label.starts_with("Go on as anna bertaxx") && label.ends_with('…'), "{label}");
    assert!(label.chars().count() < 120, "{label}");
}
