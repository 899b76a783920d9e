//! The client for `reqwest`.

use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::{ClientBuilder, IntoUrl, RequestBuilder, Response};

use super::error::OutboundError;
use super::headers::{attach, clean};
use super::rejected::{Next, next};
use super::{Origin, Outbound};
use crate::error::ConfigError;
use crate::redact::with_causes;
use crate::sessions::OscSession;

/// The default time limit of a request, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Outbound {
    /// Makes a client from `reqwest` 0.13. A request may take 30 seconds, its response's body included;
    /// [`RequestBuilder::timeout`] changes that for one request.
    ///
    /// # Errors
    /// [`ConfigError`] if the system has no usable TLS settings.
    pub fn client(&self) -> Result<OutboundClient, ConfigError> {
        self.client_with(|http| http)
    }

    /// Makes a client with settings of your own: another time limit, a proxy, further root certificates, …
    ///
    /// These cannot be changed: no redirect is followed, and no proxy gets a request to an `http` origin. `configure` may be called
    /// twice, because requests to `http` origins have a client of their own.
    ///
    /// Do not turn on a cookie store. All users share the client, so one user's cookies would go out with another user's request.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use osc_auth_layer::Outbound;
    ///
    /// let apis = Outbound::to(["https://api.example.com"])?;
    /// let apis = apis.client_with(|http| http.timeout(Duration::from_secs(5)))?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if no client can be built with these settings.
    pub fn client_with<F>(&self, configure: F) -> Result<OutboundClient, ConfigError>
    where
        F: Fn(ClientBuilder) -> ClientBuilder,
    {
        let build = |is_plain: bool| {
            let http = configure(reqwest::Client::builder().timeout(TIMEOUT));
            let http = http.redirect(reqwest::redirect::Policy::none());
            let http = if is_plain { http.no_proxy() } else { http };
            http.build().map_err(|error| {
                let problem = format!("does not give a usable HTTP client ({})", with_causes(&error.without_url()));
                let remedy = "Check the proxy and certificate settings. The system needs root certificates (Debian: \
                              ca-certificates).";
                ConfigError::invalid("Outbound::client_with", problem, remedy)
            })
        };
        let http = build(false)?;
        // A proxy of the environment would read the token of a request to a plain-http API on this machine.
        let is_plain = self.origins.iter().any(Origin::is_plain_http);
        let plain = if is_plain { build(true)? } else { http.clone() };
        Ok(OutboundClient { http, plain, outbound: self.clone() })
    }
}

/// Calls your APIs with a user's token. Made by [`Outbound::client`].
///
/// It exposes types of `reqwest` 0.13. Cloning is cheap, and clones share their connections. Make it once, at the start.
///
/// ```
/// use osc_auth_layer::outbound::OutboundClient;
/// use osc_auth_layer::{OscSession, OutboundError};
///
/// async fn orders(apis: &OutboundClient, session: &OscSession) -> Result<String, OutboundError<reqwest::Error>> {
///     let response = apis.send(session, apis.get("https://api.example.com/orders")).await?;
///     Ok(response.text().await?)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OutboundClient {
    http: reqwest::Client,
    /// For `http` origins.
    plain: reqwest::Client,
    outbound: Outbound,
}

impl OutboundClient {
    /// Begins a request. Pass it to [`send`](Self::send): its own `send` would send it without the token.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Begins a `GET` request, as [`request`](Self::request) does.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a `POST` request, as [`request`](Self::request) does.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Sends a request with the session's fresh token, and returns the API's answer with any status.
    ///
    /// After a 401, the token is refreshed and the request is sent once more, unless its body is a stream. The request is sent by
    /// this client, whichever one began it.
    ///
    /// # Errors
    /// [`OutboundError`], whose [`kind`](OutboundError::kind) says whether anything was sent.
    pub async fn send(
        &self,
        session: &OscSession,
        request: RequestBuilder,
    ) -> Result<Response, OutboundError<reqwest::Error>> {
        let mut request = request.build()?;
        let origin = Origin::of(request.url());
        let named = origin.as_ref().filter(|origin| self.outbound.origins.contains(origin));
        let Some(named) = named else {
            return Err(OutboundError::foreign(origin.map(|origin| origin.to_string())));
        };
        clean(request.headers_mut(), named.authority());
        let http = if named.is_plain_http() { &self.plain } else { &self.http };
        let token = session.token().await.map_err(|error| OutboundError::session(&error))?;
        let copy = request.try_clone();
        attach(request.headers_mut(), &token);
        let response = http.execute(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let refreshed = session.refresh(&token).await;
        match (next(refreshed, copy.is_some()), copy) {
            (Next::Retry(token), Some(mut copy)) => {
                drop(response);
                attach(copy.headers_mut(), &token);
                Ok(http.execute(copy).await?)
            }
            (Next::Fail(error), _) => Err(OutboundError::session(&error)),
            _ => Ok(response),
        }
    }
}

/// Leaves the URL out, whose query may hold a secret.
impl From<reqwest::Error> for OutboundError<reqwest::Error> {
    fn from(error: reqwest::Error) -> Self {
        Self::client(error.without_url())
    }
}
