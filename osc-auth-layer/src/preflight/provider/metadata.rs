//! Judges the provider's metadata.

use std::sync::Arc;

use crate::finding::{Finding, Severity, Subject};
use crate::oauth::fetch::NoMetadata;
use crate::oauth::metadata::Unusable;
use crate::oauth::{Issuer, Metadata};
use crate::redact::line;

const SUBJECT: Subject = Subject::Metadata;

/// Returns the metadata to go on with, if there is any, and the findings.
pub(super) fn judge(
    fetched: Result<Arc<Metadata>, NoMetadata>,
    issuer: &Issuer,
) -> (Option<Arc<Metadata>>, Vec<Finding>) {
    let place = line(issuer.as_str(), 200);
    match fetched {
        Ok(metadata) => {
            let findings = without_s256(&metadata).into_iter().collect();
            (Some(metadata), findings)
        }
        Err(NoMetadata::Unusable(problem)) => {
            let remedy = match &problem {
                Unusable::OtherIssuer(_) => {
                    "Set OSC_ISSUER to the issuer that the provider names, letter by letter."
                }
                Unusable::Unreadable(_) => "Check OSC_ISSUER, and the provider's own configuration.",
            };
            let problem = format!("The metadata of {place} {problem}.");
            (None, vec![Finding::new(SUBJECT, Severity::Error, problem, remedy)])
        }
        Err(NoMetadata::Unanswered(cause)) => {
            let problem = format!("The metadata of the provider at {place} could not be fetched ({cause}).");
            let remedy = "Check OSC_ISSUER, and this machine's DNS, proxy, firewall and certificates.";
            (None, vec![Finding::new(SUBJECT, Severity::Error, problem, remedy)])
        }
        Err(NoMetadata::Status(status)) if !issuer.known_endpoints => {
            let problem = format!("The provider at {place} sends no metadata (status {}).", status.as_u16());
            let remedy =
                "Check OSC_ISSUER. A provider of OSC's kind without metadata needs known_endpoints().";
            (None, vec![Finding::new(SUBJECT, Severity::Error, problem, remedy)])
        }
        Err(NoMetadata::Status(status)) => {
            let problem = format!(
                "The provider at {place} sends no metadata (status {}), so the layer uses the endpoints that it knows of OSC.",
                status.as_u16()
            );
            let remedy = "If sign-in works, leave it so.";
            let metadata = Arc::new(Metadata::known(issuer));
            (Some(metadata), vec![Finding::new(SUBJECT, Severity::Unchecked, problem, remedy)])
        }
    }
}

fn without_s256(metadata: &Metadata) -> Option<Finding> {
    match metadata.announces_s256 {
        Some(true) => None,
        Some(false) => {
            let problem = "The provider announces no PKCE with S256, which every sign-in uses (RFC 7636).";
            let remedy = "Turn S256 on at the provider.";
            Some(Finding::new(SUBJECT, Severity::Error, problem, remedy))
        }
        None => {
            let problem = "The metadata does not say whether the provider supports PKCE with S256.";
            let remedy =
                "Sign in once. A provider that ignores PKCE works too, but protects less (RFC 9700 §2.1.1).";
            Some(Finding::new(SUBJECT, Severity::Unchecked, problem, remedy))
        }
    }
}

/// Says that a client which registers itself has not done so yet.
pub(super) fn unregistered(metadata: &Metadata) -> Finding {
    if metadata.registration_endpoint.is_none() {
        let problem = "The app registers itself, but the provider announces no registration endpoint.";
        let remedy = "Create an OAuth app in the console and set CLIENT_ID and CLIENT_SECRET.";
        return Finding::new(Subject::Client, Severity::Error, problem, remedy);
    }
    let problem = "The app registers itself at the first sign-in. Until then there is no client to check.";
    let remedy = "Sign in once, and check again.";
    Finding::new(Subject::Client, Severity::Unchecked, problem, remedy)
}
