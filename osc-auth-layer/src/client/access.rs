//! How a call gets its token: the personal access token from the session, a service access token from what the session has
//! learnt, or else from the platform, once for all who wait. The one place of the client that sends anything.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::answer::{self, Answer, Doing};
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::platform::Platform;
use super::request::{Api, PlatformRequest, ServiceRequest};
use super::service_token::ServiceAccessToken;
use super::workspace::{self, Access, Subscriptions, Workspace};
use super::{Subscription, instance::is_service_id};
use crate::network::{Limits, WireRequest, WireResponse};

/// Logs are long, and making an instance takes its time.
pub(crate) const LIMITS: Limits = Limits { time: Duration::from_secs(30), bytes: 4 * 1024 * 1024 };

/// A subscription may turn up a moment after its activation.
const LOOKS_AFTER_ACTIVATION: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// What to do about a service that the workspace does not subscribe to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unsubscribed {
    Activate,
    /// Looking at something changes nothing.
    Refuse,
}

impl OscContext {
    /// Sends what the personal access token opens. One that is refused is refreshed, once.
    pub(super) async fn ask_platform(
        &self,
        doing: Doing<'_>,
        request: impl FnOnce(&Platform) -> PlatformRequest,
    ) -> Result<Answer, ContextError> {
        let request = request(&self.platform(doing)?);
        let token = self.session.token().await.map_err(|error| ContextError::of_session(doing, &error))?;
        let response = self.send(doing, request.authorized(token.bearer())).await?;
        let answer = Answer { response, sent: vec![token.bearer()] };
        if !answer.is(StatusCode::UNAUTHORIZED) {
            return Ok(answer);
        }
        let workspace = self.workspace(doing).await?;
        if !workspace.may_refresh(self.now(doing)?) {
            return Ok(answer);
        }
        let newer = match self.session.refresh(&token).await {
            Ok(newer) => newer.bearer(),
            Err(error) if error.kind().is_about_the_token() => return Ok(answer),
            Err(error) => return Err(ContextError::of_session(doing, &error)),
        };
        let response = self.send(doing, request.authorized(newer.clone())).await?;
        let answer = Answer { response, sent: vec![token.bearer(), newer] };
        if answer.is(StatusCode::UNAUTHORIZED) {
            workspace.refreshed_in_vain(self.now(doing)?);
        }
        Ok(answer)
    }

    /// Sends what a service access token opens. One that is refused is asked for once more.
    pub(super) async fn ask_service(
        &self,
        doing: Doing<'_>,
        service_id: &str,
        unsubscribed: Unsubscribed,
        request: impl Fn(&Api) -> Option<ServiceRequest> + Send + Sync,
    ) -> Result<Answer, ContextError> {
        let access = self.access(doing, service_id, unsubscribed).await?;
        let answer = self.send_to_service(doing, &access, &request).await?;
        if !answer.is(StatusCode::UNAUTHORIZED) {
            return Ok(answer);
        }
        self.workspace(doing).await?.drop_access(&access);
        let newer = self.access(doing, service_id, unsubscribed).await?;
        let mut answer = self.send_to_service(doing, &newer, &request).await?;
        answer.sent.push(access.token.bearer());
        Ok(answer)
    }

    async fn send_to_service(
        &self,
        doing: Doing<'_>,
        access: &Access,
        request: &(impl Fn(&Api) -> Option<ServiceRequest> + Send + Sync),
    ) -> Result<Answer, ContextError> {
        let Some(request) = request(&access.api) else {
            return Err(doing.error(
                ContextErrorKind::UnexpectedAnswer,
                "Open Source Cloud named an address that is none of the service's",
            ));
        };
        // The token came from a cache, or after a wait: the visitor may have signed out.
        self.workspace(doing).await?;
        let response = self.send(doing, request.authorized(access.token.bearer())).await?;
        Ok(Answer { response, sent: vec![access.token.bearer()] })
    }

    async fn send(&self, doing: Doing<'_>, request: WireRequest) -> Result<WireResponse, ContextError> {
        let http = match self.session.layer() {
            Ok(layer) => layer.platform_http.clone(),
            Err(error) => return Err(ContextError::of_session(doing, &error)),
        };
        let only_reads = request.method == Method::GET;
        http.send(request).await.map_err(|error| ContextError::of_network(doing, error, only_reads))
    }

    /// What the session has learnt; none when it is over.
    pub(super) async fn workspace(&self, doing: Doing<'_>) -> Result<Arc<Workspace>, ContextError> {
        let live = self.session.live().await;
        let (_, session) = live.map_err(|error| ContextError::of_session(doing, &error))?;
        Ok(session.workspace())
    }

    fn platform(&self, doing: Doing<'_>) -> Result<Platform, ContextError> {
        let layer = self.session.layer().map_err(|error| ContextError::of_session(doing, &error))?;
        layer.config.platform.clone().ok_or_else(|| {
            doing.error(
                ContextErrorKind::NotConfigured,
                "the issuer is none of Open Source Cloud's; say with OSC_PLATFORM or Builder::platform where the \
                 platform is",
            )
        })
    }

    /// The API of a service and a token for it, both from the cache when they are there.
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
            // What was learnt of the subscription may be out of date.
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
        let Some(api) = self.platform(doing)?.api(service_id, &subscription.api_url) else {
            tracing::error!(
                service_id,
                "the catalog names an apiUrl that is not the service's own API in this environment; no token goes there"
            );
            return Err(doing.error(
                ContextErrorKind::UnexpectedAnswer,
                "Open Source Cloud named an address for the service that is none of its own",
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
        // The run before this one may have ended between the caller's look and its turn.
        if let Some(access) = workspace.access(service_id, self.now(doing)?) {
            return Ok(access);
        }
        let request = |platform: &Platform| {
            platform
                .request(Method::POST, "token", &["servicetoken"])
                .body(&json!({ "serviceId": service_id }))
        };
        let body = self.ask_platform(doing, request).await?.success(doing)?;
        let token = ServiceAccessToken::parse(service_id, &api, &body, self.now(doing)?);
        let access = Arc::new(Access { api, token: token.ok_or_else(|| ContextError::unexpected(doing))? });
        workspace.keep(service_id, &access);
        Ok(access)
    }

    pub(super) async fn subscribed(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
        service_id: &str,
        unsubscribed: Unsubscribed,
    ) -> Result<Subscription, ContextError> {
        check_service_id(doing, service_id)?;
        let times = workspace.times_learnt();
        if let Some(subscription) = workspace.subscription(service_id) {
            return Ok(subscription);
        }
        let subscriptions = self.read_subscriptions(doing, workspace, Some(times)).await?;
        if let Some(subscription) = workspace::find(&subscriptions, service_id) {
            return Ok(subscription);
        }
        if unsubscribed == Unsubscribed::Refuse {
            let why = "the workspace does not subscribe to the service";
            return Err(doing.error(ContextErrorKind::NotSubscribed, why));
        }
        let activate = || {
            let (context, workspace) = (self.clone(), workspace.clone());
            let service_id = service_id.to_owned();
            async move {
                let activated = context.activate(&workspace, &service_id).await;
                if activated.is_err() {
                    workspace.drop_service(&service_id);
                }
                activated
            }
        };
        let activated = workspace.service(service_id).activating.join(&workspace.tasks, activate).await;
        activated.unwrap_or_else(|| Err(no_runtime(doing)))
    }

    async fn activate(
        &self,
        workspace: &Arc<Workspace>,
        service_id: &str,
    ) -> Result<Subscription, ContextError> {
        let doing = Doing::new("activate the service").of(service_id);
        if let Some(subscription) = workspace.subscription(service_id) {
            return Ok(subscription);
        }
        let request = |platform: &Platform| {
            let body = json!({ "services": [service_id] });
            platform.request(Method::POST, "catalog", &["mysubscriptions"]).body(&body)
        };
        self.ask_platform(doing, request).await?.success(doing)?;
        for look in 1.. {
            let subscriptions = self.read_subscriptions(doing, workspace, None).await?;
            if let Some(subscription) = workspace::find(&subscriptions, service_id) {
                return Ok(subscription);
            }
            if look == LOOKS_AFTER_ACTIVATION {
                break;
            }
            self.sleep(doing, BETWEEN_LOOKS).await?;
        }
        let why = "Open Source Cloud does not list the service after its activation";
        Err(doing.error(ContextErrorKind::UnexpectedAnswer, why))
    }

    /// Reads them, once for all who ask at the same time; `unless_since` does with what somebody else has read since they
    /// had been read this often.
    pub(super) async fn read_subscriptions(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
        unless_since: Option<u64>,
    ) -> Result<Subscriptions, ContextError> {
        let read = || {
            let (context, workspace) = (self.clone(), workspace.clone());
            async move {
                if let Some(learnt) = unless_since.and_then(|times| workspace.learnt_since(times)) {
                    return Ok(learnt);
                }
                let doing = Doing::new("read the subscriptions");
                let request =
                    |platform: &Platform| platform.request(Method::GET, "catalog", &["mysubscriptions"]);
                let body = context.ask_platform(doing, request).await?.success(doing)?;
                let subscriptions: Subscriptions = answer::list(doing, &body)?.into();
                workspace.learn(&subscriptions);
                Ok(subscriptions)
            }
        };
        let read = workspace.reading.join(&workspace.tasks, read).await;
        read.unwrap_or_else(|| Err(no_runtime(doing)))
    }
}

pub(super) fn check_service_id(doing: Doing<'_>, service_id: &str) -> Result<(), ContextError> {
    if is_service_id(service_id) {
        return Ok(());
    }
    Err(doing.error(ContextErrorKind::InvalidInput, "that is no service id, such as minio-minio"))
}

fn no_runtime(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::Unavailable, "the Tokio runtime is shutting down")
}
