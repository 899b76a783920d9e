//! The pages around the dashboard. The templates are format strings, so a missing or misspelt field does not
//! compile.

use std::fmt::{self, Write};

use form_urlencoded::Serializer;
use http::StatusCode;
use osc_auth_layer::{OscUser, OscVisitor};

use super::creations::Progress;

/// The headers of every answer. With `no-store`, and the script's `pageshow`, the Back button does not show a workspace after
/// sign-out.
pub(crate) const HEADERS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
];

/// The text for a form from another site. The reader is the victim of an attack, or uses a browser that does
/// not send the origin of forms.
pub(crate) const FORGED: &str =
    "This request came from another site, so nothing was done. If you meant it, repeat it in this app.";

/// The script of every page. Its path is public.
pub(crate) const SCRIPT: &str = include_str!("pages/session.js");

/// Renders the public start page. It greets a signed-in user. In an outage it does not ask for a sign-in, because the visitor may be
/// signed in already.
pub(crate) fn home(visitor: &OscVisitor) -> String {
    let token = match visitor {
        OscVisitor::SignedIn(token) => token,
        OscVisitor::Unavailable { .. } => {
            return layout("Please try again", false, include_str!("pages/unknown_visitor.html"));
        }
        _ => return layout("Welcome", false, include_str!("pages/signed_out.html")),
    };
    let user = token.user();
    let name = user.as_ref().and_then(OscUser::user_id);
    let greeting = name.map_or_else(|| "Welcome back".to_owned(), |name| format!("Welcome back, {name}"));
    let workspace = user.as_ref().map_or("your workspace", OscUser::workspace);
    let content = format!(
        include_str!("pages/signed_in.html"),
        greeting = Text(&greeting),
        workspace = Text(workspace)
    );
    layout("Signed in", true, &content)
}

/// Renders the note of a user, or of a workspace if the provider does not name its users.
pub(super) fn note(user: &OscUser, note: &str) -> String {
    let (title, hint) = match user.key() {
        Some(_) => ("Your note", "Only you see it."),
        None => ("Your workspace's note", "Everybody in this workspace sees it."),
    };
    format!(include_str!("pages/note.html"), title = title, hint = hint, note = Text(note))
}

pub(crate) fn error(status: StatusCode, message: &str) -> String {
    let title = match status {
        StatusCode::UNAUTHORIZED => "Your session has ended",
        StatusCode::INTERNAL_SERVER_ERROR => "This app is misconfigured",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::SERVICE_UNAVAILABLE => "Please try again in a moment",
        _ if status.is_server_error() => "Open Source Cloud has a problem",
        _ => "The request failed",
    };
    let content =
        format!(include_str!("pages/error.html"), status = status, title = title, message = Text(message));
    layout(title, true, &content)
}

/// Renders the progress of a creation. The page reloads itself until the instance runs or has failed. Returns
/// `None` once it runs.
pub(crate) fn progress(service: &str, name: &str, progress: &Progress) -> Option<String> {
    let (title, status, state, refresh, explanation) = match progress {
        Progress::Running => return None,
        Progress::Starting(status) => {
            let refresh = "<meta http-equiv=\"refresh\" content=\"1\">";
            let explanation = "You can close this page. The creation continues without it.";
            (format!("{name} is starting"), status.as_str(), "", refresh, explanation)
        }
        Progress::Failed(why) => (format!("{name} did not start"), "failed", " bad", "", why.as_str()),
    };
    let content = format!(
        include_str!("pages/progress.html"),
        status = Text(status),
        state = state,
        title = Text(&title),
        explanation = Text(explanation),
        service = Text(service),
        dashboard = Text(&dashboard_path(service))
    );
    Some(page(&Text(&title).to_string(), refresh, true, &content))
}

/// Returns an error as a sentence for a page.
pub(crate) fn sentence(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// Returns the path of the dashboard with this service selected.
pub(crate) fn dashboard_path(service: &str) -> String {
    path("/dashboard?", &[("service", service)])
}

pub(crate) fn progress_path(service: &str, name: &str) -> String {
    path("/instances/progress?", &[("service", service), ("name", name)])
}

fn path(path: &str, query: &[(&str, &str)]) -> String {
    Serializer::for_suffix(path.to_owned(), path.len()).extend_pairs(query).finish()
}

pub(super) fn layout(title: &str, signed_in: bool, content: &str) -> String {
    page(title, "", signed_in, content)
}

fn page(title: &str, head: &str, signed_in: bool, content: &str) -> String {
    format!(
        include_str!("pages/layout.html"),
        title = title,
        head = head,
        style = include_str!("pages/style.css"),
        nav = if signed_in { include_str!("pages/nav.html") } else { "" },
        content = content,
        package = env!("CARGO_PKG_NAME")
    )
}

/// A value that is escaped for HTML, as text or inside a quoted attribute.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(char)?,
            }
        }
        Ok(())
    }
}
