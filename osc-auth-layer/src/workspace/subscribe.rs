//! Subscribes a workspace to services, and gets tokens for them. Concurrent callers share one request.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::access::{check_service_id, no_runtime};
use super::answer::Doing;
use super::cache::{self, Subscriptions, Workspace};
use super::{
    ContextError, ContextErrorKind, OscContext, OscService, Outcome, ServiceAccessToken, Subscription,
};

/// How often the client looks for a subscription after its activation. It may turn up a moment later.
const LOOKS_AFTER_ACTIVATION: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

impl OscContext {
    /// Lists the services that the workspace subscribes to. Always asks the platform, not the cache.
    ///
    /// # Errors
    /// [Those of any call](OscContext#errors-of-any-call).
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, ContextError> {
        let doing = Doing::new("read the subscriptions");
        let workspace = self.workspace(doing).await?;
        Ok(self.read_subscriptions(doing, &workspace, None).await?.to_vec())
    }

    /// Reads the subscriptions. Concurrent callers share one request.
    ///
    /// If `unless_since` is given, and the subscriptions have been read more often than that by now, returns the latest
    /// reading without a request.
    pub(super) async fn read_subscriptions(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
        unless_since: Option<u64>,
    ) -> Outcome<Subscriptions> {
        let read = || {
            let (context, workspace) = (self.clone(), workspace.clone());
            async move {
                if let Some(learnt) = unless_since.and_then(|times| workspace.learnt_since(times)) {
                    return Ok(learnt);
                }
                let doing = Doing::new("read the subscriptions");
                let request = context.platform(doing)?.request(Method::GET, "catalog", &["mysubscriptions"]);
                let answer = context.ask_platform(doing, request).await?;
                let subscriptions: Subscriptions = answer.read_list()?.into();
                workspace.learn(&subscriptions);
                Ok(subscriptions)
            }
        };
        let read = workspace.reading.join(&(), None, read).await;
        read.unwrap_or_else(|| Err(no_runtime(doing)))
    }
}

impl OscService {
    /// Subscribes the workspace to the service (*activates* the service, in the OSC console). Does nothing if the workspace is
    /// subscribed already.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn subscribe(&self) -> Result<Subscription, ContextError> {
        let doing = self.doing("activate the service");
        let workspace = self.context.workspace(doing).await?;
        // The cached subscription may have been ended elsewhere.
        workspace.forget_subscriptions();
        self.subscribed(doing.activating(), &workspace).await
    }

    /// Ends the subscription to the service. This also ends its service access tokens.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): there is no such subscription.
    pub async fn unsubscribe(&self) -> Result<(), ContextError> {
        let doing = self.doing("end the subscription");
        check_service_id(doing)?;
        let workspace = self.context.workspace(doing).await?;
        let path = ["mysubscriptions", &self.id];
        let request = self.context.platform(doing)?.request(Method::DELETE, "catalog", &path);
        let request = request.body(&json!({ "services": [&*self.id] }));
        self.context.ask_platform(doing, request).await?.done_removing()?;
        workspace.forget_subscriptions();
        workspace.drop_service(&self.id);
        Ok(())
    }

    /// Returns a token for the service, for requests that this client has no method for.
    ///
    /// Subscribes to the service if the workspace does not yet. Tokens are cached until a minute before they expire.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn list_request(osc: &OscContext) -> Result<http::Request<()>, Box<dyn std::error::Error>> {
    ///     let token = osc.service("minio-minio").access_token().await?;
    ///     Ok(http::Request::get(token.api_url()).header("x-jwt", token.bearer()).body(())?)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn access_token(&self) -> Result<ServiceAccessToken, ContextError> {
        let doing = self.doing("get access to the service");
        let token = self.access(doing.activating()).await?;
        // The user may have signed out meanwhile.
        self.context.workspace(doing).await?;
        Ok(token)
    }

    /// Returns a newer token than `rejected`. Call it when the service refuses a token that has not expired.
    ///
    /// Sends no request if a newer token is in the cache already.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed). [`InvalidInput`](ContextErrorKind::InvalidInput) may also mean that
    /// the token is for another service.
    pub async fn refresh_access_token(
        &self,
        rejected: &ServiceAccessToken,
    ) -> Result<ServiceAccessToken, ContextError> {
        let doing = self.doing("get access to the service");
        // Only ids of services that gave a token get an entry in the cache.
        if rejected.service_id() != &*self.id {
            return Err(doing.error(ContextErrorKind::InvalidInput, "the token is for another service"));
        }
        let service = self.context.workspace(doing).await?.service(&self.id);
        // Drops the refused token, and keeps a newer one.
        service.token.lock().take_if(|cached| cached.token() == rejected.token());
        let token = self.access(doing).await?;
        self.context.workspace(doing).await?;
        Ok(token)
    }

    pub(super) async fn subscribed(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
    ) -> Outcome<Subscription> {
        let service_id = check_service_id(doing)?;
        let times = workspace.times_learnt();
        if let Some(subscription) = workspace.subscription(service_id) {
            return Ok(subscription);
        }
        let subscriptions = self.context.read_subscriptions(doing, workspace, Some(times)).await?;
        if let Some(subscription) = cache::find(&subscriptions, service_id) {
            return Ok(subscription);
        }
        if !doing.activates {
            let why = "the workspace does not subscribe to the service; activate the service first";
            return Err(doing.error(ContextErrorKind::NotSubscribed, why));
        }
        let activate = || {
            let (service, workspace) = (self.clone(), workspace.clone());
            async move {
                let activated = service.activate(&workspace).await;
                activated.inspect_err(|_| workspace.drop_service(&service.id))
            }
        };
        let activated = workspace.service(service_id).activating.join(&(), None, activate).await;
        activated.unwrap_or_else(|| Err(no_runtime(doing)))
    }

    async fn activate(&self, workspace: &Arc<Workspace>) -> Outcome<Subscription> {
        let doing = self.doing("activate the service");
        if let Some(subscription) = workspace.subscription(&self.id) {
            return Ok(subscription);
        }
        let request = self.context.platform(doing)?.request(Method::POST, "catalog", &["mysubscriptions"]);
        let request = request.body(&json!({ "services": [&*self.id] }));
        self.context.ask_platform(doing, request).await?.done()?;
        for look in 0..LOOKS_AFTER_ACTIVATION {
            if look > 0 {
                self.context.sleep(doing, BETWEEN_LOOKS).await?;
            }
            let subscriptions = self.context.read_subscriptions(doing, workspace, None).await?;
            if let Some(subscription) = cache::find(&subscriptions, &self.id) {
                return Ok(subscription);
            }
        }
        let why = "Open Source Cloud activated the service but does not list it; try again later";
        Err(doing.error(ContextErrorKind::UnexpectedAnswer, why))
    }
}
