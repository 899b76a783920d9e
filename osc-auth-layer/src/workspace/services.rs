//! Manages a workspace's subscriptions, and gets tokens for its services.

use http::Method;
use serde_json::json;

use super::access::check_service_id;
use super::answer::Doing;
use super::catalog::Subscription;
use super::context::OscContext;
use super::error::ContextError;
#[cfg(doc)]
use super::error::ContextErrorKind;
use super::service_token::ServiceAccessToken;

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
        let access = self.access(doing.activating()).await?;
        // The user may have signed out meanwhile.
        self.workspace(doing).await?;
        Ok(access.token.clone())
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
        self.workspace(doing).await?.drop_token(rejected);
        let access = self.access(doing).await?;
        self.workspace(doing).await?;
        Ok(access.token.clone())
    }
}
