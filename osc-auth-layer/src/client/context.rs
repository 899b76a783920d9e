//! The user's workspace, as a handler sees it: what the platform's own services tell and do.

use http::Method;
use serde_json::json;

use super::access::{Unsubscribed, check_service_id};
use super::answer::Doing;
use super::catalog::{App, Subscription, TokenBalance};
use super::error::{ContextError, ContextErrorKind};
use super::platform::Platform;
use super::service_token::ServiceAccessToken;
use super::source::TokenSource;
use crate::session::{OscSession, OscToken};

/// The signed-in user's workspace in Open Source Cloud: services and their instances, made, watched and removed in the
/// user's name.
///
/// It is a session's handle: it clones cheaply, outlives the request it came from, and always uses a fresh token. When the
/// visitor signs out it is of no more use. What it learns (subscriptions, service access tokens) is kept with the session, in
/// this process only, so a second call costs one request.
///
/// Anything can fail with [`SessionEnded`](ContextErrorKind::SessionEnded), [`Unavailable`](ContextErrorKind::Unavailable),
/// [`Refused`](ContextErrorKind::Refused), [`NotConfigured`](ContextErrorKind::NotConfigured) and
/// [`UnexpectedAnswer`](ContextErrorKind::UnexpectedAnswer), and with [`InvalidInput`](ContextErrorKind::InvalidInput)
/// before anything is sent; each method's `# Errors` has what there is beyond that. A request waits for its answer for 30
/// seconds, and takes no more than 4 MiB of it.
///
/// ```
/// use std::time::Duration;
/// use osc_auth_layer::{ContextError, OscToken};
/// use serde_json::json;
///
/// async fn store_for(token: OscToken) -> Result<Option<String>, ContextError> {
///     let osc = token.context();
///     let options = json!({ "RootUser": "admin", "RootPassword": "{{secrets.password}}" });
///     osc.save_secret("minio-minio", "password", "correct horse").await?;
///     let store = osc.create_instance("minio-minio", "store", &options).await?;
///     osc.wait_until_ready("minio-minio", &store, Duration::from_secs(300), |health| {
///         println!("store is {}", health.status);
///     })
///     .await?;
///     Ok(store.url)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OscContext {
    pub(super) source: TokenSource,
}

impl OscToken {
    /// The workspace of the user whose token this is.
    #[must_use]
    pub fn context(&self) -> OscContext {
        self.session().context()
    }
}

impl OscSession {
    /// The workspace of the user whose session this is.
    #[must_use]
    pub fn context(&self) -> OscContext {
        OscContext { source: TokenSource::Session(self.clone()) }
    }
}

impl OscContext {
    /// Returns the session it belongs to; `None` for one that was [built](Self::builder) with a token.
    #[must_use]
    pub fn session(&self) -> Option<&OscSession> {
        match &self.source {
            TokenSource::Session(session) => Some(session),
            TokenSource::Bare(_) => None,
        }
    }

    /// The services that the workspace subscribes to, as they are now.
    ///
    /// # Errors
    /// As any call.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, ContextError> {
        let doing = Doing::new("read the subscriptions");
        let workspace = self.workspace(doing).await?;
        Ok(self.read_subscriptions(doing, &workspace, None).await?.to_vec())
    }

    /// Subscribes to a service. Does nothing when the workspace does so already.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound) when OSC has no such service.
    pub async fn activate_service(&self, service_id: &str) -> Result<Subscription, ContextError> {
        let doing = Doing::new("activate the service").of(service_id);
        let workspace = self.workspace(doing).await?;
        // What is remembered may have been given up elsewhere.
        workspace.forget_subscriptions();
        self.subscribed(doing, &workspace, service_id, Unsubscribed::Activate).await
    }

    /// A token for one service, for calls that are not among these methods. Activates the service when the workspace does
    /// not subscribe to it. One that is kept is used until a minute before it expires.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound) when OSC has no such service.
    pub async fn service_access_token(&self, service_id: &str) -> Result<ServiceAccessToken, ContextError> {
        let doing = Doing::new("get access to the service").of(service_id);
        let access = self.access(doing, service_id, Unsubscribed::Activate).await?;
        // The visitor may have signed out while it was asked for.
        self.workspace(doing).await?;
        Ok(access.token.clone())
    }

    /// A newer token than `rejected`, which the service refused although it had not expired. Does nothing but return the newer
    /// one when there is one already.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn refresh_service_access_token(
        &self,
        rejected: &ServiceAccessToken,
    ) -> Result<ServiceAccessToken, ContextError> {
        let doing = Doing::new("get access to the service").of(rejected.service_id());
        self.workspace(doing).await?.drop_token(rejected);
        let access = self.access(doing, rejected.service_id(), Unsubscribed::Refuse).await?;
        self.workspace(doing).await?;
        Ok(access.token.clone())
    }

    /// How many tokens the workspace has left.
    ///
    /// # Errors
    /// As any call.
    pub async fn token_balance(&self) -> Result<TokenBalance, ContextError> {
        let doing = Doing::new("read the token balance");
        let request = |platform: &Platform| platform.request(Method::GET, "money", &["mytokencount"]);
        self.ask_platform(doing, request).await?.read(doing)
    }

    /// The apps of the user's that OSC builds and runs.
    ///
    /// # Errors
    /// As any call.
    pub async fn my_apps(&self) -> Result<Vec<App>, ContextError> {
        let doing = Doing::new("list the apps");
        let request = |platform: &Platform| platform.request(Method::GET, "deploy", &["myapps"]);
        self.ask_platform(doing, request).await?.read_list(doing)
    }

    /// Stores a secret for instances of a service: an option of the value `{{secrets.name}}` refers to it, and is shown as
    /// `***`. It belongs to the service, not to one instance: one of that name is replaced. Activates nothing.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound) when OSC has no such service.
    pub async fn save_secret(&self, service_id: &str, name: &str, value: &str) -> Result<(), ContextError> {
        let doing = Doing::new("save the secret").of(service_id).to(name);
        check_service_id(doing, service_id)?;
        if name.is_empty() || value.is_empty() {
            return Err(doing.error(ContextErrorKind::InvalidInput, "its name or its value is empty"));
        }
        let request = |platform: &Platform| {
            let body = json!({ "secretName": name, "secretData": value });
            platform.request(Method::POST, "deploy", &["mysecrets", service_id]).body(&body)
        };
        self.ask_platform(doing, request).await?.done_hiding(doing, &[value])
    }
}
