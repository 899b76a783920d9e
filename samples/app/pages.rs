//! The pages around the dashboard. The templates are format strings: a missing or misspelt field does not compile.

use std::fmt::{self, Write};

use form_urlencoded::Serializer;
use http::StatusCode;
use osc_auth_layer::{OscToken, OscUser};

use super::creations::Progress;

/// Goes with every answer. `no-store`: after sign-out, Back must not bring somebody's workspace up again.
pub(crate) const HEADERS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
];

/// To whoever sent a form of another site's: an attacker's victim, or a browser too old to say where forms come from.
pub(crate) const FORGED: &str =
    "This was sent from another site, so nothing was done. To do it all the same, do it here.";

/// Every page loads it, so its path is public.
pub(crate) const SCRIPT: &str = include_str!("pages/session.js");

/// The public start page. It greets whoever is signed in.
pub(crate) fn home(token: Option<&OscToken>) -> String {
    let Some(token) = token else {
        return layout("Welcome", false, include_str!("pages/signed_out.html"));
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

/// The note of a user, or of a workspace if the provider does not name its users.
pub(super) fn note(user: &OscUser, note: &str) -> String {
    let (title, hint) = match user.key() {
        Some(_) => ("Your note", "Only you see it."),
        None => ("Your workspace's note", "Everybody in this workspace sees it."),
    };
    format!(include_str!("pages/note.html"), title = title, hint = hint, note = Text(note))
}

pub(crate) fn error(status: StatusCode, message: &str) -> String {
    let title = match status {
        StatusCode::UNAUTHORIZED => "Your session is over",
        StatusCode::INTERNAL_SERVER_ERROR => "This app is not set up as it should be",
        StatusCode::NOT_FOUND => "There is nothing here",
        _ if status.is_server_error() => "Open Source Cloud is not answering as it should",
        _ => "That did not work",
    };
    let content =
        format!(include_str!("pages/error.html"), status = status, title = title, message = Text(message));
    layout(title, true, &content)
}

/// An instance on its way. The page loads itself again until there is news; `None` is the news that it runs.
pub(crate) fn progress(service: &str, name: &str, progress: &Progress) -> Option<String> {
    let (title, status, state, refresh, explanation) = match progress {
        Progress::Running => return None,
        Progress::Starting(status) => {
            let refresh = "<meta http-equiv=\"refresh\" content=\"1\">";
            let explanation = "You can close this page: it goes on without you.";
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

/// An error as it stands on a page.
pub(crate) fn sentence(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// The dashboard with this service picked.
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

/// A value on its way into HTML, as text or inside a quoted attribute.
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
