//! Reads, changes, restarts and removes an instance, and follows its links.

use std::convert::identity;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::answer::Doing;
use super::data::{href, is_name};
use super::reply::Answer;
use super::request::{Api, ServiceRequest};
use super::{ContextError, ContextErrorKind, Instance, OscInstance, Outcome};

impl OscInstance {
    /// Returns the instance, or `None` if there is none of this name.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn get(&self) -> Result<Option<Instance>, ContextError> {
        self.look(self.doing("look up")).await
    }

    /// Changes the options that `changes` names, and returns the instance. The name cannot be changed.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn update(&self, changes: impl Serialize) -> Result<Instance, ContextError> {
        let doing = self.doing("update");
        let body = object(doing, changes)?;
        if body.get("name").is_some() {
            return Err(doing.error(ContextErrorKind::InvalidInput, "an instance cannot be renamed"));
        }
        let ask = |request: ServiceRequest| request.saying_json().body(&body);
        let answer = self.follow(doing, "self", Method::PATCH, ask).await?;
        match answer.read() {
            // OSC does not document the body of a successful answer, so an unreadable body is not a failure.
            Err(error) if error.kind() == ContextErrorKind::UnexpectedAnswer && answer.is_success() => {
                self.look(doing).await?.ok_or_else(|| missing(doing))
            }
            updated => updated,
        }
    }

    /// Removes the instance for good.
    ///
    /// If the answer is lost, the client repeats the request. If the repeat finds no instance, the first request has removed
    /// it, and the call succeeds.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn remove(&self) -> Result<(), ContextError> {
        let doing = self.doing("remove");
        let name = check_name(doing)?;
        let request = |api: &Api| Some(api.instance(Method::DELETE, name));
        self.service.ask_service(doing, request).await?.done_removing()?;
        self.service.context.workspace(doing).await?.starts.lock().forget(&doing.key());
        Ok(())
    }

    /// Restarts the instance. Use [`wait_until_ready`](Self::wait_until_ready) to wait until it runs again.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn restart(&self) -> Result<(), ContextError> {
        self.follow(self.doing("restart"), "restart", Method::POST, identity).await?.done()
    }

    /// Sends a request to one of the instance's links. Looks the instance up first if its links are not known.
    pub(super) async fn follow<'a>(
        &self,
        doing: Doing<'a>,
        relation: &'static str,
        method: Method,
        ask: impl Fn(ServiceRequest) -> ServiceRequest,
    ) -> Outcome<Answer<'a>> {
        let name = check_name(doing)?;
        let links = match &self.links {
            Some(links) => links.clone(),
            None => Arc::new(self.look(doing).await?.ok_or_else(|| missing(doing))?.links),
        };
        let href = match (href(&links, relation), relation) {
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
        self.service.ask_service(doing, request).await
    }

    /// Looks for the instance, for the call that `doing` describes.
    pub(super) async fn look(&self, doing: Doing<'_>) -> Outcome<Option<Instance>> {
        let name = check_name(doing)?;
        let answer = self.service.ask_service(doing, |api| Some(api.instance(Method::GET, name))).await?;
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
