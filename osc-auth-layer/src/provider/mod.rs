//! The provider as the rest of the crate sees it: what can be asked of it, and the kinds of failure. Metadata and
//! registrations are fetched once for all who wait, by tasks that no impatient visitor can cancel.

pub(crate) mod http;
pub(crate) mod metadata;
pub(crate) mod registration;
pub(crate) mod wire;

use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use self::http::HttpClient;
pub(crate) use self::metadata::{Issuer, Metadata};
use self::registration::Registration;
use self::wire::AuthMethod;
pub(crate) use self::wire::{Credentials, GrantError, Tokens};
use crate::clock::{Clock, Timestamp};
use crate::flight::Flight;
use crate::secret::Secret;

const METADATA_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const RETRY_METADATA: Duration = Duration::from_secs(60);
/// Superseded registrations that sign-ins under way may still name.
const MOST_REGISTRATIONS: usize = 8;

/// Who the app is, as configured.
#[derive(Clone, Debug)]
pub(crate) enum ClientConfig {
    Static { id: String, secret: Option<Secret> },
    Register { name: String },
}

pub(crate) struct Provider {
    pub(crate) issuer: Issuer,
    client: Clients,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    metadata: Mutex<Option<CachedMetadata>>,
    metadata_flight: Flight<Result<Arc<Metadata>, GrantError>>,
}

enum Clients {
    Static(Arc<Credentials>),
    Registered {
        name: String,
        made: Mutex<Vec<(Arc<Credentials>, Registration)>>,
        flight: Flight<Result<(), GrantError>>,
    },
}

#[derive(Clone)]
struct CachedMetadata {
    metadata: Arc<Metadata>,
    fresh_until: Timestamp,
    is_fallback: bool,
}

impl Provider {
    pub(crate) fn new(
        issuer: Issuer,
        client: ClientConfig,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
    ) -> Self {
        let client = match client {
            ClientConfig::Static { id, secret } => {
                Clients::Static(Arc::new(Credentials { id, secret, auth_method: None }))
            }
            ClientConfig::Register { name } => {
                Clients::Registered { name, made: Mutex::default(), flight: Flight::default() }
            }
        };
        Self {
            issuer,
            client,
            http,
            clock,
            tasks,
            metadata: Mutex::default(),
            metadata_flight: Flight::default(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// The provider's metadata: cached for a day, then refetched beside the request that finds it stale.
    pub(crate) async fn metadata(self: &Arc<Self>) -> Result<Arc<Metadata>, GrantError> {
        let cached = self.metadata.lock().clone();
        let fetch = || {
            let provider = self.clone();
            async move { provider.fetch_metadata().await }
        };
        match cached {
            Some(cached) if self.now() < cached.fresh_until => Ok(cached.metadata),
            Some(stale) => {
                self.metadata_flight.start(&self.tasks, fetch);
                Ok(stale.metadata)
            }
            None => {
                let fetched = self.metadata_flight.join(&self.tasks, fetch).await;
                fetched.unwrap_or(Err(GrantError::NotSent { retry_after: None }))
            }
        }
    }

    async fn fetch_metadata(&self) -> Result<Arc<Metadata>, GrantError> {
        let answer = self.http.send(self.issuer.metadata_request()).await;
        let parsed = match &answer {
            Ok(response) if response.status == StatusCode::OK => {
                Some(Metadata::parse(&response.body, &self.issuer))
            }
            _ => None,
        };
        let mut cache = self.metadata.lock();
        match parsed {
            Some(Ok(metadata)) => {
                let metadata = Arc::new(metadata);
                *cache = Some(CachedMetadata {
                    metadata: metadata.clone(),
                    fresh_until: self.now().plus(METADATA_LIFETIME),
                    is_fallback: false,
                });
                return Ok(metadata);
            }
            Some(Err(problem)) => {
                tracing::error!(
                    issuer = self.issuer.as_str(),
                    "the provider's metadata {problem}; check OSC_ISSUER"
                );
                // An answer of the wrong issuer never leaves us on a fallback (RFC 8414 §3.3).
                cache.take_if(|cached| cached.is_fallback);
            }
            None => {
                let status = answer.map(|response| response.status.as_u16()).ok();
                tracing::warn!(
                    issuer = self.issuer.as_str(),
                    status,
                    "the provider's metadata is out of reach"
                );
                if self.issuer.known_endpoints && cache.is_none() {
                    *cache = Some(CachedMetadata {
                        metadata: Arc::new(Metadata::known(&self.issuer)),
                        fresh_until: Timestamp::default(),
                        is_fallback: true,
                    });
                }
            }
        }
        let cached = cache.as_mut().ok_or(GrantError::NotSent { retry_after: None })?;
        cached.fresh_until = self.now().plus(RETRY_METADATA);
        Ok(cached.metadata.clone())
    }

    /// The client that begins a sign-in returning to `redirect_uri`, registered now if need be.
    /// A registration covers all of `redirect_uris`.
    pub(crate) async fn client_for(
        self: &Arc<Self>,
        metadata: &Arc<Metadata>,
        redirect_uri: &str,
        redirect_uris: &[String],
        scopes: &[String],
    ) -> Result<Arc<Credentials>, GrantError> {
        let (made, flight) = match &self.client {
            Clients::Static(credentials) => return Ok(credentials.clone()),
            Clients::Registered { made, flight, .. } => (made, flight),
        };
        let usable = || {
            let now = self.now();
            let made = made.lock();
            let serving = made.iter().rev().find(|(_, registration)| registration.serves(redirect_uri, now));
            serving.map(|(credentials, _)| credentials.clone())
        };
        // Another redirect URI's registration may be under way first.
        for _ in 0..3 {
            if let Some(credentials) = usable() {
                return Ok(credentials);
            }
            let register = || {
                let (provider, metadata) = (self.clone(), metadata.clone());
                let (redirect_uris, scopes) = (redirect_uris.to_vec(), scopes.to_vec());
                async move { provider.register(&metadata, &redirect_uris, &scopes).await }
            };
            match flight.join(&self.tasks, register).await {
                Some(registered) => registered?,
                None => break,
            }
        }
        usable().ok_or(GrantError::NotSent { retry_after: None })
    }

    async fn register(
        &self,
        metadata: &Metadata,
        redirect_uris: &[String],
        scopes: &[String],
    ) -> Result<(), GrantError> {
        let Clients::Registered { name, made, .. } = &self.client else {
            return Ok(());
        };
        let Some(endpoint) = metadata.registration_endpoint.clone() else {
            tracing::error!(
                "the provider registers no clients by itself: create an OAuth app and set CLIENT_ID"
            );
            return Err(GrantError::Misconfigured("no registration_endpoint".to_owned()));
        };
        let method = metadata.registrable_auth_method();
        let request = registration::request(endpoint, name, redirect_uris, method, scopes);
        let response = self.http.send(request).await?;
        match registration::parse(&response, redirect_uris) {
            Some(registered) => {
                tracing::info!(client_id = %registered.0.id, "registered the app with the provider");
                let mut made = made.lock();
                if made.len() == MOST_REGISTRATIONS {
                    made.remove(0);
                }
                made.push((Arc::new(registered.0), registered.1));
                Ok(())
            }
            None if response.status.is_client_error() && response.status != StatusCode::TOO_MANY_REQUESTS => {
                Err(GrantError::Misconfigured("registration refused".to_owned()))
            }
            None => Err(GrantError::PossiblyProcessed { retry_after: response.retry_after }),
        }
    }

    #[cfg(feature = "test-util")]
    pub(crate) fn static_client(&self) -> Option<Arc<Credentials>> {
        match &self.client {
            Clients::Static(credentials) => Some(credentials.clone()),
            Clients::Registered { .. } => None,
        }
    }

    /// The client a sign-in under way was begun with.
    pub(crate) fn client_by_id(&self, id: &str) -> Option<Arc<Credentials>> {
        match &self.client {
            Clients::Static(credentials) => Some(credentials.clone()),
            Clients::Registered { made, .. } => {
                let made = made.lock();
                made.iter().map(|(credentials, _)| credentials).find(|client| client.id == id).cloned()
            }
        }
        .filter(|credentials| credentials.id == id)
    }

    /// The provider no longer knows this registration: the next sign-in makes another. Tells whether it was one.
    pub(crate) fn forget_registration(&self, id: &str) -> bool {
        let Clients::Registered { made, .. } = &self.client else {
            return false;
        };
        made.lock().retain(|(credentials, _)| credentials.id != id);
        true
    }

    /// Pushes an authorization request (RFC 9126 §2.1), for its `request_uri`.
    pub(crate) async fn push(
        &self,
        metadata: &Metadata,
        endpoint: url::Url,
        credentials: &Credentials,
        fields: &[(&str, &str)],
    ) -> Result<String, GrantError> {
        let method = metadata.token_auth_method(credentials).ok_or_else(no_common_method)?;
        // The form names the client already when the method puts it there.
        let fields: Vec<_> = match (method, &credentials.secret) {
            (AuthMethod::Basic, Some(_)) => fields.to_vec(),
            _ => fields.iter().copied().filter(|(name, _)| *name != "client_id").collect(),
        };
        let request = wire::client_request(endpoint, credentials, method, &fields);
        wire::parse_pushed(&self.http.send(request).await?)
    }

    /// Exchanges an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5). Sent once: a code is good for one use.
    pub(crate) async fn exchange(
        self: &Arc<Self>,
        credentials: &Credentials,
        code: &Secret,
        redirect_uri: &str,
        verifier: &Secret,
    ) -> Result<Tokens, GrantError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        self.grant(credentials, &fields, &[code, verifier]).await
    }

    /// Uses a refresh token (RFC 6749 §6).
    pub(crate) async fn refresh(
        self: &Arc<Self>,
        credentials: &Credentials,
        refresh_token: &Secret,
    ) -> Result<Tokens, GrantError> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        self.grant(credentials, &fields, &[refresh_token]).await
    }

    async fn grant(
        self: &Arc<Self>,
        credentials: &Credentials,
        fields: &[(&str, &str)],
        secrets: &[&Secret],
    ) -> Result<Tokens, GrantError> {
        let metadata = self.metadata().await?;
        let method = metadata.token_auth_method(credentials).ok_or_else(no_common_method)?;
        let request = wire::client_request(metadata.token_endpoint.clone(), credentials, method, fields);
        let response = self.http.send(request).await?;
        let sent: Vec<_> = secrets.iter().copied().chain(&credentials.secret).collect();
        wire::parse_tokens(&response, &sent)
    }

    /// Revokes a token (RFC 7009 §2.1) when the provider announces how; best effort, beside whoever asked.
    pub(crate) fn revoke(self: &Arc<Self>, credentials: Arc<Credentials>, token: Secret, hint: &'static str) {
        let provider = self.clone();
        let revocation = async move {
            let Ok(metadata) = provider.metadata().await else {
                return;
            };
            let Some(endpoint) = metadata.revocation_endpoint.clone() else {
                return;
            };
            let Some(method) = metadata.revocation_auth_method(&credentials) else {
                return;
            };
            let fields = [("token", token.expose()), ("token_type_hint", hint)];
            let request = wire::client_request(endpoint, &credentials, method, &fields);
            match provider.http.send(request).await {
                Ok(response) if response.status.is_success() => tracing::debug!("revoked a grant"),
                Ok(response) => {
                    tracing::warn!(status = response.status.as_u16(), "the provider refused a revocation");
                }
                Err(_) => tracing::warn!("a revocation did not reach the provider"),
            }
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(self.tasks.spawn_on(revocation, &runtime));
        }
    }
}

fn no_common_method() -> GrantError {
    tracing::error!("the provider announces no client authentication but ones this crate does not have");
    GrantError::Misconfigured("no common client authentication method".to_owned())
}
