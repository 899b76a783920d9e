//! The calls that need a personal access token.

use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value, json};

use crate::platform::find;
use crate::platform::problem::{Problem, bearer, json_body};
use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::{Action, Via};
use crate::world::World;

pub(crate) fn handle(
    world: &mut World,
    action: &Action,
    via: &Via,
    request: &Recorded,
    now: SystemTime,
) -> Result<Reply, Problem> {
    if request.header("x-jwt").is_some() {
        return Err(Problem::bad_request("x-jwt does not belong here"));
    }
    let invalid = || Problem::unauthorized("invalid personal access token");
    let pat = bearer(request, "x-pat-jwt")?.ok_or_else(invalid)?;
    let id = world.grants.account_of(pat, now).ok_or_else(invalid)?.workspace.clone();
    let settings = &world.settings.platform;
    let workspace = world.platform.workspace_mut(&id).ok_or(Problem::NO_SUCH_WORKSPACE)?;
    let ok = |value: &Value| Ok(Reply::json(StatusCode::OK, value).no_store());
    let no_content = || Ok(Reply::empty(StatusCode::NO_CONTENT));
    match (action, request.method.as_str()) {
        (Action::Subscriptions, "GET") => ok(&workspace.list_subscriptions(&world.settings, via)),
        (Action::Subscriptions, "POST") => {
            let body = json_body(request)?;
            let wanted =
                body["services"].as_array().ok_or_else(|| Problem::bad_request("services is missing"))?;
            let wanted: Option<Vec<_>> = wanted.iter().map(|id| find(id.as_str()?)).collect();
            let wanted = wanted.ok_or(Problem::NO_SUCH_SERVICE)?;
            workspace.subscribe(&wanted, settings.late_subscriptions);
            ok(&json!({ "teamId": id, "services": body["services"] }))
        }
        (Action::Subscription { service }, "DELETE") => {
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            let was_there = world.platform.unsubscribe(&id, service);
            if was_there { no_content() } else { Err(Problem::NO_SUCH_SUBSCRIPTION) }
        }
        (Action::ServiceToken, "POST") => {
            let body = json_body(request)?;
            let service = body["serviceId"].as_str().and_then(find);
            let service = service.filter(|service| workspace.is_subscribed(service));
            let service =
                service.ok_or_else(|| Problem::forbidden("the service is not among the subscriptions"))?;
            let tokens = &mut world.platform.service_tokens;
            if let Some(limit) = settings.service_token_limit {
                tokens.count(pat, limit, now)?;
            }
            let (token, answer) = tokens.issue(id, service, settings, &world.key, now);
            world.issued.push(token);
            ok(&answer)
        }
        (Action::Balance, "GET") => ok(&json!({ "tokens": workspace.balance })),
        (Action::Plan, "GET") => ok(&json!({ "planType": workspace.plan })),
        (Action::Apps, "GET") => ok(&workspace.apps()),
        (Action::Secrets { service }, "GET") => {
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            let names = workspace.secrets(service);
            ok(&names.map(|name| json!({ "serviceId": service.id, "secretName": name })).collect())
        }
        (Action::Secrets { service }, "POST") => {
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            let body = json_body(request)?;
            let (Some(name), Some(data)) = (body["secretName"].as_str(), body["secretData"].as_str()) else {
                return Err(Problem::bad_request("secretName and secretData are required"));
            };
            workspace.store_secret(service, name, data);
            ok(&json!({ "secretName": name }))
        }
        (Action::Secret { service, name }, "PUT") => {
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            let body = json_body(request)?;
            let data = body["secretData"].as_str();
            let data = data.ok_or_else(|| Problem::bad_request("secretData is required"))?;
            workspace.secret(service, name).ok_or(Problem::NO_SUCH_SECRET)?;
            workspace.store_secret(service, name, data);
            ok(&json!({ "secretName": name }))
        }
        (Action::Secret { service, name }, "DELETE") => {
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            if workspace.remove_secret(service, name) { no_content() } else { Err(Problem::NO_SUCH_SECRET) }
        }
        (Action::Suspended, "GET") => {
            let suspended = workspace.suspended();
            ok(&suspended
                .map(|(service, name)| json!({ "serviceId": service, "instanceName": name }))
                .collect())
        }
        (Action::Resume { service, name }, "POST") => {
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            let instance = workspace.instance_mut(service, name).filter(|instance| instance.suspended);
            let instance = instance.ok_or(Problem::NOT_SUSPENDED)?;
            instance.suspended = false;
            instance.start(settings, now);
            ok(&json!({ "serviceId": service.id, "name": name }))
        }
        _ => Err(Problem::METHOD_NOT_ALLOWED),
    }
}
