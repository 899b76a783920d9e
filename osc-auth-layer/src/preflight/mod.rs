//! Asks the provider and the session store whether the app can work with them, before a user finds out.
//!
//! [`OscAuthLayer::check`](crate::OscAuthLayer::check) returns a [`CheckReport`].

mod provider;
mod store;

use std::fmt;
use std::sync::Arc;

use futures_util::future::join;

use crate::config::Config;
pub use crate::finding::{Finding, Severity, Subject};
use crate::sessions::Sessions;

/// The findings of [`OscAuthLayer::check`](crate::OscAuthLayer::check), the worst first. `Display` writes them as a list that says what
/// to do. It contains no secret.
///
/// ```
/// use osc_auth_layer::OscAuthLayer;
/// use osc_auth_layer::preflight::Severity;
///
/// async fn preflight(auth: &OscAuthLayer) -> Result<(), String> {
///     let report = auth.check().await;
///     let warnings = report.findings().iter().filter(|finding| finding.severity() == Severity::Warning);
///     println!("{} warnings", warnings.count());
///     if report.is_ok() { Ok(()) } else { Err(report.to_string()) }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "print it, or look at its findings"]
pub struct CheckReport {
    findings: Vec<Finding>,
}

impl CheckReport {
    fn of(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(Finding::severity);
        Self { findings }
    }

    /// Returns true if users can sign in and keep their sessions, as far as the answers tell: no finding is a [`Severity::Error`].
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity() != Severity::Error)
    }

    /// Returns the findings. Empty if there is nothing to correct and nothing was left out.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return f.write_str("The preflight found nothing to correct.");
        }
        let count = |severity| self.findings.iter().filter(|finding| finding.severity() == severity).count();
        let counted = |severity, name| match count(severity) {
            1 => format!("1 {name}"),
            count => format!("{count} {name}s"),
        };
        let [errors, warnings] = [(Severity::Error, "error"), (Severity::Warning, "warning")]
            .map(|(severity, name)| counted(severity, name));
        write!(f, "The preflight: {errors}, {warnings}, {} not checked.", count(Severity::Unchecked))?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n- {finding}"))
    }
}

/// Asks everything, the provider and the store at the same time.
pub(crate) async fn check(config: &Config, sessions: &Arc<Sessions>) -> CheckReport {
    let provider = Box::pin(provider::check(config, sessions));
    let (mut findings, of_store) = join(provider, Box::pin(store::check(sessions))).await;
    findings.extend(of_store);
    CheckReport::of(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lists_the_worst_first_and_says_what_to_do() {
        let finding = |severity| Finding::new(Subject::Store, severity, "It is slow.", "Wait.");
        let report = CheckReport::of([Severity::Unchecked, Severity::Warning].map(finding).to_vec());
        assert!(report.is_ok());
        let text = "The preflight: 0 errors, 1 warning, 1 not checked.\n\
                    - warning, session store: It is slow. Wait.\n\
                    - not checked, session store: It is slow. Wait.";
        assert_eq!(report.to_string(), text);
        let report = CheckReport::of([Severity::Warning, Severity::Error].map(finding).to_vec());
        assert!(!report.is_ok());
        assert_eq!(report.findings()[0].severity(), Severity::Error);
        assert_eq!(CheckReport::of(vec![]).to_string(), "The preflight found nothing to correct.");
    }
}
