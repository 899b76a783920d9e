//! Judges the answer of the token endpoint to a made-up code.

use http::StatusCode;

use crate::finding::{Finding, Severity, Subject};
use crate::oauth::questions::Reply;
use crate::oauth::{Credentials, ErrorCode, Metadata};
use crate::redact::line;

const SUBJECT: Subject = Subject::Client;

pub(super) fn no_common_method() -> Finding {
    let problem = "The provider announces neither client_secret_basic nor client_secret_post.";
    let remedy = "If it accepts one of them, set CLIENT_AUTH_METHOD.";
    Finding::new(SUBJECT, Severity::Error, problem, remedy)
}

/// `None` if the provider accepts the client.
pub(super) fn judge(
    reply: &Reply,
    client: &Credentials,
    is_configured: bool,
    metadata: &Metadata,
) -> Option<Finding> {
    let id = line(&client.id, 64);
    let found = |severity, problem, remedy| Some(Finding::new(SUBJECT, severity, problem, remedy));
    match reply {
        // The provider knows the client, and not the code (RFC 6749 §5.2).
        Reply::Refusal(ErrorCode::InvalidGrant, _) => None,
        Reply::Refusal(ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient, error) if !is_configured => {
            let problem =
                format!("The provider no longer knows the client {id} that the app registered ({error}).");
            let remedy = "Sign in once: the app then registers again. Sessions of the old client end at their next refresh.";
            found(Severity::Warning, problem, remedy)
        }
        Reply::Refusal(ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient, error) => {
            let problem = format!("The provider refuses the client {id} ({error}).");
            let remedy = if client.secret.is_some() {
                "Compare CLIENT_ID and CLIENT_SECRET with the OAuth app in the console. A lost secret cannot be shown again: make \
                 another one."
            } else {
                "Compare CLIENT_ID with the OAuth app in the console. If that has a secret, set CLIENT_SECRET."
            };
            found(Severity::Error, problem, remedy)
        }
        Reply::Refusal(ErrorCode::UnsupportedGrantType, error) => {
            let problem = format!("The provider gives the client {id} no tokens for a code ({error}).");
            found(Severity::Error, problem, "Allow the grant type authorization_code for the OAuth app.")
        }
        Reply::Refusal(_, error) => {
            let problem = format!(
                "The answer to a made-up code does not tell whether the client {id} is accepted ({error})."
            );
            found(Severity::Unchecked, problem, "Sign in once to find out.")
        }
        Reply::Success(_) => {
            let problem =
                "The provider gave tokens for a made-up code. Anybody can sign in there.".to_owned();
            found(
                Severity::Error,
                problem,
                "Use it for tests only. The layer has revoked the tokens if it could.",
            )
        }
        Reply::Other(status) if [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(status) => {
            let problem = format!(
                "There is no token endpoint at {} (status {}).",
                line(metadata.token_endpoint.as_str(), 200),
                status.as_u16()
            );
            Some(Finding::new(Subject::Metadata, Severity::Error, problem, "Check OSC_ISSUER."))
        }
        Reply::Other(status) => {
            let problem = format!(
                "The token endpoint answered with status {}, which does not tell whether it accepts the client {id}.",
                status.as_u16()
            );
            found(Severity::Unchecked, problem, "Check again later. If it stays so, check OSC_ISSUER.")
        }
        Reply::Unanswered(cause) => {
            let place = line(metadata.token_endpoint.as_str(), 200);
            let problem = format!("The token endpoint {place} cannot be reached ({cause}).");
            let remedy = "Check this machine's DNS, proxy, firewall and certificates.";
            Some(Finding::new(Subject::Metadata, Severity::Error, problem, remedy))
        }
    }
}
