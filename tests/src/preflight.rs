//! Runs a layer's preflight.

use osc_auth_layer::OscAuthLayer;
use osc_auth_layer::preflight::{CheckReport, Severity, Subject};

use crate::soon;

/// Runs the preflight, and prints its report.
///
/// # Panics
/// If the report contains one of the secrets, or a finding of more than one line.
#[track_caller]
pub fn preflight(layer: &OscAuthLayer, secrets: &[&str]) -> impl Future<Output = CheckReport> {
    let report = soon(layer.check());
    async move {
        let report = report.await;
        let text = report.to_string();
        println!("{text}");
        let revealed = secrets.iter().find(|secret| !secret.is_empty() && text.contains(**secret));
        assert!(revealed.is_none(), "a secret is in the report");
        assert!(report.findings().iter().all(|finding| !finding.to_string().contains('\n')), "{report}");
        report
    }
}

/// Checks that a report has one finding, of this severity and about this subject. Its text contains `text`.
///
/// # Panics
/// If the report has another finding, or none.
#[track_caller]
pub fn assert_found(report: &CheckReport, severity: Severity, subject: Subject, text: &str) {
    let found: Vec<_> =
        report.findings().iter().map(|finding| (finding.severity(), finding.subject())).collect();
    assert_eq!(found, [(severity, subject)], "{report}");
    assert!(report.to_string().contains(text), "{text:?} is missing: {report}");
    assert_eq!(report.is_ok(), severity != Severity::Error, "{report}");
}

/// Checks that a report has no finding.
///
/// # Panics
/// If it has one.
#[track_caller]
pub fn assert_nothing_found(report: &CheckReport) {
    assert_eq!(report.findings(), [], "{report}");
    assert!(report.is_ok());
}
