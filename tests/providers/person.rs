//! A user at the browser, who signs in on the provider's own pages and allows or declines.

use http::{StatusCode, header};
use osc_tests::{CookieJar, path_of, soon};
use reqwest::redirect::Policy;
use url::Url;

use crate::page::{Form, link};
use crate::provider::CALLBACK;

/// A user's browser at the provider.
#[derive(Debug)]
pub(crate) struct Person {
    http: reqwest::Client,
    cookies: CookieJar,
}

/// More pages than any sign-in shows.
const MOST_PAGES: usize = 20;

impl Person {
    /// Returns a browser. Build the layer first, because it installs the TLS provider of the process.
    pub(crate) fn new() -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build();
        Self { http: http.expect("an HTTP client"), cookies: CookieJar::default() }
    }

    /// Signs in and allows the access. Returns path and query of the callback.
    pub(crate) async fn allow(&mut self, authorize: &str) -> String {
        self.walk(authorize, true).await
    }

    /// Signs in and declines. Returns path and query of the callback.
    pub(crate) async fn decline(&mut self, authorize: &str) -> String {
        self.walk(authorize, false).await
    }

    async fn walk(&mut self, authorize: &str, allows: bool) -> String {
        let mut at: Url = authorize.parse().expect("a URL");
        let mut form: Option<Form> = None;
        for _ in 0..MOST_PAGES {
            let mut request = match &form {
                Some(form) => self.http.post(at.clone()).form(&form.fields),
                None => self.http.get(at.clone()),
            };
            if let Some(cookies) = self.cookies.header() {
                request = request.header(header::COOKIE, cookies);
            }
            let answer = soon(request.send()).await.expect("the provider answers");
            self.cookies.keep(answer.headers());
            if answer.status().is_redirection() {
                let next = answer.headers()[header::LOCATION].to_str().expect("ASCII");
                if next.starts_with(CALLBACK) {
                    return path_of(next).to_owned();
                }
                at = at.join(next).expect("a URL");
                form = None;
                continue;
            }
            let status = answer.status();
            let page = answer.text().await.expect("text");
            assert_eq!(status, StatusCode::OK, "{at}: {page}");
            (at, form) = next_step(&at, &page, allows);
        }
        panic!("the provider leads nowhere: {at}");
    }
}

/// Returns the next step of the user on a page: a URL and, for a POST, a form.
fn next_step(at: &Url, page: &str, allows: bool) -> (Url, Option<Form>) {
    let fill = |name: &str| match name {
        "login" | "username" => Some("ada"),
        "password" => Some("correct horse"),
        _ => None,
    };
    let mut form = Form::filled(page, fill).unwrap_or_else(|| panic!("no form: {page}"));
    let asks_for_password = form.fields.iter().any(|(name, _)| name == "password");
    if !allows && !asks_for_password {
        // The user declines with a link, or with a second button without a name.
        if let Some(away) = link(page, "/abort") {
            return (at.join(&away).expect("a URL"), None);
        }
        form.fields.retain(|(name, _)| name != "allow");
    }
    let to = form.action.as_deref().map_or_else(|| at.clone(), |action| at.join(action).expect("a URL"));
    (to, Some(form))
}
