//! The app's OAuth client: a configured one, or one that registers itself when it is first needed.

use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;

use super::registration;
use super::registration::{Registered, Registrations};
use super::wire::{AuthMethod, Credentials, GrantError};
use super::{Metadata, Misconfiguration, Provider};
use crate::clock::Timestamp;
use crate::flight::Flight;
use crate::meter::ProviderEndpoint;
use crate::network::WireResponse;
use crate::redact::line;
use crate::secret::Secret;

/// The most registrations that sign-ins can begin with. Without a `public_url`, each loopback host and port has its own. More
/// of them mean that somebody plays with the `Host` header.
const MOST_REGISTRATIONS: usize = 8;

/// The most registrations that are kept, including those that pending sign-ins may still name. If the clock is ahead, each
/// registration seems expired at once, and each sign-in makes its own.
const MOST_KEPT: usize = 1_000;

/// The configured client.
#[derive(Clone, Debug)]
pub(crate) enum ClientConfig {
    Static { id: String, secret: Option<Secret>, auth_method: Option<AuthMethod> },
    Register { name: String },
}

pub(super) enum Clients {
    Static(Arc<Credentials>),
    Registered(Arc<Registrar>),
}

#[derive(Default)]
pub(super) struct Registrar {
    name: String,
    made: Mutex<Vec<Registered>>,
    flight: Flight<Result<Registered, GrantError>>,
    /// The registrations that all nodes share, if there is a store.
    shared: Option<Arc<dyn Registrations>>,
    /// A registration that could not be shared yet. The next sign-in shares it instead of making another one.
    unshared: Mutex<Option<Registered>>,
}

impl Clients {
    pub(super) fn new(config: ClientConfig, shared: Option<Arc<dyn Registrations>>) -> Self {
        match config {
            ClientConfig::Static { id, secret, auth_method } => {
                Self::Static(Arc::new(Credentials { id, secret, auth_method }))
            }
            ClientConfig::Register { name } => {
                Self::Registered(Arc::new(Registrar { name, shared, ..Registrar::default() }))
            }
        }
    }
}

impl Provider {
    /// Returns the client for a sign-in that returns to `redirect_uri`. Registers one for all of `redirect_uris` if necessary.
    pub(crate) async fn client_for(
        self: &Arc<Self>,
        metadata: &Arc<Metadata>,
        redirect_uri: &str,
        redirect_uris: &[String],
        scopes: &[String],
    ) -> Result<Arc<Credentials>, GrantError> {
        let registrar = match &self.client {
            Clients::Static(credentials) => return Ok(credentials.clone()),
            Clients::Registered(registrar) => registrar,
        };
        let usable = || {
            let now = self.now();
            let made = registrar.made.lock();
            let serving = made.iter().rev().find(|(_, registration)| registration.serves(redirect_uri, now));
            serving.map(|(credentials, _)| credentials.clone())
        };
        // A registration for another redirect URI may be under way, and the first join gets that one.
        for _ in 0..3 {
            if let Some(credentials) = usable() {
                return Ok(credentials);
            }
            let register = || {
                let (provider, registrar, metadata) = (self.clone(), registrar.clone(), metadata.clone());
                let (redirect_uris, scopes) = (redirect_uris.to_vec(), scopes.to_vec());
                async move { provider.register(&registrar, &metadata, &redirect_uris, &scopes).await }
            };
            let Some(registered) = registrar.flight.join(&(), Some(&self.tasks), register).await else {
                break;
            };
            let (credentials, registration) = registered?;
            // Usable even if it has expired by this clock: the provider has just made it, so the clock is wrong.
            if registration.covers(redirect_uri) {
                return Ok(credentials);
            }
        }
        usable().ok_or(GrantError::NotSent { retry_after: None })
    }

    /// Finds another node's registration or makes one, and keeps it.
    async fn register(
        &self,
        Registrar { name, made, shared, unshared, .. }: &Registrar,
        metadata: &Metadata,
        redirect_uris: &[String],
        scopes: &[String],
    ) -> Result<Registered, GrantError> {
        if !make_room(&mut made.lock(), self.now()) {
            tracing::error!("Sign-ins came from too many loopback hosts and ports. Set PUBLIC_URL.");
            return Err(GrantError::Misconfigured(Misconfiguration::TooManyRedirectUris));
        }
        if let Some(shared) = shared {
            match shared.current(name, redirect_uris).await? {
                Some(current) if current.1.is_current(self.now()) => {
                    made.lock().push(current.clone());
                    return Ok(current);
                }
                Some(superseded) => shared.supersede(name, &superseded).await?,
                None => {}
            }
        }
        let now = self.now();
        let is_meant = |made: &Registered| made.1.is_current(now) && made.1.redirect_uris == redirect_uris;
        let left = unshared.lock().take().filter(is_meant);
        let registered = match left {
            Some(registered) => registered,
            None => self.register_anew(metadata, name, redirect_uris, scopes).await?,
        };
        let registered = match shared {
            None => {
                tracing::warn!(
                    client_id = %line(&registered.0.id, 64),
                    "This process alone keeps the app's registration. After a restart the app registers again and every \
                     user has to sign in. Configure a session store or set CLIENT_ID."
                );
                registered
            }
            Some(shared) => {
                let counts = shared.share(name, &registered, now).await;
                let counts = counts.inspect_err(|_| *unshared.lock() = Some(registered.clone()))?;
                counts.unwrap_or(registered)
            }
        };
        made.lock().push(registered.clone());
        Ok(registered)
    }

    async fn register_anew(
        &self,
        metadata: &Metadata,
        name: &str,
        redirect_uris: &[String],
        scopes: &[String],
    ) -> Result<Registered, GrantError> {
        let Some(endpoint) = metadata.registration_endpoint.clone() else {
            tracing::error!(
                "The provider does not support client registration. Create an OAuth app and set CLIENT_ID."
            );
            return Err(GrantError::Misconfigured(Misconfiguration::NoRegistrationEndpoint));
        };
        let method = metadata.registrable_auth_method();
        let request = registration::request(endpoint, name, redirect_uris, method, scopes);
        let read = |response: &WireResponse| match registration::parse(response, redirect_uris, self.now()) {
            Some(registered) => {
                tracing::info!(client_id = %line(&registered.0.id, 64), "Registered the app with the provider.");
                Ok(registered)
            }
            None if response.status.is_client_error() && response.status != StatusCode::TOO_MANY_REQUESTS => {
                Err(GrantError::Misconfigured(Misconfiguration::RegistrationRefused))
            }
            None => Err(GrantError::PossiblyProcessed { retry_after: response.retry_after }),
        };
        self.ask("registration", ProviderEndpoint::Registration, request, self.http.time(), read).await
    }

    /// Returns the client that the next sign-in will use. `None` if that has to register first.
    pub(crate) async fn next_client(
        &self,
        redirect_uris: &[String],
    ) -> Result<Option<Arc<Credentials>>, GrantError> {
        let registrar = match &self.client {
            Clients::Static(client) => return Ok(Some(client.clone())),
            Clients::Registered(registrar) => registrar,
        };
        let now = self.now();
        let is_usable = |(_, made): &Registered| made.is_current(now) && made.redirect_uris == redirect_uris;
        let made = registrar.made.lock().iter().rev().find(|&made| is_usable(made)).cloned();
        let found = match &registrar.shared {
            Some(shared) if made.is_none() => {
                shared.current(&registrar.name, redirect_uris).await?.filter(is_usable)
            }
            _ => made,
        };
        Ok(found.map(|(client, _)| client))
    }

    /// Returns the client if it is configured.
    pub(crate) fn static_client(&self) -> Option<Arc<Credentials>> {
        if let Clients::Static(credentials) = &self.client { Some(credentials.clone()) } else { None }
    }

    /// Returns the client that a session has to remember. `None` if the client is configured.
    pub(crate) fn registered(&self, client: Arc<Credentials>) -> Option<Arc<Credentials>> {
        (!self.has_static_client()).then_some(client)
    }

    pub(crate) fn has_static_client(&self) -> bool {
        matches!(self.client, Clients::Static(_))
    }

    /// Returns the client that a pending sign-in was begun with, perhaps on another node.
    pub(crate) async fn client_by_id(&self, id: &str) -> Result<Option<Arc<Credentials>>, GrantError> {
        let registrar = match &self.client {
            Clients::Static(client) => return Ok((client.id == id).then(|| client.clone())),
            Clients::Registered(registrar) => registrar,
        };
        let known = registrar.made.lock().iter().find(|(client, _)| client.id == id).cloned();
        let found = match &registrar.shared {
            Some(shared) if known.is_none() => shared.by_id(id).await?,
            _ => known,
        };
        Ok(found.map(|(client, _)| client))
    }

    /// Forgets a registration that the provider no longer knows, so that the next sign-in makes another one. Returns false
    /// if the client is configured.
    pub(crate) async fn forget_registration(&self, id: &str) -> bool {
        let Clients::Registered(registrar) = &self.client else { return false };
        let forgotten = registrar.made.lock().extract_if(.., |(client, _)| client.id == id).next();
        if let (Some(shared), Some(forgotten)) = (&registrar.shared, forgotten) {
            // If the store fails, the next sign-in finds the registration again, and the provider refuses it again.
            let _ = shared.supersede(&registrar.name, &forgotten).await;
        }
        true
    }
}

/// Removes an outdated registration if there are too many. Returns true if another one may be made.
fn make_room(made: &mut Vec<Registered>, now: Timestamp) -> bool {
    let is_current = |(_, registration): &Registered| registration.is_current(now);
    if made.len() >= MOST_KEPT
        && let Some(superseded) = made.iter().position(|registered| !is_current(registered))
    {
        made.remove(superseded);
    }
    made.iter().filter(|registered| is_current(registered)).count() < MOST_REGISTRATIONS
}
