//! The links of a page that lead on from a refusal.

use super::facts::Facts;
use super::refusal::Refusal;
use super::texts::Label;

/// Returns the links, the likeliest first: each with its label and its target. There is always one.
///
/// A visitor who only has to sign in gets no second choice.
pub(super) fn ways(refusal: &Refusal, facts: &Facts, home: &str) -> Vec<(Label, String)> {
    let signin = |label| (label, facts.signin_link());
    let home = || (Label::Home, home.to_owned());
    let page = |label| facts.target().map(|page| (label, page.to_owned()));
    match refusal {
        Refusal::Unauthenticated
        | Refusal::SessionEnded
        | Refusal::InvalidState(_)
        | Refusal::InvalidRequest(_)
        | Refusal::BadCookie(_) => vec![signin(Label::SignIn)],
        // A sign-in would replace a session that is still good.
        Refusal::TemporarilyUnavailable { .. } => vec![page(Label::TryAgain).unwrap_or_else(home)],
        Refusal::ProviderUnavailable | Refusal::StoreUnavailable => vec![signin(Label::TryAgain)],
        Refusal::SignInFailed => vec![signin(Label::TryAgain), home()],
        Refusal::AccessDenied => vec![signin(Label::SignIn), home()],
        Refusal::NotAllowed => vec![signin(Label::OtherAccount), home()],
        Refusal::OtherUser { name } => {
            let label = if name.is_some() { Label::GoOn } else { Label::TryAgain };
            let page = page(label).unwrap_or_else(|| (label, home().1));
            vec![page, signin(Label::OtherAccount)]
        }
        Refusal::Misconfigured
        | Refusal::UnknownHost { .. }
        | Refusal::KeptPrefix { .. }
        | Refusal::UserUnknown
        | Refusal::MethodNotAllowed { .. }
        | Refusal::Forbidden => vec![home()],
    }
}
