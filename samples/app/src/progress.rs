//! The page that watches a creation.

use askama::Template;

use crate::creations::Progress;
use crate::page::{Frame, Visitor, dashboard_path};

/// The progress of a creation. The page reloads itself until the instance runs or has failed.
#[derive(Debug, Template)]
#[template(path = "progress.html")]
pub(crate) struct Page {
    frame: Frame,
    title: String,
    status: String,
    explanation: String,
    failed: bool,
    service: String,
    dashboard: String,
}

impl Page {
    /// Returns `None` once the instance runs.
    pub(crate) fn of(frame: Frame, service: &str, name: &str, progress: Progress) -> Option<Self> {
        let (title, status, explanation, failed) = match progress {
            Progress::Running => return None,
            Progress::Starting(status) => {
                let explanation = "You can close this page. The creation continues without it.";
                (format!("{name} is starting"), status, explanation.to_owned(), false)
            }
            Progress::Failed(why) => (format!("{name} did not start"), "failed".to_owned(), why, true),
        };
        let (service, dashboard) = (service.to_owned(), dashboard_path(service));
        Some(Self { frame, title, status, explanation, failed, service, dashboard })
    }
}
