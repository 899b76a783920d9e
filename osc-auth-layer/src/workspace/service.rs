//! The handles to a service and to its instances, jobs and secrets. Making one sends nothing.

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value};

#[cfg(doc)]
use super::ContextErrorKind;
use super::answer::Doing;
use super::{ContextError, Instance, OscContext, OscJob, OscSecret};

/// A service in the user's workspace, such as `minio-minio`.
///
/// Get it from [`OscContext::service`]. Like the context, it is cheap to clone and outlives the request that it came from.
///
/// ```
/// use osc_auth_layer::{ContextError, OscContext};
///
/// async fn names(osc: &OscContext) -> Result<Vec<String>, ContextError> {
///     let minio = osc.service("minio-minio");
///     let instances = minio.list_instances().await?;
///     Ok(instances.into_iter().map(|instance| instance.name).collect())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OscService {
    pub(super) context: OscContext,
    pub(super) id: Arc<str>,
}

/// An instance of a service, by its name.
///
/// Get it from [`OscService::instance`] or [`OscService::known_instance`]. The instance need not exist yet. The handle is cheap
/// to clone and outlives the request that it came from. The platform's description of it is an [`Instance`].
///
/// ```
/// use osc_auth_layer::{ContextError, OscContext};
/// use serde_json::json;
///
/// async fn grow(osc: &OscContext) -> Result<(), ContextError> {
///     let store = osc.service("minio-minio").instance("store");
///     store.update(json!({ "RootUser": "ada" })).await?;
///     store.scale(2).await?;
///     store.restart().await
/// }
/// ```
#[derive(Clone)]
pub struct OscInstance {
    pub(super) service: OscService,
    pub(super) name: Arc<str>,
    /// The links of an instance that was read before.
    pub(super) links: Option<Arc<Map<String, Value>>>,
}

impl OscContext {
    /// Returns a handle to a service, by its id: organisation and repository of its source, as in `minio-minio`.
    ///
    /// Sends nothing. The workspace need not subscribe to the service.
    #[must_use]
    pub fn service(&self, id: &str) -> OscService {
        OscService { context: self.clone(), id: id.into() }
    }
}

impl OscService {
    /// Returns the service's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns a handle to the instance of this name. Sends nothing.
    ///
    /// A name consists of lowercase letters and digits. Calls with another name return
    /// [`InvalidInput`](ContextErrorKind::InvalidInput).
    #[must_use]
    pub fn instance(&self, name: &str) -> OscInstance {
        OscInstance { service: self.clone(), name: name.into(), links: None }
    }

    /// Returns a handle to an instance that your code has read. Sends nothing.
    ///
    /// Works like [`instance`](Self::instance), but calls need not look up the instance's links first. That saves a request
    /// each.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn are_all_up(osc: &OscContext) -> Result<bool, ContextError> {
    ///     let minio = osc.service("minio-minio");
    ///     for instance in minio.list_instances().await? {
    ///         if !minio.known_instance(&instance).health().await?.is_running() {
    ///             return Ok(false);
    ///         }
    ///     }
    ///     Ok(true)
    /// }
    /// ```
    #[must_use]
    pub fn known_instance(&self, instance: &Instance) -> OscInstance {
        OscInstance { links: Some(instance.links.clone().into()), ..self.instance(&instance.name) }
    }

    /// Returns a handle to the job of this name, if the service runs jobs. Sends nothing.
    #[must_use]
    pub fn job(&self, name: &str) -> OscJob {
        OscJob(self.instance(name))
    }

    /// Returns a handle to the service's secret of this name. Sends nothing.
    #[must_use]
    pub fn secret(&self, name: &str) -> OscSecret {
        OscSecret { service: self.clone(), name: name.into() }
    }

    /// Lists the instances of the service. Suspended instances are not among them: see
    /// [`suspended_instances`](OscContext::suspended_instances).
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn list_instances(&self) -> Result<Vec<Instance>, ContextError> {
        let doing = self.doing("list the instances");
        self.ask_service(doing, |api| Some(api.instances(Method::GET))).await?.read_list()
    }

    pub(super) fn doing(&self, verb: &'static str) -> Doing<'_> {
        Doing::new(verb).of(&self.id)
    }
}

impl OscInstance {
    /// Returns the service that the instance belongs to.
    #[must_use]
    pub fn service(&self) -> &OscService {
        &self.service
    }

    /// Returns the instance's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn doing(&self, verb: &'static str) -> Doing<'_> {
        self.service.doing(verb).to(&self.name)
    }
}

/// Does not show the links, because a platform could put anything into one.
impl fmt::Debug for OscInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscInstance")
            .field("service", &self.service)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
