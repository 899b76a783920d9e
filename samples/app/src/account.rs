//! The account page: who the user is, and the user's sessions in all browsers.

use std::time::SystemTime;

use askama::Template;
use http::StatusCode;
use osc_auth_layer::{OscToken, OscUser, SessionError, SessionErrorKind, SessionInfo};

use crate::page::{Frame, Visitor};

/// The path of the page.
pub(crate) const PATH: &str = "/account";

/// More rows would only make the page slow. The list begins with the sessions that were used last.
const MOST_ROWS: usize = 50;

/// The account page.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub(crate) struct Page {
    frame: Frame,
    sessions: Vec<Row>,
    more: Option<String>,
    /// The reason why a session could not be ended.
    refused: Option<String>,
}

/// A session of the user.
#[derive(Debug)]
struct Row {
    id: String,
    label: String,
    began: String,
    used: String,
    is_this: bool,
}

impl Page {
    pub(crate) async fn load(
        frame: Frame,
        token: &OscToken,
        refused: Option<String>,
    ) -> Result<Self, SessionError> {
        let sessions = token.session().list().await?;
        let is_known = token.user().as_ref().and_then(OscUser::key).is_some();
        let now = SystemTime::now();
        let rows = sessions.iter().take(MOST_ROWS).map(|session| Row::of(session, now)).collect();
        Ok(Self { frame, sessions: rows, more: more(sessions.len(), is_known), refused })
    }
}

impl Row {
    fn of(session: &SessionInfo, now: SystemTime) -> Self {
        Self {
            id: session.id().to_owned(),
            label: session.label(),
            began: ago(session.began(), now),
            used: ago(session.last_used(), now),
            is_this: session.is_this(),
        }
    }
}

/// Returns the status for a page that could not be made, or for a session that could not be ended.
pub(crate) fn status_of(error: &SessionError) -> StatusCode {
    match error.kind() {
        SessionErrorKind::Ended => StatusCode::UNAUTHORIZED,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn more(sessions: usize, is_known: bool) -> Option<String> {
    match sessions.saturating_sub(MOST_ROWS) {
        _ if !is_known => {
            Some("The provider does not say who you are, so the list has this session only.".to_owned())
        }
        0 => None,
        more => Some(format!("And {more} more.")),
    }
}

/// Says in words how long ago something was.
fn ago(then: SystemTime, now: SystemTime) -> String {
    let minutes = now.duration_since(then).unwrap_or_default().as_secs() / 60;
    let (number, unit) = match minutes {
        0 => return "just now".to_owned(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_shown_in_the_largest_whole_unit() {
        let then = SystemTime::now();
        for (seconds, text) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3599, "59 minutes ago"),
            (3600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (30 * 86_400, "30 days ago"),
        ] {
            assert_eq!(ago(then, then + Duration::from_secs(seconds)), text);
        }
        // The store's clock may be ahead of this one.
        assert_eq!(ago(then + Duration::from_secs(90), then), "just now");
    }

    #[test]
    fn a_long_list_is_cut_with_a_note() {
        assert_eq!(more(50, true), None);
        assert_eq!(more(10_000, true).as_deref(), Some("And 9950 more."));
        assert!(more(1, false).is_some_and(|text| text.contains("this session only")));
    }
}
