//! The handle that a test or a program holds.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::LOCATION;
use http::{Method, Request};
use http_body_util::BodyExt;
use url::Url;

use crate::builder::Builder;
use crate::fault::Fault;
use crate::lock;
use crate::plan::FaultPlan;
use crate::request::Recorded;
use crate::route::Endpoint;
use crate::server::{Listening, bind};
use crate::shared::Shared;
use crate::watch::Hold;
use crate::world::World;

/// A running mock of Open Source Cloud. Dropping it stops it.
#[derive(Debug)]
pub struct MockOsc {
    shared: Arc<Shared>,
    listening: Mutex<Option<Listening>>,
    address: SocketAddr,
    issuer: String,
    platform: String,
    client_id: String,
    client_secret: String,
}

impl MockOsc {
    /// Sets up a mock.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(
        shared: Arc<Shared>,
        listening: Listening,
        address: SocketAddr,
        [issuer, platform, client_id, client_secret]: [String; 4],
    ) -> Self {
        let listening = Mutex::new(Some(listening));
        Self { shared, listening, address, issuer, platform, client_id, client_secret }
    }

    /// The issuer, for example `http://127.0.0.1:4000`.
    pub fn issuer(&self) -> String {
        self.issuer.clone()
    }

    /// The base of the platform: service `S` is at `{platform}/S`.
    pub fn platform(&self) -> String {
        self.platform.clone()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of the default client.
    pub fn client_id(&self) -> String {
        self.client_id.clone()
    }

    /// The secret of the default client.
    pub fn client_secret(&self) -> String {
        self.client_secret.clone()
    }

    /// Plans a fault for an endpoint: every request is hit until the faults are cleared, unless the plan is narrowed.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) -> FaultPlan<'_> {
        self.shared.faults.plan(endpoint, fault)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Makes the requests to an endpoint wait. An earlier hold on it is released.
    pub fn hold(&self, endpoint: Endpoint) -> Hold {
        self.shared.holds.hold(endpoint)
    }

    /// The requests that arrived at an endpoint, in order, also those that were held or hit by a fault.
    pub fn requests(&self, endpoint: Endpoint) -> Vec<Recorded> {
        self.shared.log.of(endpoint)
    }

    /// How many requests arrived at an endpoint.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.shared.log.count(endpoint, |_| true)
    }

    /// How many token requests of this `grant_type` arrived.
    pub fn count_grants(&self, grant_type: &str) -> usize {
        self.shared.log.count(Endpoint::Token, |request| request.field("grant_type") == Some(grant_type))
    }

    /// Resolves once at least this many requests have arrived at an endpoint, counted from the start or from
    /// [`forget_requests`](Self::forget_requests).
    pub async fn wait_for_requests(&self, endpoint: Endpoint, at_least: usize) {
        self.shared.log.wait_for(endpoint, at_least).await;
    }

    /// Starts the records of all endpoints anew.
    pub fn forget_requests(&self) {
        self.shared.log.clear();
    }

    /// What the default user does with a browser: opens the URL and clicks *Allow*. The requests are recorded, held and
    /// hit by faults like any other.
    ///
    /// Returns the URL the provider redirects to, with `code` and `state`; or with `error`, when it refuses at once.
    ///
    /// # Errors
    /// When the provider shows an error page or hangs up.
    pub async fn approve(&self, authorize_url: &str) -> Result<String, DecisionError> {
        self.decide(authorize_url, "decision=allow").await
    }

    /// Like [`approve`](Self::approve), as another user: `ada` (the default) or `grace`.
    ///
    /// # Errors
    /// As for [`approve`](Self::approve).
    pub async fn approve_as(&self, user: &str, authorize_url: &str) -> Result<String, DecisionError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.append_pair("decision", "allow").append_pair("user", user).finish();
        self.decide(authorize_url, &form).await
    }

    /// Like [`approve`](Self::approve), but clicks *Deny*.
    ///
    /// # Errors
    /// As for [`approve`](Self::approve).
    pub async fn deny(&self, authorize_url: &str) -> Result<String, DecisionError> {
        self.decide(authorize_url, "decision=deny").await
    }

    /// Closes the socket and all connections: from the return on, connections are refused. What the mock knows stays.
    pub async fn stop_listening(&self) {
        let listening = lock(&self.listening).take();
        if let Some(listening) = listening {
            listening.close().await;
        }
    }

    /// Listens again on the same address. Does nothing while it listens.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn resume_listening(&self) -> io::Result<()> {
        if lock(&self.listening).is_some() {
            return Ok(());
        }
        let listener = bind(self.address).await?;
        *lock(&self.listening) = Some(Listening::start(listener, Arc::clone(&self.shared)));
        Ok(())
    }

    /// Stops it. From the return on its port is free.
    pub async fn shutdown(self) {
        self.stop_listening().await;
    }

    pub(crate) fn with_world<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut lock(&self.shared.world))
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

    /// The `Location` of the answer; `None` is a page to act on.
    async fn browse(&self, url: &str, method: Method, form: &str) -> Result<Option<String>, DecisionError> {
        let url = Url::parse(url).map_err(|error| DecisionError { status: None, body: error.to_string() })?;
        let target = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(())
            .map_err(|error| DecisionError { status: None, body: error.to_string() })?;
        let (parts, ()) = request.into_parts();
        let answer = self.shared.answer(Recorded::new(&parts, form.as_bytes())).await;
        let answer = answer.map_err(|error| DecisionError { status: None, body: error.to_string() })?;
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

/// The provider did not redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionError {
    status: Option<u16>,
    body: String,
}

impl DecisionError {
    /// The status of the page, when there was one.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The page.
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl fmt::Display for DecisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "the provider answered {status} instead of a redirect: {}", self.body),
            None => write!(f, "the provider did not answer: {}", self.body),
        }
    }
}

impl Error for DecisionError {}
