//! The account page: who the user is, and the user's sessions in all browsers.

use std::time::SystemTime;

use http::StatusCode;
use osc_auth_layer::{OscToken, OscUser, SessionError, SessionErrorKind, SessionInfo};

use super::pages::{self, Text};

/// The path of the page.
pub(crate) const PATH: &str = "/account";

/// More rows would only make the page slow. The list begins with the sessions that were used last.
const MOST_ROWS: usize = 50;

/// Renders the page for the user of this token.
pub(crate) async fn page(token: &OscToken) -> Result<String, SessionError> {
    let sessions = token.session().list().await?;
    let user = token.user();
    let name = user.as_ref().and_then(OscUser::user_id).unwrap_or("unknown");
    let workspace = user.as_ref().map_or("unknown", OscUser::workspace);
    let is_known = user.as_ref().is_some_and(|user| user.key().is_some());
    let now = SystemTime::now();
    let rows: String = sessions.iter().take(MOST_ROWS).map(|session| row(session, now)).collect();
    let content = format!(
        include_str!("pages/account.html"),
        name = Text(name),
        workspace = Text(workspace),
        sessions = rows,
        more = more(sessions.len(), is_known)
    );
    Ok(pages::layout("Account", true, &content))
}

/// Returns the status for a page that could not be made, or for a session that could not be ended.
pub(crate) fn status_of(error: &SessionError) -> StatusCode {
    match error.kind() {
        SessionErrorKind::Ended => StatusCode::UNAUTHORIZED,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn row(session: &SessionInfo, now: SystemTime) -> String {
    let label = session.label();
    let began = ago(session.began(), now);
    let action = match session.is_this() {
        true => "<span class=\"status\">This browser</span>".to_owned(),
        false => format!(
            include_str!("pages/end_session.html"),
            id = Text(session.id()),
            label = Text(&label),
            began = began
        ),
    };
    format!(
        include_str!("pages/session.html"),
        label = Text(&label),
        began = began,
        used = ago(session.last_used(), now),
        action = action
    )
}

fn more(sessions: usize, is_known: bool) -> String {
    let text = match sessions.saturating_sub(MOST_ROWS) {
        _ if !is_known => {
            "The provider does not say who you are, so the list has this session only.".to_owned()
        }
        0 => return String::new(),
        more => format!("And {more} more."),
    };
    format!("<p class=\"empty\">{text}</p>")
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
        assert_eq!(more(50, true), "");
        assert!(more(10_000, true).contains("And 9950 more."));
        assert!(more(1, false).contains("this session only"));
    }
}
