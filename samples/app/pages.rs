//! The pages around the dashboard. The templates are format strings: a missing or misspelt field does not compile.

use std::fmt::{self, Write};

use form_urlencoded::Serializer;
use reqwest::StatusCode;

/// Goes with every answer. `no-store`: after sign-out, Back must not bring somebody's workspace up again.
pub(crate) const HEADERS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
];

pub(crate) fn home(signed_in: bool) -> String {
    if signed_in {
        layout("Signed in", true, include_str!("pages/signed_in.html"))
    } else {
        layout("Welcome", false, include_str!("pages/signed_out.html"))
    }
}

pub(crate) fn error(status: StatusCode, message: &str) -> String {
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        _ if status.is_server_error() => "Open Source Cloud is not answering as it should",
        _ => "That did not work",
    };
    let content =
        format!(include_str!("pages/error.html"), status = status, title = title, message = Text(message));
    layout(title, true, &content)
}

/// The dashboard with this service picked.
pub(crate) fn dashboard_path(service: &str) -> String {
    let mut path = Serializer::for_suffix("/dashboard?".to_owned(), "/dashboard?".len());
    path.append_pair("service", service).finish()
}

pub(super) fn layout(title: &str, signed_in: bool, content: &str) -> String {
    format!(
        include_str!("pages/layout.html"),
        title = title,
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
