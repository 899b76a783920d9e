//! Judges how the provider answers a sign-in that returns to one of the app's redirect URIs.

use http::StatusCode;
use url::Url;

use crate::finding::{Finding, Severity, Subject};
use crate::oauth::ErrorCode;
use crate::oauth::questions::{PageReply, Reply};
use crate::redact::line;

const SUBJECT: Subject = Subject::RedirectUri;
const REGISTER: &str = "Add exactly this URI to the OAuth app in the console. If it is there, check scopes and \
                        authorization_param.";

pub(super) fn no_public_url() -> Finding {
    let problem = "PUBLIC_URL is not set, so users can sign in on localhost only, and the port is not known.";
    let remedy = "Set it to the URL that browsers use, unless this is your own machine.";
    Finding::new(SUBJECT, Severity::Unchecked, problem, remedy)
}

pub(super) fn too_many(left: usize) -> Finding {
    let problem = format!("{left} more redirect URIs were not tried.");
    Finding::new(SUBJECT, Severity::Unchecked, problem, "Sign in once at each of their hosts.")
}

/// Judges the answer to a pushed request (RFC 9126 §2.3).
pub(super) fn judge_pushed(uri: &str, reply: &Reply) -> Option<Finding> {
    let uri = line(uri, 200);
    match reply {
        Reply::Success(_) => None,
        Reply::Refusal(ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable, error) => {
            let problem =
                format!("The provider did not tell whether sign-ins may return to {uri} ({error}).");
            Some(Finding::new(SUBJECT, Severity::Unchecked, problem, "Check again later."))
        }
        Reply::Refusal(_, error) => {
            let problem = format!("The provider refuses sign-ins that return to {uri} ({error}).");
            Some(Finding::new(SUBJECT, Severity::Error, problem, REGISTER))
        }
        Reply::Other(status) => {
            let status = status.as_u16();
            let problem =
                format!("The provider did not tell whether sign-ins may return to {uri} (status {status}).");
            Some(Finding::new(SUBJECT, Severity::Unchecked, problem, "Check again later."))
        }
        Reply::Unanswered(cause) => {
            let problem =
                format!("The endpoint for pushed authorization requests cannot be reached ({cause}).");
            let remedy = "Check this machine's DNS, proxy, firewall and certificates.";
            Some(Finding::new(Subject::Metadata, Severity::Error, problem, remedy))
        }
    }
}

/// The verdict of the authorization endpoint on a request.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The user may go on, at least to a login.
    Welcome,
    /// The browser returned to the app: so the URI is right. With an OAuth error that will not go away by itself, or none.
    Returned(Option<ErrorCode>),
    Refused(u16),
    Missing(u16),
    Unknown(String),
}

impl Verdict {
    fn of(reply: &PageReply, uri: &str) -> Self {
        match reply {
            PageReply::Page => Self::Welcome,
            PageReply::Redirect(Some(target)) if leads_to(target, uri) => {
                Self::Returned(lasting_error(target))
            }
            PageReply::Redirect(_) => Self::Welcome,
            PageReply::Other(status) => match *status {
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Self::Refused(status.as_u16()),
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Self::Missing(status.as_u16()),
                _ => Self::Unknown(format!("status {}", status.as_u16())),
            },
            PageReply::Unanswered(cause) => Self::Unknown(cause.clone()),
        }
    }
}

/// Judges the answer to a sign-in that returns to `uri`. `control` is the answer to one that returns to a foreign host: if that is
/// welcome too, the provider does not look at the URI yet.
pub(super) fn judge(uri: &str, reply: &PageReply, control: &PageReply) -> Option<Finding> {
    let verdict = Verdict::of(reply, uri);
    let control = Verdict::of(control, super::FOREIGN_URI);
    let uri = line(uri, 200);
    let found = |severity, problem, remedy| Some(Finding::new(SUBJECT, severity, problem, remedy));
    match verdict {
        Verdict::Returned(None) => None,
        Verdict::Returned(Some(error)) => {
            let problem = format!("The provider refuses sign-ins that return to {uri}, and returns {error}.");
            let remedy = "Check what the OAuth app may do, scopes and authorization_param.";
            found(Severity::Error, problem, remedy)
        }
        Verdict::Welcome if matches!(control, Verdict::Refused(_)) => None,
        Verdict::Welcome => {
            let problem = format!(
                "The provider begins a sign-in for any redirect URI, so it is not known whether {uri} is registered."
            );
            found(Severity::Unchecked, problem, "Sign in once to find out.")
        }
        Verdict::Refused(status) => {
            let problem = format!("The provider refuses sign-ins that return to {uri} (status {status}).");
            found(Severity::Error, problem, REGISTER)
        }
        Verdict::Missing(status) => {
            let problem =
                format!("There is no authorization endpoint where a sign-in begins (status {status}).");
            Some(Finding::new(Subject::Metadata, Severity::Error, problem, "Check OSC_ISSUER."))
        }
        // Browsers may well reach it: this machine need not.
        Verdict::Unknown(why) => {
            let problem = format!("The provider did not tell whether sign-ins may return to {uri} ({why}).");
            found(Severity::Unchecked, problem, "Sign in once to find out.")
        }
    }
}

/// Returns true if this is the redirect URI, perhaps with more in its query.
fn leads_to(target: &Url, uri: &str) -> bool {
    let is_same = |uri: Url| uri.origin() == target.origin() && uri.path() == target.path();
    Url::parse(uri).is_ok_and(is_same)
}

/// Returns the OAuth error in a redirect to the app, unless it only says that there is no user, or that the provider is busy.
fn lasting_error(target: &Url) -> Option<ErrorCode> {
    const PASSING: [&str; 6] = [
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "login_required",
        "temporarily_unavailable",
    ];
    let (_, error) = target.query_pairs().find(|(name, _)| name == "error")?;
    (!PASSING.contains(&&*error)).then(|| ErrorCode::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "https://app.example/auth/callback";

    fn to(target: &str) -> PageReply {
        PageReply::Redirect(Some(Url::parse(target).expect("a URL")))
    }

    fn other(status: u16) -> PageReply {
        PageReply::Other(StatusCode::from_u16(status).expect("a status"))
    }

    fn severity(reply: &PageReply, control: &PageReply) -> Option<Severity> {
        judge(URI, reply, control).map(|finding| finding.severity())
    }

    #[test]
    fn a_login_proves_the_uri_only_if_a_foreign_one_is_refused() {
        for welcome in
            [PageReply::Page, to("https://provider.example/login?next=x"), PageReply::Redirect(None)]
        {
            assert_eq!(severity(&welcome, &other(400)), None, "{welcome:?}");
            for control in [PageReply::Page, to("https://provider.example/login"), other(503), other(401)] {
                assert_eq!(
                    severity(&welcome, &control),
                    Some(Severity::Unchecked),
                    "{welcome:?} {control:?}"
                );
            }
        }
    }

    #[test]
    fn only_a_clear_refusal_is_an_error() {
        for (status, expected) in [
            (400, Severity::Error),
            (422, Severity::Error),
            (404, Severity::Error),
            (401, Severity::Unchecked),
            (403, Severity::Unchecked),
            (429, Severity::Unchecked),
            (500, Severity::Unchecked),
            (503, Severity::Unchecked),
        ] {
            assert_eq!(severity(&other(status), &other(400)), Some(expected), "{status}");
        }
        let lost = PageReply::Unanswered("no route".to_owned());
        assert_eq!(severity(&lost, &lost), Some(Severity::Unchecked));
    }

    #[test]
    fn a_return_to_the_app_proves_the_uri_and_may_bring_another_error() {
        for (query, expected) in [
            ("?code=x", None),
            ("?error=login_required&state=s", None),
            ("?error=invalid_scope", Some(Severity::Error)),
            ("?error=unauthorized_client", Some(Severity::Error)),
        ] {
            assert_eq!(severity(&to(&format!("{URI}{query}")), &PageReply::Page), expected, "{query}");
        }
        let elsewhere = to("https://app.example.evil/auth/callback?error=invalid_scope");
        assert_eq!(severity(&elsewhere, &other(400)), None);
    }
}
