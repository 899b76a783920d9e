//! Lists, reads, changes and removes the instances of a service, and its jobs: instances that end when their work is done.

use std::borrow::Cow;
use std::convert::identity;

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::answer::Doing;
use super::instance::is_name;
use super::reply::Answer;
use super::request::{Api, ServiceRequest};
use super::{ContextError, ContextErrorKind, Instance, InstanceRef, OscContext, Outcome, ServiceType};

impl OscContext {
    /// Lists the instances of a service. Suspended instances are not among them: see
    /// [`suspended_instances`](Self::suspended_instances).
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn names(osc: &OscContext) -> Result<Vec<String>, ContextError> {
    ///     let instances = osc.list_instances("minio-minio").await?;
    ///     Ok(instances.into_iter().map(|instance| instance.name).collect())
    /// }
    /// ```
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn list_instances(&self, service_id: &str) -> Result<Vec<Instance>, ContextError> {
        let doing = Doing::new("list the instances").of(service_id);
        self.ask_service(doing, |api| Some(api.instances(Method::GET))).await?.read_list()
    }

    /// Returns an instance, or `None` if there is none of this name.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn get_instance(&self, service_id: &str, name: &str) -> Result<Option<Instance>, ContextError> {
        self.look(Doing::new("look up").of(service_id).to(name)).await
    }

    /// Changes the options of an instance that `changes` names, and returns the instance. The name cannot be changed.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    /// use serde_json::json;
    ///
    /// async fn rename_root_user(osc: &OscContext) -> Result<(), ContextError> {
    ///     osc.update_instance("minio-minio", "store", json!({ "RootUser": "ada" })).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn update_instance<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
        changes: impl Serialize,
    ) -> Result<Instance, ContextError> {
        let instance = instance.into();
        let doing = Doing::new("update").of(service_id).to(instance.name());
        let body = object(doing, changes)?;
        if body.get("name").is_some() {
            return Err(doing.error(ContextErrorKind::InvalidInput, "an instance cannot be renamed"));
        }
        let ask = |request: ServiceRequest| request.saying_json().body(&body);
        let answer = self.follow(doing, instance, "self", Method::PATCH, ask).await?;
        match answer.read() {
            // OSC does not document the body of a successful answer, so an unreadable body is not a failure.
            Err(error) if error.kind() == ContextErrorKind::UnexpectedAnswer && answer.is_success() => {
                self.look(doing).await?.ok_or_else(|| missing(doing))
            }
            updated => updated,
        }
    }

    /// Removes an instance for good.
    ///
    /// If the answer is lost, the client repeats the request. If the repeat finds no instance, the first request has removed
    /// it, and the call succeeds.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn remove_instance(&self, service_id: &str, name: &str) -> Result<(), ContextError> {
        let doing = Doing::new("remove").of(service_id).to(name);
        check_name(doing)?;
        self.ask_service(doing, |api| Some(api.instance(Method::DELETE, name))).await?.done_removing()?;
        self.workspace(doing).await?.starts.lock().forget(&doing.key());
        Ok(())
    }

    /// Restarts an instance. Use [`wait_until_ready`](Self::wait_until_ready) to wait until it runs again.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn restart_instance<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<(), ContextError> {
        let doing = Doing::new("restart").of(service_id);
        self.follow(doing, instance.into(), "restart", Method::POST, identity).await?.done()
    }

    /// Creates a job, just as [`create_instance`](Self::create_instance) creates an instance. Use
    /// [`wait_for_job`](Self::wait_for_job) to wait until it is done.
    ///
    /// # Errors
    /// - [`NotSupported`](ContextErrorKind::NotSupported): the service has no jobs.
    /// - Those of [`create_instance`](Self::create_instance).
    pub async fn create_job(
        &self,
        service_id: &str,
        name: &str,
        options: impl Serialize,
    ) -> Result<Instance, ContextError> {
        let doing = Doing::new("create").of(service_id).to(name);
        self.check_has_jobs(doing.activating()).await?;
        self.create_instance(service_id, name, options).await
    }

    /// Lists the jobs of a service. Jobs that are done are listed until they are removed.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn list_jobs(&self, service_id: &str) -> Result<Vec<Instance>, ContextError> {
        let doing = Doing::new("list the jobs").of(service_id);
        self.check_has_jobs(doing).await?;
        self.list_instances(service_id).await
    }

    /// Returns a job, or `None` if there is none of this name. Read its status with
    /// [`job_status`](super::Instance::job_status).
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn get_job(&self, service_id: &str, name: &str) -> Result<Option<Instance>, ContextError> {
        let doing = Doing::new("look up").of(service_id).to(name);
        self.check_has_jobs(doing).await?;
        self.look(doing).await
    }

    /// Removes a job, even if it is not done.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotSupported`](ContextErrorKind::NotSupported) and
    /// [`NotFound`](ContextErrorKind::NotFound).
    pub async fn remove_job(&self, service_id: &str, name: &str) -> Result<(), ContextError> {
        let doing = Doing::new("remove").of(service_id).to(name);
        self.check_has_jobs(doing).await?;
        self.remove_instance(service_id, name).await
    }

    async fn check_has_jobs(&self, doing: Doing<'_>) -> Outcome<()> {
        let workspace = self.workspace(doing).await?;
        let subscription = self.subscribed(doing, &workspace).await?;
        if subscription.service_type == ServiceType::Job {
            return Ok(());
        }
        Err(doing.error(ContextErrorKind::NotSupported, "the service creates instances, not jobs"))
    }

    /// Sends a request to one of an instance's links. Looks the instance up first if only its name is known.
    pub(super) async fn follow<'a>(
        &self,
        doing: Doing<'a>,
        instance: InstanceRef<'a>,
        relation: &'static str,
        method: Method,
        ask: impl Fn(ServiceRequest) -> ServiceRequest,
    ) -> Outcome<Answer<'a>> {
        let doing = doing.to(instance.name());
        let name = check_name(doing)?;
        let instance = match instance {
            InstanceRef::Known(instance) => Cow::Borrowed(instance),
            InstanceRef::Name(_) => Cow::Owned(self.look(doing).await?.ok_or_else(|| missing(doing))?),
        };
        let href = match (instance.link(relation), relation) {
            (Some(href), _) => Some(href.to_owned()),
            // Old instances have no links. Their paths on the API's host are known.
            (None, "health" | "logs" | "ports") => Some(format!("/{relation}/{name}")),
            (None, "self") => None,
            (None, _) => {
                return Err(doing.error(ContextErrorKind::NotSupported, "the instance does not support this"));
            }
        };
        let request = |api: &Api| match &href {
            Some(href) => api.link(method.clone(), href).map(&ask),
            None => Some(ask(api.instance(method.clone(), name))),
        };
        self.ask_service(doing, request).await
    }

    /// Looks for the instance that a call is about.
    pub(super) async fn look(&self, doing: Doing<'_>) -> Outcome<Option<Instance>> {
        let name = check_name(doing)?;
        let answer = self.ask_service(doing, |api| Some(api.instance(Method::GET, name))).await?;
        if answer.is(StatusCode::NOT_FOUND) { Ok(None) } else { answer.read().map(Some) }
    }
}

pub(super) fn missing(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::NotFound, "there is no such instance")
}

/// Returns the name of the instance that the call is about, if it is well-formed.
pub(super) fn check_name(doing: Doing<'_>) -> Outcome<&str> {
    let why = "a name may contain only lowercase letters and digits";
    let name = Some(doing.name()).filter(|name| is_name(name));
    name.ok_or_else(|| doing.error(ContextErrorKind::InvalidInput, why))
}

pub(super) fn object(doing: Doing<'_>, options: impl Serialize) -> Outcome<Value> {
    let options = serde_json::to_value(options).ok().filter(Value::is_object);
    options.ok_or_else(|| doing.error(ContextErrorKind::InvalidInput, "the options are not a JSON object"))
}
