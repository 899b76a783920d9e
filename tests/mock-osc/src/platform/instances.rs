//! The instance API that every service has.

use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value, json};

use crate::platform::problem::{Problem, json_body};
use crate::platform::services::{self, Service};
use crate::platform::view::{State, View, secret_name};
use crate::platform::{LogForm, ServiceToken, Workspace};
use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::{InstancePath, Via};
use crate::world::World;

pub(crate) fn handle(
    world: &mut World,
    service: Option<&str>,
    path: &InstancePath,
    via: &Via,
    request: &Recorded,
    now: SystemTime,
) -> Result<Reply, Problem> {
    let ServiceToken { user, service, .. } = authorize(world, service, path, request, now)?;
    let settings = &world.settings.platform;
    let view = View { service, via, settings, now };
    let workspace = world.platform.workspace_mut(&user);
    let workspace = workspace.ok_or(Problem::NO_SUCH_WORKSPACE)?;
    let ok = |value: &Value| Ok(Reply::json(StatusCode::OK, value));
    match (path, request.method.as_str()) {
        (InstancePath::Collection, "GET") => {
            ok(&workspace.instances(service.id).map(|(name, instance)| view.show(name, instance)).collect())
        }
        (InstancePath::Collection, "POST") => create(workspace, view, request),
        (InstancePath::Item(name), "GET") => {
            ok(&view.show(name, workspace.instance(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?))
        }
        (InstancePath::Item(name), "DELETE") if workspace.remove(service, name) => {
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (InstancePath::Item(_), "DELETE") => Err(Problem::NO_SUCH_INSTANCE),
        (InstancePath::Item(name), "PATCH") => {
            let changes = json_body(request)?;
            refuse_missing_secrets(workspace, service, &changes)?;
            let instance = workspace.instance_mut(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?;
            for (key, value) in changes.as_object().into_iter().flatten() {
                // What the service decides is not the client's to change.
                if !matches!(key.as_str(), "name" | "url" | "resources" | "_links") {
                    instance.fields.insert(key.clone(), value.clone());
                }
            }
            ok(&view.show(name, instance))
        }
        (InstancePath::Health(name), "GET") => {
            let instance = workspace.instance(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?;
            ok(&json!({ "status": view.health(instance) }))
        }
        (InstancePath::Logs(name), "GET") => {
            workspace.instance(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?;
            let text = || settings.logs.join("\n");
            match settings.log_form {
                LogForm::Rows => ok(&json!(settings.logs)),
                LogForm::JsonText => ok(&json!(text())),
                LogForm::Text => Ok(Reply::text(StatusCode::OK, "text/plain", text())),
            }
        }
        (InstancePath::Ports(name), "GET") => {
            workspace.instance(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?;
            ok(&json!([{ "externalIp": "192.0.2.10", "externalPort": 10503, "internalPort": 8080 }]))
        }
        (InstancePath::Restart(name), "POST") => {
            let instance = workspace.instance_mut(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?;
            instance.started_at = now;
            instance.fails = settings.fail_instances;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (InstancePath::Scale(name), "GET") => {
            let instance = workspace.instance(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?;
            let actual = if view.state(instance) == State::Running { instance.replicas } else { 0 };
            ok(&json!({ "actualReplicas": actual, "desiredReplicas": instance.replicas }))
        }
        (InstancePath::Scale(name), "PUT") => {
            let desired = json_body(request)?["desiredReplicas"].as_u64();
            let desired = desired.ok_or_else(|| Problem::bad_request("desiredReplicas is missing"))?;
            workspace.instance_mut(service, name).ok_or(Problem::NO_SUCH_INSTANCE)?.replicas = desired;
            ok(&json!({ "desiredReplicas": desired }))
        }
        _ => Err(Problem::METHOD_NOT_ALLOWED),
    }
}

/// The service access token of the request, which must be alive and of this very service.
fn authorize(
    world: &World,
    service: Option<&str>,
    path: &InstancePath,
    request: &Recorded,
    now: SystemTime,
) -> Result<ServiceToken, Problem> {
    if request.header("x-pat-jwt").is_some() {
        return Err(Problem::bad_request("x-pat-jwt does not belong here"));
    }
    // Scaling alone takes the standard header.
    let header = if matches!(path, InstancePath::Scale(_)) { "authorization" } else { "x-jwt" };
    let token = world.platform.service_tokens.get(request.bearer(header).unwrap_or_default());
    let token = token.filter(|token| token.expires_at > now);
    let token = token.ok_or_else(|| Problem::unauthorized("invalid service access token"))?;
    if service.is_some_and(|id| services::find(id).is_none()) {
        return Err(Problem::NO_SUCH_SERVICE);
    }
    if service.is_some_and(|id| id != token.service.id) {
        return Err(Problem::forbidden("the token is for another service"));
    }
    Ok(token.clone())
}

fn create(workspace: &mut Workspace, view: View<'_>, request: &Recorded) -> Result<Reply, Problem> {
    let body = json_body(request)?;
    let name = body["name"].as_str().filter(|name| is_valid_name(name));
    let name = name.ok_or_else(|| Problem::bad_request("name must consist of a-z and 0-9"))?.to_owned();
    if workspace.instance(view.service, &name).is_some() {
        return Err(Problem::conflict("the name is taken"));
    }
    if workspace.balance <= 0 {
        return Err(Problem::forbidden("no tokens left"));
    }
    refuse_missing_secrets(workspace, view.service, &body)?;
    let Value::Object(fields) = body else {
        return Err(Problem::bad_request("the body is not a JSON object"));
    };
    workspace.insert(view.service, &name, fields, view.now, view.settings.fail_instances);
    let made = workspace.instance(view.service, &name).map(|instance| view.show(&name, instance));
    Ok(Reply::json(StatusCode::CREATED, &made.unwrap_or_default()))
}

/// Every secret that a field refers to must have been stored.
fn refuse_missing_secrets(
    workspace: &Workspace,
    service: &'static Service,
    fields: &Value,
) -> Result<(), Problem> {
    let fields = fields.as_object().into_iter().flat_map(|fields| fields.values());
    let mut named = fields.filter_map(|value| secret_name(value.as_str()?));
    match named.find(|name| workspace.secret(service, name).is_none()) {
        Some(missing) => Err(Problem::bad_request(format!("no such secret: {missing}"))),
        None => Ok(()),
    }
}

fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_and_digits() {
        assert!(is_valid_name("a1"));
        for name in ["", "A", "a-b", "a b", "å"] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
