//! The instances of a service in the user's workspace: made, looked at, changed and removed.

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::access::Unsubscribed;
use super::answer::{Answer, Doing};
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::instance::{Instance, InstanceHealth, InstanceRef, Port, Scaling, is_name};
use super::request::{Api, ServiceRequest};

impl OscContext {
    /// The instances of a service.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn list_instances(&self, service_id: &str) -> Result<Vec<Instance>, ContextError> {
        let doing = Doing::new("list the instances").of(service_id);
        let request = |api: &Api| Some(api.instances(Method::GET));
        let answer = self.ask_service(doing, service_id, Unsubscribed::Refuse, request).await?;
        answer.read_list(doing)
    }

    /// An instance; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn get_instance(&self, service_id: &str, name: &str) -> Result<Option<Instance>, ContextError> {
        self.look(Doing::new("look at").of(service_id).to(name), service_id, name).await
    }

    /// Makes an instance, whose name is of small letters and digits, and whose options are the service's own. Activates the
    /// service when the workspace does not subscribe to it. It takes a while to start:
    /// [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// # Errors
    /// [`NameTaken`](ContextErrorKind::NameTaken); [`NotFound`](ContextErrorKind::NotFound) when OSC has no such service.
    pub async fn create_instance(
        &self,
        service_id: &str,
        name: &str,
        options: impl Serialize,
    ) -> Result<Instance, ContextError> {
        let doing = Doing::new("create").of(service_id).to(name);
        let mut body = object(doing, options)?;
        check_name(doing, name)?;
        body["name"] = name.into();
        let request = |api: &Api| Some(api.instances(Method::POST).body(&body));
        let answer = self.ask_service(doing, service_id, Unsubscribed::Activate, request).await?;
        let is_taken = answer.is(StatusCode::CONFLICT);
        let created = answer.success(doing).map_err(|error| match is_taken {
            true => error.with_kind(ContextErrorKind::NameTaken, "the name is taken"),
            false => error,
        });
        match serde_json::from_slice(&created?) {
            Ok(made) => Ok(made),
            // It is there, whatever that answer was.
            Err(_) => {
                self.look(doing, service_id, name).await?.ok_or_else(|| ContextError::unexpected(doing))
            }
        }
    }

    /// Changes options of an instance: those that `changes` names.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound).
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
        match answer.read(doing) {
            // What a success holds is not documented.
            Err(error) if error.kind() == ContextErrorKind::UnexpectedAnswer && error.status().is_none() => {
                self.look(doing, service_id, instance.name()).await?.ok_or_else(|| missing(doing))
            }
            updated => updated,
        }
    }

    /// Removes an instance for good.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound).
    pub async fn remove_instance(&self, service_id: &str, name: &str) -> Result<(), ContextError> {
        let doing = Doing::new("remove").of(service_id).to(name);
        check_name(doing, name)?;
        let request = |api: &Api| Some(api.instance(Method::DELETE, name));
        self.ask_service(doing, service_id, Unsubscribed::Refuse, request).await?.done_removing(doing)
    }

    /// Restarts an instance. It takes a while to start again.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound),
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn restart_instance<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<(), ContextError> {
        let instance = instance.into();
        let doing = Doing::new("restart").of(service_id).to(instance.name());
        self.follow(doing, service_id, instance, "restart", Method::POST, as_it_is).await?.done(doing)
    }

    /// How an instance is.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound).
    pub async fn instance_health<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<InstanceHealth, ContextError> {
        let instance = instance.into();
        let doing = Doing::new("read the health of").of(service_id).to(instance.name());
        self.follow(doing, service_id, instance, "health", Method::GET, as_it_is).await?.read(doing)
    }

    /// The lines an instance has logged lately.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound).
    pub async fn instance_logs<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<Vec<String>, ContextError> {
        let instance = instance.into();
        let doing = Doing::new("read the logs of").of(service_id).to(instance.name());
        let answer = self.follow(doing, service_id, instance, "logs", Method::GET, as_it_is).await?;
        Ok(lines(&answer.success(doing)?))
    }

    /// The TCP ports of an instance that are reached from outside.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound).
    pub async fn instance_ports<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<Vec<Port>, ContextError> {
        let instance = instance.into();
        let doing = Doing::new("read the ports of").of(service_id).to(instance.name());
        let ask = ServiceRequest::saying_json;
        self.follow(doing, service_id, instance, "ports", Method::GET, ask).await?.read_list(doing)
    }

    /// How many replicas an instance has.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound),
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn instance_scaling<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<Scaling, ContextError> {
        let instance = instance.into();
        let doing = Doing::new("read the scaling of").of(service_id).to(instance.name());
        let ask = ServiceRequest::by_authorization;
        self.follow(doing, service_id, instance, "scale", Method::GET, ask).await?.read(doing)
    }

    /// Asks for another number of replicas; 0 stops the instance.
    ///
    /// # Errors
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound),
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn scale_instance<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
        replicas: u32,
    ) -> Result<(), ContextError> {
        let instance = instance.into();
        let doing = Doing::new("scale").of(service_id).to(instance.name());
        let ask = |request: ServiceRequest| {
            request.by_authorization().body(&json!({ "desiredReplicas": replicas }))
        };
        self.follow(doing, service_id, instance, "scale", Method::PUT, ask).await?.done(doing)
    }

    /// Sends a request to what an instance links to, after looking the instance up if need be.
    async fn follow(
        &self,
        doing: Doing<'_>,
        service_id: &str,
        instance: InstanceRef<'_>,
        relation: &'static str,
        method: Method,
        ask: impl Fn(ServiceRequest) -> ServiceRequest + Send + Sync,
    ) -> Result<Answer, ContextError> {
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
            // Old instances link to nothing.
            (None, "health" | "logs" | "ports") => Some(format!("/{relation}/{name}")),
            (None, "self") => None,
            (None, _) => {
                return Err(doing.error(ContextErrorKind::NotSupported, "the instance does not offer that"));
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
        answer.read(doing).map(Some)
    }
}

fn as_it_is(request: ServiceRequest) -> ServiceRequest {
    request
}

pub(super) fn missing(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::NotFound, "there is no such instance")
}

fn check_name(doing: Doing<'_>, name: &str) -> Result<(), ContextError> {
    if is_name(name) {
        return Ok(());
    }
    Err(doing.error(ContextErrorKind::InvalidInput, "a name consists of small letters and digits"))
}

fn object(doing: Doing<'_>, options: impl Serialize) -> Result<Value, ContextError> {
    let options = serde_json::to_value(options).ok().filter(Value::is_object);
    options.ok_or_else(|| doing.error(ContextErrorKind::InvalidInput, "the options are no JSON object"))
}

/// An array of lines, one text, or no JSON at all.
fn lines(body: &[u8]) -> Vec<String> {
    let text = |text: &str| text.lines().map(str::to_owned).collect();
    match serde_json::from_slice(body) {
        Ok(Value::Array(lines)) => lines.into_iter().map(line).collect(),
        Ok(Value::String(logged)) => text(&logged),
        _ => text(&String::from_utf8_lossy(body)),
    }
}

fn line(value: Value) -> String {
    match value {
        Value::String(line) => line,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_come_in_lines_whatever_they_came_in() {
        assert_eq!(lines(br#"["a","b",{"c":1}]"#), ["a", "b", r#"{"c":1}"#]);
        assert_eq!(lines(br#""a\nb""#), ["a", "b"]);
        assert_eq!(lines(b"a\nb\n"), ["a", "b"]);
        assert_eq!(lines(b"{\"level\":1}\n{\"level\":2}"), ["{\"level\":1}", "{\"level\":2}"]);
        assert!(lines(b"").is_empty());
    }
}
