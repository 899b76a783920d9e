//! The handle of a running mock, for a test or a program.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::builder::MockOscBuilder;
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::lock;
use crate::plan::FaultPlan;
use crate::request::Recorded;
use crate::server::{Listening, bind};
use crate::shared::Shared;
use crate::watch::Hold;
use crate::world::World;

/// A running mock of Open Source Cloud. Dropping it stops it.
#[derive(Debug)]
pub struct MockOsc {
    pub(crate) shared: Arc<Shared>,
    listening: Mutex<Option<Listening>>,
    address: SocketAddr,
    issuer: String,
    platform: String,
    client_id: String,
    client_secret: String,
}

impl MockOsc {
    /// Returns a builder that sets up a mock.
    pub fn builder() -> MockOscBuilder {
        MockOscBuilder::new()
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

    /// Returns the issuer, for example `http://127.0.0.1:4000`.
    pub fn issuer(&self) -> String {
        self.issuer.clone()
    }

    /// Returns the base URL of the platform. Service `S` is at `{platform}/S`.
    pub fn platform(&self) -> String {
        self.platform.clone()
    }

    /// Returns the address that the mock listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the id of the default client.
    pub fn client_id(&self) -> String {
        self.client_id.clone()
    }

    /// Returns the secret of the default client.
    pub fn client_secret(&self) -> String {
        self.client_secret.clone()
    }

    /// Plans a fault for an endpoint. It hits every request until the faults are cleared, unless the returned
    /// plan is narrowed.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) -> FaultPlan<'_> {
        self.shared.faults.plan(endpoint, fault)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Makes the requests to an endpoint wait. An earlier hold on the endpoint is released.
    pub fn hold(&self, endpoint: Endpoint) -> Hold {
        self.shared.holds.hold(endpoint)
    }

    /// Returns the requests that arrived at an endpoint, in order. Requests that were held or hit by a fault
    /// are included.
    pub fn requests(&self, endpoint: Endpoint) -> Vec<Recorded> {
        self.shared.log.filter(|of, _| of == endpoint)
    }

    /// Returns the number of requests that arrived at an endpoint.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.shared.log.count(endpoint, |_| true)
    }

    /// Returns the number of token requests with this `grant_type`.
    pub fn count_grants(&self, grant_type: &str) -> usize {
        self.shared.log.count(Endpoint::Token, |request| request.field("grant_type") == Some(grant_type))
    }

    /// Waits until at least this many requests have arrived at an endpoint. It counts from the start of the
    /// mock or from the last [`forget_requests`](Self::forget_requests).
    pub async fn wait_for_requests(&self, endpoint: Endpoint, at_least: usize) {
        self.shared.log.wait_for(endpoint, at_least).await;
    }

    /// Clears the recorded requests of all endpoints.
    pub fn forget_requests(&self) {
        self.shared.log.clear();
    }

    /// Closes the socket and all connections. Connections are refused as soon as this returns. The mock keeps
    /// its state.
    pub async fn stop_listening(&self) {
        let listening = lock(&self.listening).take();
        if let Some(listening) = listening {
            listening.close().await;
        }
    }

    /// Listens again on the same address. Does nothing if the mock is listening.
    ///
    /// # Errors
    /// If another program took the port in the meantime.
    pub async fn resume_listening(&self) -> io::Result<()> {
        if lock(&self.listening).is_some() {
            return Ok(());
        }
        let listener = bind(self.address).await?;
        *lock(&self.listening) = Some(Listening::start(listener, Arc::clone(&self.shared)));
        Ok(())
    }

    /// Stops the mock. Its port is free as soon as this returns.
    pub async fn shutdown(self) {
        self.stop_listening().await;
    }

    pub(crate) fn with_world<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut lock(&self.shared.world))
    }
}
