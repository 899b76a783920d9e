//! Gets the tokens for a call and sends it. No other module of the client sends requests.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::answer::{Doing, token_of};
use super::cache::{NO_REFRESH_FOR, NO_RENEWAL_FOR, Workspace, is_over};
use super::context::TokenSource;
use super::data::is_service_id;
use super::reply::{Answer, UNREADABLE};
use super::request::{Api, PlatformRequest, ServiceRequest};
use super::{ContextError, ContextErrorKind, OscContext, OscService, Outcome, ServiceAccessToken};
use crate::network::{Limits, NetworkError, WireRequest};

/// Wider than for the provider, because logs are long and creating an instance takes time.
pub(crate) const LIMITS: Limits = Limits { time: Duration::from_secs(30), bytes: 4 * 1024 * 1024 };

impl OscContext {
    /// Sends a request with the personal access token. If the platform refuses the token, refreshes it and tries once more.
    pub(super) async fn ask_platform<'a>(
        &self,
        doing: Doing<'a>,
        request: PlatformRequest,
    ) -> Outcome<Answer<'a>> {
        let (bearer, refreshable) = match &self.source {
            TokenSource::Session(session) => {
                let token = session.token().await.map_err(|error| ContextError::of_session(doing, &error))?;
                (token.bearer(), Some((session, token)))
            }
            TokenSource::Bare(bare) => (bare.bearer.clone(), None),
        };
        let answer = self.send(doing, request.authorized(bearer.clone()), token_of(&bearer)).await?;
        if !answer.is(StatusCode::UNAUTHORIZED) {
            return Ok(answer);
        }
        let Some((session, refused)) = refreshable else {
            return Ok(Answer { is_to_bare_token: true, ..answer });
        };
        let workspace = self.workspace(doing).await?;
        if !is_over(*workspace.refreshed_in_vain_at.lock(), NO_REFRESH_FOR, self.now(doing)?) {
            return Ok(answer);
        }
        let newer = match session.refresh(&refused).await {
            Ok(newer) => newer.bearer(),
            Err(error) if error.kind().is_about_the_token() => return Ok(answer),
            Err(error) => return Err(ContextError::of_session(doing, &error)),
        };
        let answer = self.send(doing, request.authorized(newer.clone()), token_of(&newer)).await?;
        if answer.is(StatusCode::UNAUTHORIZED) {
            *workspace.refreshed_in_vain_at.lock() = Some(self.now(doing)?);
        }
        Ok(answer.hiding(token_of(&bearer)))
    }

    /// Sends a request. Retries an idempotent one once if the connection breaks before the answer (RFC 9110 §9.2.2).
    async fn send<'a>(&self, doing: Doing<'a>, request: WireRequest, token: &str) -> Outcome<Answer<'a>> {
        let http =
            self.part(doing, |engine| engine.provider.http.with_limits(LIMITS), |bare| bare.http.clone())?;
        let only_reads = request.method.is_safe();
        let again = request.method.is_idempotent().then(|| request.clone());
        let (response, is_repeat) = match (http.send(request).await, again) {
            // Not after a timeout: a retry would only double the wait.
            (Err(NetworkError::PossiblyProcessed), Some(again)) => {
                // The user may have signed out during the first try.
                self.workspace(doing).await?;
                (http.send(again).await, true)
            }
            (first, _) => (first, false),
        };
        let secrets = vec![token.to_owned()];
        Ok(Answer { doing, response, secrets, only_reads, is_repeat, is_to_bare_token: false })
    }
}

impl OscService {
    /// Sends a request with a service access token. If the service refuses the token, gets a new one and tries once more.
    pub(super) async fn ask_service<'a>(
        &self,
        doing: Doing<'a>,
        request: impl Fn(&Api) -> Option<ServiceRequest>,
    ) -> Outcome<Answer<'a>> {
        let token = self.access(doing).await?;
        let answer = self.send_to_service(doing, &token, &request).await?;
        if !answer.is(StatusCode::UNAUTHORIZED) {
            return Ok(answer);
        }
        let workspace = self.context.workspace(doing).await?;
        let service = workspace.service(&self.id);
        if !is_over(*service.renewed_in_vain_at.lock(), NO_RENEWAL_FOR, self.context.now(doing)?) {
            return Ok(answer);
        }
        // Drops the refused token, and keeps a newer one.
        service.token.lock().take_if(|cached| cached.token() == token.token());
        let newer = self.access(doing).await?;
        let answer = self.send_to_service(doing, &newer, &request).await?;
        if answer.is(StatusCode::UNAUTHORIZED) {
            *service.renewed_in_vain_at.lock() = Some(self.context.now(doing)?);
        }
        Ok(answer.hiding(token.token()))
    }

    async fn send_to_service<'a>(
        &self,
        doing: Doing<'a>,
        token: &ServiceAccessToken,
        request: &impl Fn(&Api) -> Option<ServiceRequest>,
    ) -> Outcome<Answer<'a>> {
        let Some(request) = request(token.api()) else {
            let why = "Open Source Cloud named an address that does not belong to the service";
            return Err(doing.error(ContextErrorKind::UnexpectedAnswer, why));
        };
        // The token comes from a cache or after a wait, so the user may have signed out meanwhile.
        self.context.workspace(doing).await?;
        self.context.send(doing, request.authorized(token.bearer()), token.token()).await
    }

    /// Returns a token for the service, from the cache if possible.
    pub(super) async fn access(&self, doing: Doing<'_>) -> Outcome<ServiceAccessToken> {
        let service_id = check_service_id(doing)?;
        let workspace = self.context.workspace(doing).await?;
        if let Some(token) = workspace.token(service_id, self.context.now(doing)?) {
            return Ok(token);
        }
        let was_known = workspace.subscription(service_id).is_some();
        let opened = self.open(doing, &workspace).await;
        let is_refused = |error: &ContextError| {
            matches!(error.kind(), ContextErrorKind::Refused | ContextErrorKind::NotFound)
        };
        // The cached subscription may be out of date.
        if was_known && opened.as_ref().is_err_and(is_refused) {
            workspace.forget_subscriptions();
            return self.open(doing, &workspace).await;
        }
        opened
    }

    async fn open(&self, doing: Doing<'_>, workspace: &Arc<Workspace>) -> Outcome<ServiceAccessToken> {
        let subscription = self.subscribed(doing, workspace).await?;
        let Some(api) = self.context.platform(doing)?.api(&self.id, &subscription.api_url) else {
            tracing::error!(
                service_id = &*self.id,
                "The catalog names an API address that is not the service's own. The layer sent no token there."
            );
            let why = "Open Source Cloud named an API address that does not belong to the service";
            return Err(doing.error(ContextErrorKind::UnexpectedAnswer, why));
        };
        let ask = || {
            let (service, workspace, api) = (self.clone(), workspace.clone(), api.clone());
            async move { service.ask_for_token(&workspace, &api).await }
        };
        let opened = workspace.service(&self.id).opening.join(&(), None, ask).await;
        opened.unwrap_or_else(|| Err(no_runtime(doing)))
    }

    async fn ask_for_token(&self, workspace: &Workspace, api: &Api) -> Outcome<ServiceAccessToken> {
        let doing = self.doing("get access to the service");
        // An earlier run may have ended between the caller's look at the cache and this run.
        if let Some(token) = workspace.token(&self.id, self.context.now(doing)?) {
            return Ok(token);
        }
        let request = self.context.platform(doing)?.request(Method::POST, "token", &["servicetoken"]);
        let request = request.body(&json!({ "serviceId": &*self.id }));
        let answer = self.context.ask_platform(doing, request).await?;
        let token = ServiceAccessToken::parse(&self.id, api, answer.success()?, self.context.now(doing)?);
        let token = token.ok_or_else(|| doing.error(ContextErrorKind::UnexpectedAnswer, UNREADABLE))?;
        *workspace.service(&self.id).token.lock() = Some(token.clone());
        Ok(token)
    }
}

/// Returns the id of the service that the call is about, if it is well-formed.
pub(super) fn check_service_id(doing: Doing<'_>) -> Outcome<&str> {
    let why = "the service id is not valid; it looks like minio-minio";
    let id = Some(doing.service_id()).filter(|id| is_service_id(id));
    id.ok_or_else(|| doing.error(ContextErrorKind::InvalidInput, why))
}

pub(super) fn no_runtime(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::Unavailable, "the Tokio runtime is shutting down")
}
