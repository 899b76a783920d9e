//! The texts in English.

use http::Method;

use super::super::refusal::{Refusal, RequestProblem, StateProblem};
use super::{Catalogue, Label};
use crate::request::cookie::BadCookie;
use crate::sessions::Side;

pub(super) const CATALOGUE: Catalogue = Catalogue {
    title,
    description,
    label,
    nothing_was_saved: "Nothing was saved.",
    unnamed: ["This app", "this app", "the app"],
};

fn title(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthenticated => "Please sign in",
        Refusal::SessionEnded => "Your session has ended",
        Refusal::TemporarilyUnavailable { .. } | Refusal::ProviderUnavailable | Refusal::StoreUnavailable => {
            "Temporarily unavailable"
        }
        Refusal::AccessDenied => "Access declined",
        Refusal::NotAllowed => "You are not allowed to use {app}",
        Refusal::OtherUser { name: Some(_) } => "You signed in as somebody else",
        Refusal::OtherUser { name: None } => "You signed in again",
        Refusal::Misconfigured | Refusal::UnknownHost { .. } | Refusal::KeptPrefix { .. } => {
            "Sign-in is not set up"
        }
        Refusal::InvalidState(_) | Refusal::SignInFailed => "Sign-in failed",
        Refusal::InvalidRequest(_)
        | Refusal::BadCookie(_)
        | Refusal::UserUnknown
        | Refusal::MethodNotAllowed { .. }
        | Refusal::Forbidden => "The request failed",
    }
}

fn description(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthenticated => "Sign in to continue.",
        Refusal::SessionEnded => "Open Source Cloud ended your session. Sign in again.",
        Refusal::TemporarilyUnavailable { side: Side::Provider, .. } => {
            "{App} cannot reach Open Source Cloud. You are still signed in. Try again shortly."
        }
        Refusal::TemporarilyUnavailable { side: Side::Store, .. } => {
            "{App} cannot reach its own session store. Your session is kept. Try again shortly."
        }
        Refusal::TemporarilyUnavailable { side: Side::Settings, .. } => {
            "Open Source Cloud no longer accepts {app}'s settings. You are still signed in. The app's operator finds the \
             reason in its log."
        }
        Refusal::ProviderUnavailable => {
            "{App} cannot reach Open Source Cloud, so it cannot sign you in. Try again shortly."
        }
        Refusal::StoreUnavailable => {
            "{App} cannot reach its own session store, so it cannot sign you in. Try again shortly."
        }
        Refusal::Misconfigured => {
            "Sign-in is not set up correctly in {app}. Its operator finds the reason in the app's log."
        }
        Refusal::UnknownHost { .. } => {
            "You opened {app} at {host}, which is not one of its addresses. Its operator has to add it to PUBLIC_URL."
        }
        Refusal::KeptPrefix { .. } => {
            "The proxy in front of {app} does not remove {prefix}, the path of PUBLIC_URL. The app's operator has to change \
             the proxy: in nginx, a slash ends both location and proxy_pass. The app's log says more."
        }
        Refusal::InvalidState(StateProblem::Expired) => {
            "This sign-in took longer than ten minutes. Sign in again."
        }
        Refusal::InvalidState(StateProblem::Used) => "This sign-in was used already. Sign in again.",
        Refusal::InvalidState(StateProblem::Evicted) => {
            "Your browser began several other sign-ins since this one. Sign in again."
        }
        Refusal::InvalidState(StateProblem::NoCookie) => {
            "Your browser sent no cookie of this sign-in. Does it block cookies of this site? Allow them, then sign in \
             again. If you began in another browser, go on there."
        }
        Refusal::InvalidState(StateProblem::Foreign) => {
            "This sign-in did not begin in this browser. Sign in here."
        }
        Refusal::AccessDenied => "The access that {app} asked for was declined. You are not signed in.",
        Refusal::NotAllowed => {
            "This account is not allowed to use {app}. Sign in with another account or workspace."
        }
        Refusal::OtherUser { name: Some(_) } => {
            "You are signed in as {name} now. This page was made for another account, so nothing was done. Reload the \
             page, or sign in with the other account."
        }
        Refusal::OtherUser { name: None } => {
            "This page was made before you or somebody else signed in again, so nothing was done. Reload the page."
        }
        Refusal::UserUnknown => "{App} cannot tell who you are. Its operator finds the reason in its log.",
        Refusal::SignInFailed => "Open Source Cloud did not complete the sign-in. Try again.",
        Refusal::InvalidRequest(RequestProblem::QueryTooLong) => {
            "The query of this address is longer than 8 KB."
        }
        Refusal::InvalidRequest(RequestProblem::QueryNotText) => {
            "The query of this address is not valid percent-encoded UTF-8."
        }
        Refusal::InvalidRequest(RequestProblem::DuplicateParameter) => {
            "The query of this address has a duplicate parameter."
        }
        Refusal::InvalidRequest(RequestProblem::EmptyCallback) => {
            "The provider sent neither a code nor an error. Sign in again."
        }
        Refusal::InvalidRequest(RequestProblem::OtherIssuer) => {
            "This answer came from another provider than the one that was asked. Sign in again."
        }
        Refusal::InvalidRequest(RequestProblem::NotAWindow) => {
            "Sign-in needs a browser window of its own, not a frame, a script or a prefetch."
        }
        Refusal::BadCookie(BadCookie::Duplicate(_)) => {
            "Your browser sent a duplicate of one of {app}'s cookies. The app asked it to remove both. Try again. If this \
             page comes back, delete this site's cookies."
        }
        Refusal::BadCookie(BadCookie::TooLong(_)) => {
            "Your browser sent an oversized cookie of {app}. The app asked it to remove the cookie. Try again. If this page \
             comes back, delete this site's cookies."
        }
        Refusal::MethodNotAllowed { allow: Method::POST } => {
            "This link does not sign you out. Use the app's own button."
        }
        Refusal::MethodNotAllowed { .. } => "This address does not accept this HTTP method.",
        Refusal::Forbidden => {
            "The request came from another site. This address accepts requests from {app}'s own pages only."
        }
    }
}

fn label(label: Label) -> &'static str {
    match label {
        Label::SignIn => "Sign in with OSC",
        Label::TryAgain => "Try again",
        Label::OtherAccount => "Sign in with another account",
        Label::GoOn => "Go on as {name}",
        Label::Home => "Go to {the app}",
    }
}
