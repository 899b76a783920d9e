//! Manages a workspace's subscriptions, and gets tokens for its services. Concurrent callers share one request.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::access::{check_service_id, no_runtime};
use super::answer::Doing;
use super::cache::{self, Subscriptions, Workspace};
use super::{ContextError, ContextErrorKind, OscContext, Outcome, ServiceAccessToken, Subscription};

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

    /// Subscribes the workspace to a service. Does nothing if it is subscribed already.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn activate_service(&self, service_id: &str) -> Result<Subscription, ContextError> {
        let doing = Doing::new("activate the service").of(service_id);
        let workspace = self.workspace(doing).await?;
        // The cached subscription may have been ended elsewhere.
        workspace.forget_subscriptions();
        self.subscribed(doing.activating(), &workspace).await
    }

    /// Ends the subscription to a service. This also ends its service access tokens.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn leave(osc: &OscContext) -> Result<(), ContextError> {
    ///     osc.remove_subscription("minio-minio").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): there is no such subscription.
    pub async fn remove_subscription(&self, service_id: &str) -> Result<(), ContextError> {
        let doing = Doing::new("end the subscription").of(service_id);
        check_service_id(doing)?;
        let workspace = self.workspace(doing).await?;
        let path = ["mysubscriptions", service_id];
        let request = self.platform(doing)?.request(Method::DELETE, "catalog", &path);
        let request = request.body(&json!({ "services": [service_id] }));
        self.ask_platform(doing, request).await?.done_removing()?;
        workspace.forget_subscriptions();
        workspace.drop_service(service_id);
        Ok(())
    }

    /// Returns a token for one service, for requests that this client has no method for.
    ///
    /// Activates the service if the workspace does not subscribe to it. Tokens are cached until a minute before they expire.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn list_request(osc: &OscContext) -> Result<http::Request<()>, Box<dyn std::error::Error>> {
    ///     let token = osc.service_access_token("minio-minio").await?;
    ///     Ok(http::Request::get(token.api_url()).header("x-jwt", token.bearer()).body(())?)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn service_access_token(&self, service_id: &str) -> Result<ServiceAccessToken, ContextError> {
        let doing = Doing::new("get access to the service").of(service_id);
        let token = self.access(doing.activating()).await?;
        // The user may have signed out meanwhile.
        self.workspace(doing).await?;
        Ok(token)
    }

    /// Returns a newer token than `rejected`. Call it when the service refuses a token that has not expired.
    ///
    /// Sends no request if a newer token is in the cache already.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn refresh_service_access_token(
        &self,
        rejected: &ServiceAccessToken,
    ) -> Result<ServiceAccessToken, ContextError> {
        let doing = Doing::new("get access to the service").of(rejected.service_id());
        let service = self.workspace(doing).await?.service(rejected.service_id());
        // Drops the refused token, and keeps a newer one.
        service.token.lock().take_if(|cached| cached.token() == rejected.token());
        let token = self.access(doing).await?;
        self.workspace(doing).await?;
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
        let subscriptions = self.read_subscriptions(doing, workspace, Some(times)).await?;
        if let Some(subscription) = cache::find(&subscriptions, service_id) {
            return Ok(subscription);
        }
        if !doing.activates {
            let why = "the workspace does not subscribe to the service; activate the service first";
            return Err(doing.error(ContextErrorKind::NotSubscribed, why));
        }
        let activate = || {
            let (context, workspace, id) = (self.clone(), workspace.clone(), service_id.to_owned());
            async move {
                let activated = context.activate(&workspace, &id).await;
                activated.inspect_err(|_| workspace.drop_service(&id))
            }
        };
        let activated = workspace.service(service_id).activating.join(&(), None, activate).await;
        activated.unwrap_or_else(|| Err(no_runtime(doing)))
    }

    async fn activate(&self, workspace: &Arc<Workspace>, service_id: &str) -> Outcome<Subscription> {
        let doing = Doing::new("activate the service").of(service_id);
        if let Some(subscription) = workspace.subscription(service_id) {
            return Ok(subscription);
        }
        let request = self.platform(doing)?.request(Method::POST, "catalog", &["mysubscriptions"]);
        let request = request.body(&json!({ "services": [service_id] }));
        self.ask_platform(doing, request).await?.done()?;
        for look in 0..LOOKS_AFTER_ACTIVATION {
            if look > 0 {
                self.sleep(doing, BETWEEN_LOOKS).await?;
            }
            let subscriptions = self.read_subscriptions(doing, workspace, None).await?;
            if let Some(subscription) = cache::find(&subscriptions, service_id) {
                return Ok(subscription);
            }
        }
        let why = "Open Source Cloud activated the service but does not list it; try again later";
        Err(doing.error(ContextErrorKind::UnexpectedAnswer, why))
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
