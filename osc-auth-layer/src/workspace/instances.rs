//! Lists, reads, changes and removes the instances of a service.

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::access::Unsubscribed;
use super::answer::Doing;
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::instance::{Instance, InstanceRef, is_name};
use super::reply::Answer;
use super::request::{Api, ServiceRequest};

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
        let request = |api: &Api| Some(api.instances(Method::GET));
        let answer = self.ask_service(doing, service_id, Unsubscribed::Refuse, request).await?;
        answer.read_list()
    }

    /// Returns an instance, or `None` if there is none of this name.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn get_instance(&self, service_id: &str, name: &str) -> Result<Option<Instance>, ContextError> {
        self.look(Doing::new("look up").of(service_id).to(name), service_id, name).await
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
        let answer = self.follow(doing, service_id, instance, "self", Method::PATCH, ask).await?;
        match answer.read() {
            // OSC does not document the body of a successful answer, so an unreadable body is not a failure.
            Err(error) if error.kind() == ContextErrorKind::UnexpectedAnswer && error.status().is_none() => {
                self.look(doing, service_id, instance.name()).await?.ok_or_else(|| missing(doing))
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
        check_name(doing, name)?;
        let request = |api: &Api| Some(api.instance(Method::DELETE, name));
        self.ask_service(doing, service_id, Unsubscribed::Refuse, request).await?.done_removing()?;
        self.workspace(doing).await?.starts.lock().forget(service_id, name);
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
        let instance = instance.into();
        let doing = Doing::new("restart").of(service_id).to(instance.name());
        self.follow(doing, service_id, instance, "restart", Method::POST, as_it_is).await?.done()
    }

    /// Sends a request to one of an instance's links. Looks the instance up first if only its name is known.
    pub(super) async fn follow<'a>(
        &self,
        doing: Doing<'a>,
        service_id: &str,
        instance: InstanceRef<'_>,
        relation: &'static str,
        method: Method,
        ask: impl Fn(ServiceRequest) -> ServiceRequest + Send + Sync,
    ) -> Result<Answer<'a>, ContextError> {
        let name = instance.name();
        check_name(doing, name)?;
        let looked_up;
        let instance = match instance {
            InstanceRef::Known(instance) => instance,
            InstanceRef::Name(_) => {
                looked_up = self.look(doing, service_id, name).await?.ok_or_else(|| missing(doing))?;
                &looked_up
            }
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
        let request = |api: &Api| {
            Some(ask(match &href {
                Some(href) => api.link(method.clone(), href)?,
                None => api.instance(method.clone(), name),
            }))
        };
        self.ask_service(doing, service_id, Unsubscribed::Refuse, request).await
    }

    pub(super) async fn look(
        &self,
        doing: Doing<'_>,
        service_id: &str,
        name: &str,
    ) -> Result<Option<Instance>, ContextError> {
        check_name(doing, name)?;
        let request = |api: &Api| Some(api.instance(Method::GET, name));
        let answer = self.ask_service(doing, service_id, Unsubscribed::Refuse, request).await?;
        if answer.is(StatusCode::NOT_FOUND) {
            return Ok(None);
        }
        answer.read().map(Some)
    }
}

pub(super) fn as_it_is(request: ServiceRequest) -> ServiceRequest {
    request
}

pub(super) fn missing(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::NotFound, "there is no such instance")
}

pub(super) fn check_name(doing: Doing<'_>, name: &str) -> Result<(), ContextError> {
    if is_name(name) {
        return Ok(());
    }
    Err(doing.error(ContextErrorKind::InvalidInput, "a name may contain only lowercase letters and digits"))
}

pub(super) fn object(doing: Doing<'_>, options: impl Serialize) -> Result<Value, ContextError> {
    let options = serde_json::to_value(options).ok().filter(Value::is_object);
    options.ok_or_else(|| doing.error(ContextErrorKind::InvalidInput, "the options are not a JSON object"))
}
