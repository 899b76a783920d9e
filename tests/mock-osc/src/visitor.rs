//! A user of the app under test: before and after the sign-in.

use std::fmt;
use std::marker::PhantomData;

use http::header::{COOKIE, HOST};
use http::{HeaderValue, Method, Request, request};

/// A user who signs in, and the address where they enter the app. For [`MockOsc::sign_in_as`](crate::MockOsc::sign_in_as).
///
/// `"ada"` and `("ada", "team")` convert into one, so most tests need no `Visitor`. `B` is the body of the app's requests.
///
/// ```
/// use mock_osc::Visitor;
///
/// let visitor = Visitor::new("ada").workspace("team").enters_at("https://two.example.com/login");
/// ```
pub struct Visitor<B = String> {
    pub(crate) user: String,
    pub(crate) workspace: Option<String>,
    pub(crate) entrance: String,
    pub(crate) removed_prefix: String,
    body: PhantomData<fn() -> B>,
}

impl Visitor {
    /// Returns this user, who chooses their first workspace and enters at `http://localhost:3000/auth/signin`.
    pub fn new(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            workspace: None,
            entrance: "/auth/signin".to_owned(),
            removed_prefix: String::new(),
            body: PhantomData,
        }
    }
}

impl<B> Visitor<B> {
    /// Sets the workspace that the user chooses. Default: their first one.
    #[must_use]
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }

    /// Sets the address where the user enters: a path at `http://localhost:3000`, or an absolute URL. It may be the app's sign-in
    /// or a page that redirects there. Default: `/auth/signin`.
    ///
    /// An app with one public URL redirects the user there first, so only an app with several needs an absolute URL.
    #[must_use]
    pub fn enters_at(mut self, address: impl Into<String>) -> Self {
        self.entrance = address.into();
        self
    }

    /// Removes this prefix from the paths of requests, as a proxy in front of the app does. Default: none.
    #[must_use]
    pub fn behind_proxy_without(mut self, prefix: impl Into<String>) -> Self {
        self.removed_prefix = prefix.into();
        self
    }

    /// Sends requests with bodies of this type, for a service that takes no other. Default: `String`, which axum's `Router` takes.
    #[must_use]
    pub fn with_body<T: Default>(self) -> Visitor<T> {
        let Self { user, workspace, entrance, removed_prefix, .. } = self;
        Visitor { user, workspace, entrance, removed_prefix, body: PhantomData }
    }
}

impl<B> fmt::Debug for Visitor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor")
            .field("user", &self.user)
            .field("workspace", &self.workspace)
            .field("entrance", &self.entrance)
            .field("removed_prefix", &self.removed_prefix)
            .finish_non_exhaustive()
    }
}

impl From<&str> for Visitor {
    fn from(user: &str) -> Self {
        Self::new(user)
    }
}

impl From<(&str, &str)> for Visitor {
    fn from((user, workspace): (&str, &str)) -> Self {
        Self::new(user).workspace(workspace)
    }
}

/// A user who has signed in to the app: the cookies of their browser. `Debug` hides the cookies.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub(crate) cookies: HeaderValue,
    pub(crate) host: HeaderValue,
    pub(crate) location: String,
}

impl SignedIn {
    /// Returns the value of the `Cookie` header of the user's requests.
    pub fn cookie(&self) -> HeaderValue {
        self.cookies.clone()
    }

    /// Returns the page that the app sent the user to after the sign-in.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Begins a GET request of this user, with their `Cookie` and the app's `Host`.
    pub fn get(&self, uri: &str) -> request::Builder {
        self.request(Method::GET, uri)
    }

    /// Begins a POST request of this user.
    pub fn post(&self, uri: &str) -> request::Builder {
        self.request(Method::POST, uri)
    }

    /// Begins a request of this user.
    pub fn request(&self, method: Method, uri: &str) -> request::Builder {
        let request = Request::builder().method(method).uri(uri);
        request.header(HOST, &self.host).header(COOKIE, &self.cookies)
    }
}
