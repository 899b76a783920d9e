//! The OAuth provider: its requests and the kinds of failure.
//!
//! Concurrent requests share one fetch of the metadata or one registration. These run in their own tasks, so an impatient
//! visitor cannot cancel them.

mod clients;
pub(crate) mod error_code;
pub(crate) mod fetch;
pub(crate) mod metadata;
pub(crate) mod questions;
pub(crate) mod registration;
pub(crate) mod wire;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::Instrument;
use tracing::field::Empty;

pub(crate) use self::clients::ClientConfig;
use self::clients::Clients;
pub(crate) use self::error_code::{ErrorCode, Misconfiguration};
use self::fetch::CachedMetadata;
pub(crate) use self::metadata::{Issuer, Metadata};
#[cfg(feature = "client")]
pub(crate) use self::metadata::{is_environment, is_safe};
pub(crate) use self::registration::{Registered, Registrations};
pub(crate) use self::wire::{AuthMethod, Credentials, Grant, GrantError, Tokens, bearer};
use crate::clock::{Clock, Timestamp};
use crate::flight::Flight;
use crate::meter::{self, ProviderAnswer, ProviderEndpoint, Timer};
use crate::network::{Failure, HttpClient, NetworkError, WireRequest, WireResponse};
use crate::secret::Secret;
use crate::seldom::Seldom;
use crate::tasks::Tasks;

/// How long the provider may take to answer a grant.
///
/// No user's request waits this long. But only this answer contains the new tokens, so the layer waits as long as a lease
/// allows.
pub(crate) const GRANT_TIME: Duration = Duration::from_secs(25);

pub(crate) struct Provider {
    pub(crate) issuer: Issuer,
    client: Clients,
    /// Also for other services than the provider's.
    pub(crate) http: HttpClient,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    metadata: Mutex<Option<CachedMetadata>>,
    metadata_flight: Flight<Result<Arc<Metadata>, GrantError>>,
    /// Limits the log lines about the metadata.
    metadata_log: Seldom,
    /// Limits the log line about other requests.
    outage_log: Seldom,
}

impl Provider {
    pub(crate) fn new(
        issuer: Issuer,
        client: ClientConfig,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        registrations: Option<Arc<dyn Registrations>>,
    ) -> Self {
        Self {
            issuer,
            client: Clients::new(client, registrations),
            http,
            clock,
            tasks,
            metadata: Mutex::default(),
            metadata_flight: Flight::default(),
            metadata_log: Seldom::default(),
            outage_log: Seldom::default(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Sends a request.
    async fn send(
        &self,
        endpoint: ProviderEndpoint,
        request: WireRequest,
        time: Duration,
    ) -> Result<WireResponse, Failure> {
        let timer = Timer::start();
        let span = tracing::debug_span!("osc_auth.provider", endpoint = endpoint.word(), outcome = Empty);
        let answer = self.http.send_explained(request, time).instrument(span.clone()).await;
        let outcome = kind_of(&answer);
        span.record("outcome", outcome.word());
        meter::provider_asked(endpoint, outcome, timer);
        answer
    }

    /// Sends a request and reads its answer. Logs at most once a minute why there is no usable one.
    async fn ask<T>(
        &self,
        doing: &'static str,
        endpoint: ProviderEndpoint,
        request: WireRequest,
        time: Duration,
        read: impl FnOnce(&WireResponse) -> Result<T, GrantError>,
    ) -> Result<T, GrantError> {
        let (answer, cause) = match self.send(endpoint, request, time).await {
            Ok(response) => {
                let cause = format!("the answer has status {} and is of no use", response.status.as_u16());
                (read(&response), cause)
            }
            Err(failure) => (Err(failure.kind.into()), failure.cause),
        };
        let is_outage = matches!(
            answer,
            Err(GrantError::NotSent { .. } | GrantError::PossiblyProcessed { .. } | GrantError::TimedOut)
        );
        if is_outage && self.outage_log.is_due(self.now()) {
            tracing::warn!(
                doing,
                cause,
                "A request to the provider failed. Check the provider, and this machine's DNS, proxy, firewall and \
                 certificates."
            );
        }
        answer
    }

    /// Pushes an authorization request and returns its `request_uri` (RFC 9126 §2.1).
    pub(crate) async fn push(
        &self,
        metadata: &Metadata,
        endpoint: url::Url,
        credentials: &Credentials,
        fields: &[(&str, &str)],
    ) -> Result<String, GrantError> {
        let method = metadata.token_auth_method(credentials).ok_or_else(no_common_method)?;
        let fields = wire::without_duplicate_id(fields, method);
        let request = wire::client_request(endpoint, credentials, method, &fields);
        let state = fields.iter().filter(|(name, _)| *name == "state").map(|(_, state)| *state);
        let sent: Vec<_> = credentials.secret.iter().map(Secret::expose).chain(state).collect();
        let read = |response: &_| wire::parse_pushed(response, &sent);
        let doing = "pushed authorization request";
        self.ask(doing, ProviderEndpoint::Par, request, self.http.time(), read).await
    }

    /// Exchanges an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5). Never retried, because a code is good for one use.
    pub(crate) async fn exchange(
        self: &Arc<Self>,
        credentials: &Credentials,
        code: Secret,
        redirect_uri: &str,
        verifier: &Secret,
    ) -> Result<Tokens, GrantError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        let request = self.prepare(credentials, &fields).await?;
        let sent: Vec<_> = [&code, verifier].into_iter().chain(&credentials.secret).collect();
        let read = |response: &_| wire::parse_tokens(response, &sent);
        self.ask("token request", ProviderEndpoint::Token, request, GRANT_TIME, read).await
    }

    /// Makes the request that uses a refresh token (RFC 6749 §6). Fetches the metadata first if necessary.
    pub(crate) async fn prepare_refresh(self: &Arc<Self>, grant: &Grant) -> Result<WireRequest, GrantError> {
        let refresh_token = grant.refresh_token.as_ref().ok_or(GrantError::Refused)?;
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        self.prepare(&grant.credentials, &fields).await
    }

    /// Sends the request that [`prepare_refresh`](Self::prepare_refresh) made. The answer may take up to `time`.
    pub(crate) async fn send_refresh(
        &self,
        request: WireRequest,
        grant: &Grant,
        time: Duration,
    ) -> Result<Tokens, GrantError> {
        let sent: Vec<_> = grant.refresh_token.iter().chain(&grant.credentials.secret).collect();
        let read = |response: &_| wire::parse_tokens(response, &sent);
        self.ask("refresh", ProviderEndpoint::Token, request, time, read).await
    }

    async fn prepare(
        self: &Arc<Self>,
        credentials: &Credentials,
        fields: &[(&str, &str)],
    ) -> Result<WireRequest, GrantError> {
        let metadata = self.metadata().await?;
        let method = metadata.token_auth_method(credentials).ok_or_else(no_common_method)?;
        Ok(wire::client_request(metadata.token_endpoint.clone(), credentials, method, fields))
    }

    /// Revokes a token in the background, if the provider announces a revocation endpoint (RFC 7009 §2.1). A failure is only
    /// logged.
    pub(crate) fn revoke(self: &Arc<Self>, credentials: Arc<Credentials>, token: Secret, hint: &'static str) {
        let provider = self.clone();
        let revocation = async move {
            let Ok(metadata) = provider.metadata().await else { return };
            let Some(endpoint) = metadata.revocation_endpoint.clone() else { return };
            let Some(method) = metadata.revocation_auth_method(&credentials) else { return };
            let fields = [("token", token.expose()), ("token_type_hint", hint)];
            let request = wire::client_request(endpoint, &credentials, method, &fields);
            match provider.send(ProviderEndpoint::Revocation, request, provider.http.time()).await {
                Ok(response) if response.status.is_success() => tracing::debug!("revoked a grant"),
                Ok(response) => tracing::warn!(
                    status = response.status.as_u16(),
                    "The provider refused to revoke a token. It may stay valid there until it expires."
                ),
                Err(_) => tracing::warn!(
                    "The provider did not answer a revocation. The token may stay valid there until it expires."
                ),
            }
        };
        self.tasks.start(revocation);
    }
}

/// Returns the kind of an answer by its status. Redirects are not followed.
fn kind_of(answer: &Result<WireResponse, Failure>) -> ProviderAnswer {
    match answer {
        Ok(response) if response.status.is_success() => ProviderAnswer::Success,
        Ok(response) if response.status.is_client_error() => ProviderAnswer::ClientError,
        Ok(response) if response.status.is_server_error() => ProviderAnswer::ServerError,
        Ok(_) => ProviderAnswer::Redirect,
        Err(failure) => match failure.kind {
            NetworkError::NotSent => ProviderAnswer::NotSent,
            NetworkError::PossiblyProcessed | NetworkError::TooLong => ProviderAnswer::Lost,
            NetworkError::TimedOut => ProviderAnswer::TimedOut,
        },
    }
}

fn no_common_method() -> GrantError {
    tracing::error!(
        "The provider announces neither client_secret_basic nor client_secret_post. If it accepts one of them, set \
         CLIENT_AUTH_METHOD."
    );
    GrantError::Misconfigured(Misconfiguration::NoCommonAuthMethod)
}
