//! Makes the user's decision on the consent page, without a browser.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::header::LOCATION;
use http::{Method, Request};
use http_body_util::BodyExt;
use url::Url;

use crate::mock::MockOsc;
use crate::request::Recorded;
use crate::words::words;

impl MockOsc {
    /// Opens the authorization URL as the default user and clicks *Allow* for the default workspace. Returns
    /// the URL that the provider redirects to.
    ///
    /// The URL holds `code` and `state`, or `error` if the provider refuses at once. The requests are
    /// recorded, held and hit by faults like any others.
    ///
    /// # Errors
    /// If the provider shows an error page or closes the connection.
    pub async fn approve(&self, authorize_url: &str) -> Result<String, DecisionError> {
        self.decide(authorize_url, "decision=allow").await
    }

    /// Opens the authorization URL and clicks *Allow*, as this user in the user's first workspace.
    ///
    /// # Errors
    /// The errors of [`approve`](Self::approve), and if there is no such user.
    pub async fn approve_as(&self, user: &str, authorize_url: &str) -> Result<String, DecisionError> {
        self.allow(user, None, authorize_url).await
    }

    /// Opens the authorization URL and clicks *Allow*, as this user in this workspace.
    ///
    /// # Errors
    /// The errors of [`approve`](Self::approve), and if the user does not have this workspace.
    pub async fn approve_in(
        &self,
        user: &str,
        workspace: &str,
        authorize_url: &str,
    ) -> Result<String, DecisionError> {
        self.allow(user, Some(workspace), authorize_url).await
    }

    /// Opens the authorization URL as the default user and clicks *Deny*.
    ///
    /// # Errors
    /// The errors of [`approve`](Self::approve).
    pub async fn deny(&self, authorize_url: &str) -> Result<String, DecisionError> {
        self.decide(authorize_url, "decision=deny").await
    }

    pub(crate) async fn allow(
        &self,
        user: &str,
        workspace: Option<&str>,
        authorize_url: &str,
    ) -> Result<String, DecisionError> {
        let (account, has_page) = self.with_world(|world| {
            let settings = &world.settings;
            (settings.accounts.require(user, workspace), settings.auto_consent.is_none())
        });
        let account = account.map_err(DecisionError::without_answer)?;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("decision", "allow").append_pair("account", &account.to_string());
        let form = form.finish();
        if has_page {
            return self.decide(authorize_url, &form).await;
        }
        // A look at the page would already give a code for the account of the automatic consent.
        let location = self.browse(authorize_url, Method::POST, &form).await?;
        location.ok_or(DecisionError { status: Some(200), body: String::new() })
    }

    async fn decide(&self, authorize_url: &str, form: &str) -> Result<String, DecisionError> {
        match self.browse(authorize_url, Method::GET, "").await? {
            Some(location) => Ok(location),
            None => {
                let location = self.browse(authorize_url, Method::POST, form).await?;
                location.ok_or(DecisionError { status: Some(200), body: String::new() })
            }
        }
    }

    /// Returns the `Location` of the answer, or `None` for a page to act on.
    async fn browse(&self, url: &str, method: Method, form: &str) -> Result<Option<String>, DecisionError> {
        let url = Url::parse(url).map_err(DecisionError::without_answer)?;
        let target = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(())
            .map_err(DecisionError::without_answer)?;
        let (parts, ()) = request.into_parts();
        let answer = self.shared.answer(Recorded::new(&parts, form.as_bytes())).await;
        let answer = answer.map_err(DecisionError::without_answer)?;
        let (parts, body) = answer.into_parts();
        if let Some(location) = parts.headers.get(LOCATION) {
            return Ok(Some(String::from_utf8_lossy(location.as_bytes()).into_owned()));
        }
        if parts.status == 200 {
            return Ok(None);
        }
        let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let body = String::from_utf8_lossy(&body).into_owned();
        Err(DecisionError { status: Some(parts.status.as_u16()), body })
    }
}

/// The provider answered without a redirect. Its text is one line, and so is its `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct DecisionError {
    status: Option<u16>,
    body: String,
}

impl DecisionError {
    fn without_answer(why: impl ToString) -> Self {
        Self { status: None, body: why.to_string() }
    }

    /// Returns the status of the page, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns the page.
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl fmt::Display for DecisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = words(&self.body);
        match self.status {
            Some(status) => write!(f, "the provider answered {status} instead of a redirect: {words}"),
            None => write!(f, "the provider did not answer: {words}"),
        }
    }
}

impl fmt::Debug for DecisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecisionError({self})")
    }
}

impl Error for DecisionError {}
