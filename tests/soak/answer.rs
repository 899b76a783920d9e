//! Reads the sample's answers.

use std::time::{SystemTime, UNIX_EPOCH};

use osc_tests::{Answer, is_page};
use serde_json::Value;

/// A page that needs a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Page {
    Session,
    Balance,
    Dashboard,
}

impl Page {
    pub(crate) const ALL: [Self; 3] = [Self::Session, Self::Balance, Self::Dashboard];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Session => "/api/session",
            Self::Balance => "/api/balance",
            Self::Dashboard => "/dashboard",
        }
    }
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Served,
    /// 503 `temporarily_unavailable`.
    Unavailable,
    /// The app's report of a failure of the platform.
    PlatformFailed,
    /// Not signed in: a 401 with this error, or a redirect to sign-in.
    Ended(String),
    Strange(String),
}

impl Outcome {
    pub(crate) fn of(page: Page, answer: &Answer) -> Self {
        let strange = || Self::Strange(format!("{page:?}: {answer:?}"));
        match answer.status().as_u16() {
            200 if is_right(page, answer) => Self::Served,
            303 => Self::Ended("redirected to sign-in".to_owned()),
            401 => Self::Ended(error_of(answer)),
            503 if error_of(answer) == "temporarily_unavailable" => Self::Unavailable,
            403 | 502 if page != Page::Session => Self::PlatformFailed,
            _ => strange(),
        }
    }
}

fn is_right(page: Page, answer: &Answer) -> bool {
    let json = || serde_json::from_slice::<Value>(answer.body()).unwrap_or_default();
    match page {
        Page::Session => {
            // Whole seconds, and the answer took some time.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            json()["expires_at"].as_u64().is_some_and(|expires_at| expires_at + 2 >= now)
        }
        Page::Balance => json()["tokens"].is_u64(),
        Page::Dashboard => {
            is_page(answer) && String::from_utf8_lossy(answer.body()).contains("Token balance")
        }
    }
}

/// Returns the error's name from JSON, the layer's page, or the sample's page for an ended session.
fn error_of(answer: &Answer) -> String {
    if !is_page(answer) {
        let json: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        return json["error"].as_str().unwrap_or("no error name").to_owned();
    }
    let page = String::from_utf8_lossy(answer.body());
    let name = page.split_once("<small>").and_then(|(_, rest)| rest.split_once("</small>"));
    name.map_or("a page without an error name", |(name, _)| name).to_owned()
}
