//! Signs a user in to an app in the same process: the requests of a browser, without one.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;

use bytes::Buf;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower_service::Service;
use url::{Position, Url};

use crate::decision::DecisionError;
use crate::jar::Jar;
use crate::mock::MockOsc;
use crate::visitor::{SignedIn, Visitor};
use crate::words::{one_line, words};

const APP: &str = "http://localhost:3000";
const AUTHORIZE: &str = "/api/connect/authorize";
/// An app may redirect to its sign-in, and from there to its public URL. A browser follows at least twenty redirects.
const MOST_REDIRECTS: usize = 20;
/// The answer's words for an error are at the beginning. A body may never end.
const LONGEST_BODY: usize = 64 * 1024;

impl MockOsc {
    /// Signs a user in to an app that uses this mock, and returns the cookies of the user's browser.
    ///
    /// The app is any Tower service, such as an axum `Router`. The user opens its sign-in, clicks *Allow* at this mock, and
    /// returns to the app's callback. Several users can sign in at the same time. The mock has to listen, because the app sends
    /// it the token request.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use tower::{Service, service_fn};
    /// use mock_osc::MockOsc;
    ///
    /// # fn app(osc: &MockOsc) -> impl Service<Request<String>, Response = Response<String>, Error = http::Error> + Clone {
    /// #     let authorize = format!(
    /// #         "{}/api/connect/authorize?response_type=code&client_id={}&state=s&code_challenge_method=S256&redirect_uri=\
    /// #          http://localhost:3000/auth/callback&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    /// #         osc.issuer(), osc.client_id(),
    /// #     );
    /// #     service_fn(move |request: Request<String>| {
    /// #         let location = if request.uri().path() == "/auth/signin" { authorize.clone() } else { "/".to_owned() };
    /// #         let answer = Response::builder().status(303).header("location", location);
    /// #         std::future::ready(answer.header("set-cookie", "session=1").body(String::new()))
    /// #     })
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let osc = MockOsc::builder().start().await?;
    /// let app = app(&osc); // a service that uses osc.issuer() and osc.client_id()
    ///
    /// let ada = osc.sign_in_as("ada", &app).await?;
    /// let grace = osc.sign_in_as(("grace", "team"), &app).await?;
    /// let request = ada.get("/private").body(String::new())?; // has the Cookie header of ada's browser
    /// # let _ = (grace, request);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If a step is answered otherwise than in a sign-in: for example 403 at the callback, because the app refuses the user. The
    /// error's text is one line with the step, the status and the words of the answer.
    pub async fn sign_in_as<B, S, R>(
        &self,
        visitor: impl Into<Visitor<B>>,
        app: &S,
    ) -> Result<SignedIn, SignInError>
    where
        B: Default,
        S: Service<Request<B>, Response = Response<R>, Error: fmt::Display> + Clone,
        R: Body,
    {
        let visitor = visitor.into();
        let mut browser = Browser { visitor: &visitor, app: app.clone(), cookies: Jar::default() };
        let authorize_url = browser.enter(&self.issuer()).await?;
        let consent = self.allow(&visitor.user, visitor.workspace.as_deref(), &authorize_url).await;
        let callback = consent.map_err(|error| SignInError::at_consent(&visitor.user, &error))?;
        browser.come_back(&callback).await
    }
}

struct Browser<'v, B, S> {
    visitor: &'v Visitor<B>,
    app: S,
    cookies: Jar,
}

impl<B, S, R> Browser<'_, B, S>
where
    B: Default,
    S: Service<Request<B>, Response = Response<R>, Error: fmt::Display> + Clone,
    R: Body,
{
    /// Opens the app until it redirects to the provider. Returns the provider's URL.
    async fn enter(&mut self, issuer: &str) -> Result<String, SignInError> {
        let base = Url::parse(APP).expect("a valid URL");
        let entrance = &self.visitor.entrance;
        let mut url = base.join(entrance).map_err(|error| {
            self.error(format_args!(", because {entrance:?} is no address: {error}"), None)
        })?;
        for _ in 0..MOST_REDIRECTS {
            let next = self.open(&url).await?;
            if next.as_str().starts_with(&format!("{issuer}{AUTHORIZE}")) {
                return Ok(next.into());
            }
            if next.path() == AUTHORIZE {
                let other = next.origin().ascii_serialization();
                let why = format_args!(
                    ", because the app's provider is {other}. Set the app's issuer to this mock's, {issuer}"
                );
                return Err(self.error(why, None));
            }
            url = next;
        }
        let why = format_args!(" at GET {}, after {MOST_REDIRECTS} redirects within the app", url.path());
        Err(self.error(why, None))
    }

    async fn come_back(mut self, callback: &str) -> Result<SignedIn, SignInError> {
        let url = Url::parse(callback).map_err(|error| {
            self.error(format_args!(" at the consent, which led to no URL: {error}"), None)
        })?;
        let next = self.open(&url).await?;
        let page = next.path();
        let is_restart = page == AUTHORIZE;
        let Some(cookies) = self.cookies.header().filter(|_| !is_restart) else {
            let why = format_args!(" at GET {}, which sent the user to {page} without a session", url.path());
            return Err(self.error(why, None));
        };
        let location = if next.origin() == url.origin() {
            next[Position::BeforePath..].to_owned()
        } else {
            next.to_string()
        };
        Ok(SignedIn { cookies, host: host(&url), location })
    }

    /// Navigates to a page that redirects, and returns the address it redirects to.
    async fn open(&mut self, url: &Url) -> Result<Url, SignInError> {
        let step = format!(" at GET {}", url.path());
        let asked = url[Position::BeforePath..Position::AfterQuery].to_owned();
        let prefix = self.visitor.removed_prefix.trim_end_matches('/');
        let target = asked.strip_prefix(prefix).filter(|rest| rest.starts_with('/')).unwrap_or(&asked);
        let mut request = Request::new(B::default());
        *request.uri_mut() = target
            .parse()
            .map_err(|error| self.error(format_args!("{step}, which is no path: {error}"), None))?;
        let headers = request.headers_mut();
        headers.insert(HOST, host(url));
        headers.insert(ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"));
        headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
        headers.insert("sec-fetch-dest", HeaderValue::from_static("document"));
        self.cookies.add_to(headers);
        let answer = self.ask(request).await;
        let answer =
            answer.map_err(|error| self.error(format_args!("{step}: the app failed: {error}"), None))?;
        let (parts, body) = answer.into_parts();
        self.cookies.keep(&parts.headers);
        let location = parts.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        match location.filter(|_| parts.status.is_redirection()).map(|location| url.join(location)) {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                Err(self.error(format_args!("{step}, which redirects to no URL: {error}"), None))
            }
            None => {
                let (status, words) = (parts.status.as_u16(), words(&text(&parts.headers, body).await));
                Err(self.error(format_args!("{step}, which answered {status}: {words}"), Some(status)))
            }
        }
    }

    async fn ask(&mut self, request: Request<B>) -> Result<Response<R>, S::Error> {
        // A clone of its own for each request, as a server makes one for each connection.
        let mut app = self.app.clone();
        poll_fn(|cx| app.poll_ready(cx)).await?;
        app.call(request).await
    }

    fn error(&self, rest: fmt::Arguments<'_>, status: Option<u16>) -> SignInError {
        SignInError::new(&self.visitor.user, rest, status)
    }
}

fn host(url: &Url) -> HeaderValue {
    HeaderValue::from_str(url.authority()).unwrap_or(HeaderValue::from_static("localhost:3000"))
}

/// Reads the beginning of an answer that explains itself. A stream of events does not, and may never end.
async fn text<R: Body>(headers: &HeaderMap, body: R) -> String {
    let content_type = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("text/event-stream") {
        return "a stream of events".to_owned();
    }
    let (mut body, mut text) = (pin!(body), Vec::new());
    while text.len() < LONGEST_BODY
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(mut data) = frame.into_data() {
            text.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A sign-in that did not succeed. Its text is one line, and so is its `Debug` output: they name the step, the status and the words
/// of the answer, without the query of the URL, which holds the code.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInError {
    line: String,
    status: Option<u16>,
}

impl SignInError {
    fn new(user: &str, rest: fmt::Arguments<'_>, status: Option<u16>) -> Self {
        Self { line: one_line(&format!("the sign-in of {user} failed{rest}")), status }
    }

    fn at_consent(user: &str, error: &DecisionError) -> Self {
        let is_unregistered = error.body().contains("redirect_uri is not registered");
        let remedy = if is_unregistered {
            ". Use a public URL at http://localhost, or allow any with MockOsc::builder().loose_redirect_uris()"
        } else {
            ""
        };
        Self::new(user, format_args!(" at the consent: {error}{remedy}"), error.status())
    }

    /// Returns the status of the answer that ended the sign-in, if an answer did.
    pub fn status(&self) -> Option<u16> {
        self.status
    }
}

impl fmt::Display for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl fmt::Debug for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignInError({})", self.line)
    }
}

impl Error for SignInError {}
