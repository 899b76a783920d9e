//! Reads the subscriptions and subscribes to services. Concurrent callers share one request.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::Subscription;
use super::access::{check_service_id, no_runtime};
use super::answer::Doing;
use super::cache::{self, Subscriptions, Workspace};
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};

/// How often the client looks for a subscription after its activation. It may turn up a moment later.
const LOOKS_AFTER_ACTIVATION: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

impl OscContext {
    pub(super) async fn subscribed(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
    ) -> Result<Subscription, ContextError> {
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
    ) -> Result<Subscriptions, ContextError> {
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
        let read = workspace.reading.join(&workspace.tasks, read).await;
        read.unwrap_or_else(|| Err(no_runtime(doing)))
    }
}
