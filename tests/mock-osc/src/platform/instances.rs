//! The instance API, which is the same for every service.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::{Value, json};

use crate::platform::create::{create, refuse_missing_secrets};
use crate::platform::problem::{Problem, bearer, json_body};
use crate::platform::services;
use crate::platform::view::{State, View};
use crate::platform::workspace::Instance;
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
    let ServiceToken { workspace, service, .. } = authorize(world, service, path, request, now)?;
    let settings = &world.settings.platform;
    let view = View { workspace: &workspace, service, via, settings, now };
    let workspace = world.platform.workspace_mut(&workspace).ok_or(Problem::NO_SUCH_WORKSPACE)?;
    let Some(name) = path.name() else {
        return match request.method.as_str() {
            "GET" => {
                let instances = workspace.list(service, settings, now);
                Ok(ok(&instances.map(|(name, instance)| view.show(name, instance)).collect()))
            }
            "POST" => create(workspace, view, request),
            _ => Err(Problem::METHOD_NOT_ALLOWED),
        };
    };
    let instance = workspace.find(service, name, settings, now).ok_or(Problem::NO_SUCH_INSTANCE)?;
    if instance.is_locked(now) {
        return Ok(Reply::authorization_required());
    }
    match (path, request.method.as_str()) {
        (InstancePath::Item(name), "DELETE") => {
            workspace.remove(service, name);
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (InstancePath::Item(name), "PATCH") => update(workspace, view, name, request),
        _ => one(instance, view, path, request),
    }
}

fn ok(value: &Value) -> Reply {
    Reply::json(StatusCode::OK, value)
}

/// Handles a request about a single instance.
fn one(
    instance: &mut Instance,
    view: View<'_>,
    path: &InstancePath,
    request: &Recorded,
) -> Result<Reply, Problem> {
    Ok(match (path, request.method.as_str()) {
        (InstancePath::Item(name), "GET") => ok(&view.show(name, instance)),
        (InstancePath::Health(_), "GET") => ok(&json!({ "status": view.health(instance) })),
        (InstancePath::Logs(_), "GET") => logs(instance, view, request)?,
        (InstancePath::Ports(_), "GET") => {
            ok(&json!([{ "externalIp": "192.0.2.10", "externalPort": 10503, "internalPort": 8080 }]))
        }
        (InstancePath::InternalEndpoint(name), "GET") => {
            let service_dns = format!("{name}.{}-{}.svc.cluster.local", view.workspace, view.service.id);
            ok(&json!({ "serviceDns": service_dns, "ports": [8080], "publicAccess": true }))
        }
        (InstancePath::Restart(_), "POST") => {
            instance.restart(view.settings, view.now);
            Reply::empty(StatusCode::NO_CONTENT)
        }
        (InstancePath::Scale(_), "GET") => {
            let actual = if view.state(instance) == State::Running { instance.replicas } else { 0 };
            ok(&json!({ "actualReplicas": actual, "desiredReplicas": instance.replicas }))
        }
        (InstancePath::Scale(_), "PUT") => {
            let desired = json_body(request)?["desiredReplicas"].as_u64();
            let desired = desired.ok_or_else(|| Problem::bad_request("desiredReplicas is missing"))?;
            instance.replicas = desired;
            ok(&json!({ "desiredReplicas": desired }))
        }
        _ => return Err(Problem::METHOD_NOT_ALLOWED),
    })
}

fn update(
    workspace: &mut Workspace,
    view: View<'_>,
    name: &str,
    request: &Recorded,
) -> Result<Reply, Problem> {
    let changes = json_body(request)?;
    refuse_missing_secrets(workspace, view.service, &changes)?;
    let instance = workspace.instance_mut(view.service, name).ok_or(Problem::NO_SUCH_INSTANCE)?;
    for (key, value) in changes.as_object().into_iter().flatten() {
        // The service sets these fields, not the client.
        if !matches!(key.as_str(), "name" | "url" | "resources" | "_links") {
            instance.fields.insert(key.clone(), value.clone());
        }
    }
    Ok(ok(&view.show(name, instance)))
}

fn logs(instance: &Instance, view: View<'_>, request: &Recorded) -> Result<Reply, Problem> {
    let since = request.query.iter().find(|(name, _)| name == "sinceSeconds");
    let since = since.map(|(_, seconds)| seconds.parse().map(Duration::from_secs)).transpose();
    let since = since.map_err(|_| Problem::bad_request("sinceSeconds is not a number of seconds"))?;
    let rows = view.logs(instance, since);
    Ok(match view.settings.log_form {
        LogForm::Rows => ok(&json!(rows)),
        LogForm::JsonText => ok(&json!(rows.join("\n"))),
        LogForm::Text => Reply::text(StatusCode::OK, "text/plain", rows.join("\n")),
    })
}

/// Checks the service access token of the request. It must be valid for this service.
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
    // Only the scaling endpoint takes the standard header.
    let header = if matches!(path, InstancePath::Scale(_)) { "authorization" } else { "x-jwt" };
    let invalid = || Problem::unauthorized("invalid service access token");
    let token = world.platform.service_token(bearer(request, header)?.ok_or_else(invalid)?, now);
    let token = token.ok_or_else(invalid)?;
    if service.is_some_and(|id| services::find(id).is_none()) {
        return Err(Problem::NO_SUCH_SERVICE);
    }
    if service.is_some_and(|id| id != token.service.id) {
        return Err(Problem::forbidden("the token is for another service"));
    }
    Ok(token.clone())
}
