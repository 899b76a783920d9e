//! Gets the tokens for a call and sends it. No other module of the client sends requests.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::answer::{Doing, token_of};
use super::cache::{Access, Workspace};
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::instance::is_service_id;
use super::platform::Platform;
use super::reply::{Answer, UNREADABLE};
use super::request::{Api, PlatformRequest, ServiceRequest};
use super::service_token::ServiceAccessToken;
use crate::clock::Timestamp;
use crate::network::{Limits, NetworkError, WireRequest};

/// Wider than for the provider, because logs are long and creating an instance takes time.
pub(crate) const LIMITS: Limits = Limits { time: Duration::from_secs(30), bytes: 4 * 1024 * 1024 };

/// Says what to do about a service that the workspace does not subscribe to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unsubscribed {
    Activate,
    /// For calls that only read: they must not change the workspace.
    Refuse,
}

impl OscContext {
    /// Sends a request with the personal access token. If the platform refuses the token, refreshes it and tries once more.
    pub(super) async fn ask_platform<'a>(
        &self,
        doing: Doing<'a>,
        request: impl FnOnce(&Platform) -> PlatformRequest,
    ) -> Result<Answer<'a>, ContextError> {
        let request = request(&self.source.platform(doing)?);
        let token = self.source.token(doing).await?;
        let send = |token: HeaderValue| self.send(doing, request.authorized(token.clone()), token);
        let answer = send(token.bearer()).await?;
        if !answer.is(StatusCode::UNAUTHORIZED) {
            return Ok(answer);
        }
        let workspace = self.workspace(doing).await?;
        if !workspace.may_refresh(self.now(doing)?) {
            return Ok(answer);
        }
        let Some(newer) = self.source.newer(doing, &token).await? else {
            return Ok(Answer { is_to_bare_token: self.session().is_none(), ..answer });
        };
        let answer = send(newer.bearer()).await?;
        if answer.is(StatusCode::UNAUTHORIZED) {
            workspace.refreshed_in_vain(self.now(doing)?);
        }
        Ok(answer.hiding(token_of(&token.bearer())))
    }

    /// Sends a request with a service access token. If the service refuses the token, gets a new one and tries once more.
    pub(super) async fn ask_service<'a>(
        &self,
        doing: Doing<'a>,
        service_id: &str,
        unsubscribed: Unsubscribed,
        request: impl Fn(&Api) -> Option<ServiceRequest> + Send + Sync,
    ) -> Result<Answer<'a>, ContextError> {
        let access = self.access(doing, service_id, unsubscribed).await?;
        let answer = self.send_to_service(doing, &access, &request).await?;
        if !answer.is(StatusCode::UNAUTHORIZED) {
            return Ok(answer);
        }
        let workspace = self.workspace(doing).await?;
        if !workspace.may_renew(service_id, self.now(doing)?) {
            return Ok(answer);
        }
        workspace.drop_access(&access);
        let newer = self.access(doing, service_id, unsubscribed).await?;
        let answer = self.send_to_service(doing, &newer, &request).await?;
        if answer.is(StatusCode::UNAUTHORIZED) {
            workspace.renewed_in_vain(service_id, self.now(doing)?);
        }
        Ok(answer.hiding(access.token.token()))
    }

    async fn send_to_service<'a>(
        &self,
        doing: Doing<'a>,
        access: &Access,
        request: &(impl Fn(&Api) -> Option<ServiceRequest> + Send + Sync),
    ) -> Result<Answer<'a>, ContextError> {
        let Some(request) = request(&access.api) else {
            return Err(doing.error(
                ContextErrorKind::UnexpectedAnswer,
                "Open Source Cloud named an address that does not belong to the service",
            ));
        };
        // The token comes from a cache or after a wait, so the user may have signed out meanwhile.
        self.workspace(doing).await?;
        let bearer = access.token.bearer();
        self.send(doing, request.authorized(bearer.clone()), bearer).await
    }

    /// Sends a request. Retries an idempotent one once if the connection breaks before the answer (RFC 9110 §9.2.2).
    async fn send<'a>(
        &self,
        doing: Doing<'a>,
        request: WireRequest,
        token: HeaderValue,
    ) -> Result<Answer<'a>, ContextError> {
        let http = self.source.http(doing)?;
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
        let secrets = vec![token_of(&token).to_owned()];
        Ok(Answer { doing, response, secrets, only_reads, is_repeat, is_to_bare_token: false })
    }

    /// Returns the cached knowledge about the workspace. Fails if the session has ended.
    pub(super) async fn workspace(&self, doing: Doing<'_>) -> Result<Arc<Workspace>, ContextError> {
        self.source.workspace(doing).await
    }

    pub(super) fn now(&self, doing: Doing<'_>) -> Result<Timestamp, ContextError> {
        Ok(self.source.clock(doing)?.now().into())
    }

    pub(super) async fn sleep(&self, doing: Doing<'_>, duration: Duration) -> Result<(), ContextError> {
        let slept = self.source.clock(doing)?.sleep(duration);
        slept.await;
        Ok(())
    }

    /// Returns the API of a service and a token for it, from the cache if possible.
    pub(super) async fn access(
        &self,
        doing: Doing<'_>,
        service_id: &str,
        unsubscribed: Unsubscribed,
    ) -> Result<Arc<Access>, ContextError> {
        check_service_id(doing, service_id)?;
        let workspace = self.workspace(doing).await?;
        let now = self.now(doing)?;
        if let Some(access) = workspace.access(service_id, now) {
            return Ok(access);
        }
        let was_known = workspace.subscription(service_id).is_some();
        match self.open(doing, &workspace, service_id, unsubscribed).await {
            // The cached subscription may be out of date.
            Err(error)
                if was_known
                    && matches!(error.kind(), ContextErrorKind::Refused | ContextErrorKind::NotFound) =>
            {
                workspace.forget_subscriptions();
                self.open(doing, &workspace, service_id, unsubscribed).await
            }
            opened => opened,
        }
    }

    async fn open(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
        service_id: &str,
        unsubscribed: Unsubscribed,
    ) -> Result<Arc<Access>, ContextError> {
        let subscription = self.subscribed(doing, workspace, service_id, unsubscribed).await?;
        let Some(api) = self.source.platform(doing)?.api(service_id, &subscription.api_url) else {
            tracing::error!(
                service_id,
                "The catalog names an API address that is not the service's own. The layer sent no token there."
            );
            return Err(doing.error(
                ContextErrorKind::UnexpectedAnswer,
                "Open Source Cloud named an API address that does not belong to the service",
            ));
        };
        let ask = || {
            let (context, workspace) = (self.clone(), workspace.clone());
            let (service_id, api) = (service_id.to_owned(), api.clone());
            async move { context.ask_for_token(&workspace, &service_id, api).await }
        };
        let opened = workspace.service(service_id).opening.join(&workspace.tasks, ask).await;
        opened.unwrap_or_else(|| Err(no_runtime(doing)))
    }

    async fn ask_for_token(
        &self,
        workspace: &Workspace,
        service_id: &str,
        api: Api,
    ) -> Result<Arc<Access>, ContextError> {
        let doing = Doing::new("get access to the service").of(service_id);
        // An earlier run may have ended between the caller's look at the cache and this run.
        if let Some(access) = workspace.access(service_id, self.now(doing)?) {
            return Ok(access);
        }
        let request = |platform: &Platform| {
            platform
                .request(Method::POST, "token", &["servicetoken"])
                .body(&json!({ "serviceId": service_id }))
        };
        let answer = self.ask_platform(doing, request).await?;
        let token = ServiceAccessToken::parse(service_id, &api, answer.success()?, self.now(doing)?);
        let token = token.ok_or_else(|| doing.error(ContextErrorKind::UnexpectedAnswer, UNREADABLE))?;
        let access = Arc::new(Access { api, token });
        workspace.keep(service_id, &access);
        Ok(access)
    }
}

pub(super) fn check_service_id(doing: Doing<'_>, service_id: &str) -> Result<(), ContextError> {
    if is_service_id(service_id) {
        return Ok(());
    }
    Err(doing.error(ContextErrorKind::InvalidInput, "the service id is not valid; it looks like minio-minio"))
}

pub(super) fn no_runtime(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::Unavailable, "the Tokio runtime is shutting down")
}
