//! The frame around the content of every page. Templates are compiled by askama, which escapes each value.

use std::fmt;

use askama::Template;
use form_urlencoded::Serializer;
use http::{HeaderValue, Response, StatusCode, header};
use osc_auth_layer::{OscToken, OscUser, OscVisitor};
use serde_json::{Value, json};

/// The headers of every answer. With `no-store`, and the script's `pageshow`, the Back button does not show a workspace after
/// sign-out.
pub const HEADERS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
];

/// The script of every page. Its path, `/session.js`, is public.
pub const SCRIPT: &str = include_str!("session.js");

/// A page or a redirect.
pub type Answer = Response<String>;

/// The parts of a page around its content.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The sample's package.
    pub(crate) package: &'static str,
    /// The address of the page. A page that answers a form has the address of the page with the form.
    pub(crate) here: String,
    pub(crate) visitor: Visitor,
}

#[derive(Debug)]
pub(crate) enum Visitor {
    SignedIn(Person),
    Nobody,
    /// In an outage of the provider or of the session store.
    Unknown,
}

/// The user of a page. A provider may leave out who the user is.
#[derive(Debug)]
pub(crate) struct Person {
    user: Option<OscUser>,
    page_key: String,
}

impl Frame {
    pub(crate) fn of(package: &'static str, token: &OscToken, here: impl Into<String>) -> Self {
        Self { package, here: here.into(), visitor: Visitor::of(Some(token)) }
    }

    /// Returns the address that replaces the session by one of another workspace or account.
    pub(crate) fn switch(&self) -> String {
        path("/auth/signin?", &[("return_to", &self.here)])
    }

    /// Returns the name of the hidden field that every form has. It keeps a page of one user from acting for the next.
    pub(crate) fn page_field(&self) -> &'static str {
        OscToken::PAGE_FIELD
    }

    pub(crate) fn page_key(&self) -> &str {
        self.person().map_or("", |person| &person.page_key)
    }

    pub(crate) fn user_or<'a>(&'a self, unknown: &'a str) -> &'a str {
        self.person().and_then(Person::user_id).unwrap_or(unknown)
    }

    pub(crate) fn workspace_or<'a>(&'a self, unknown: &'a str) -> &'a str {
        self.person().map_or(unknown, |person| person.workspace_or(unknown))
    }

    fn person(&self) -> Option<&Person> {
        match &self.visitor {
            Visitor::SignedIn(person) => Some(person),
            Visitor::Nobody | Visitor::Unknown => None,
        }
    }
}

impl Visitor {
    pub(crate) fn of(token: Option<&OscToken>) -> Self {
        match token {
            Some(token) => Self::SignedIn(Person { user: token.user(), page_key: token.page_key() }),
            None => Self::Nobody,
        }
    }
}

impl From<&OscVisitor> for Visitor {
    fn from(visitor: &OscVisitor) -> Self {
        match visitor {
            OscVisitor::SignedIn(token) => Self::of(Some(token)),
            OscVisitor::Unavailable { .. } => Self::Unknown,
            _ => Self::Nobody,
        }
    }
}

impl Person {
    fn user_id(&self) -> Option<&str> {
        self.user.as_ref().and_then(OscUser::user_id)
    }

    /// Returns the user as the layer's session endpoint describes it, for the script of the page.
    pub(crate) fn to_json(&self) -> Value {
        let workspace = self.user.as_ref().map(OscUser::workspace);
        json!({ "user": self.user_id(), "workspace": workspace })
    }

    pub(crate) fn workspace_or<'a>(&'a self, unknown: &'a str) -> &'a str {
        self.user.as_ref().map_or(unknown, OscUser::workspace)
    }

    pub(crate) fn greeting(&self) -> String {
        self.user_id().map_or_else(|| "Welcome back".to_owned(), |name| format!("Welcome back, {name}"))
    }

    pub(crate) fn as_whom(&self) -> String {
        match (self.user_id(), self.workspace_or("")) {
            (Some(name), workspace) => format!(" as {name} in {workspace}"),
            (None, "") => String::new(),
            (None, workspace) => format!(" to {workspace}"),
        }
    }
}

/// Renders a page.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Answer {
    match template.render() {
        Ok(text) => answer(status, header::CONTENT_TYPE, HTML, text),
        // Only a value whose `Display` fails leads here.
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            let text = "This page could not be rendered. The app's log says why.".to_owned();
            answer(StatusCode::INTERNAL_SERVER_ERROR, header::CONTENT_TYPE, TEXT, text)
        }
    }
}

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Redirects the browser after a form.
pub(crate) fn see_other(path: &str) -> Answer {
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/dashboard"));
    answer(StatusCode::SEE_OTHER, header::LOCATION, path, String::new())
}

fn answer(status: StatusCode, name: header::HeaderName, value: HeaderValue, text: String) -> Answer {
    let mut answer = Response::new(text);
    *answer.status_mut() = status;
    answer.headers_mut().insert(name, value);
    answer
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
