//! The calls that a Personal Access Token opens.

use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value, json};

use crate::platform::problem::{Problem, json_body};
use crate::platform::services::Service;
use crate::platform::{ExpiryForm, PlatformSettings, ServiceToken, find};
use crate::random;
use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::{Action, Via};
use crate::settings::override_fields;
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
    let token = request.bearer("x-pat-jwt").unwrap_or_default();
    let user = world.grants.user_of(token, now);
    let user = user.ok_or_else(|| Problem::unauthorized("invalid personal access token"))?.to_owned();
    let workspace = world.platform.workspace_mut(&user).ok_or(Problem::NO_SUCH_WORKSPACE)?;
    let ok = |value: &Value| Ok(Reply::json(StatusCode::OK, value).no_store());
    match (action, request.method.as_str()) {
        (Action::Subscriptions, "GET") => ok(&workspace.list_subscriptions(&world.settings, via)),
        (Action::Subscriptions, "POST") => {
            let body = json_body(request)?;
            let wanted =
                body["services"].as_array().ok_or_else(|| Problem::bad_request("services is missing"))?;
            let wanted: Option<Vec<_>> = wanted.iter().map(|id| find(id.as_str()?)).collect();
            let wanted = wanted.ok_or(Problem::NO_SUCH_SERVICE)?;
            workspace.subscribe(&wanted, world.settings.platform.late_subscriptions);
            ok(&json!({ "teamId": user, "services": body["services"] }))
        }
        (Action::Subscription { service }, "DELETE") => {
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            if !world.platform.unsubscribe(&user, service) {
                return Err(Problem::NO_SUCH_SUBSCRIPTION);
            }
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (Action::ServiceToken, "POST") => {
            let body = json_body(request)?;
            let service = body["serviceId"].as_str().and_then(find);
            let service = service.filter(|service| workspace.is_subscribed(service));
            let service =
                service.ok_or_else(|| Problem::forbidden("the service is not among the subscriptions"))?;
            ok(&service_token(world, user, service, now))
        }
        (Action::Balance, "GET") => ok(&json!({ "tokens": workspace.balance })),
        (Action::Apps, "GET") => ok(&workspace.apps()),
        (Action::Secrets { service }, "POST") => {
            let body = json_body(request)?;
            let service = find(service).ok_or(Problem::NO_SUCH_SERVICE)?;
            let (Some(name), Some(data)) = (body["secretName"].as_str(), body["secretData"].as_str()) else {
                return Err(Problem::bad_request("secretName and secretData are required"));
            };
            workspace.store_secret(service, name, data);
            ok(&json!({ "secretName": name }))
        }
        _ => Err(Problem::METHOD_NOT_ALLOWED),
    }
}

fn service_token(world: &mut World, user: String, service: &'static Service, now: SystemTime) -> Value {
    let settings = &world.settings.platform;
    let expires_at = now + settings.service_token_ttl;
    let token = if settings.opaque_service_tokens {
        random::opaque()
    } else {
        random::jwt(&user, service.id, expires_at, 400)
    };
    let mut answer = json!({ "serviceId": service.id, "token": token });
    if let Some(expiry) = expiry(settings, expires_at) {
        answer["expiry"] = json!(expiry);
    }
    override_fields(&mut answer, &settings.service_token_fields);
    world.issued.push(token.clone());
    world.platform.service_tokens.insert(token, ServiceToken { user, service, expires_at });
    answer
}

fn expiry(settings: &PlatformSettings, at: SystemTime) -> Option<u64> {
    let left = settings.service_token_ttl;
    match settings.expiry_form {
        ExpiryForm::Seconds => Some(random::unix_seconds(at)),
        ExpiryForm::Milliseconds => Some(random::unix_seconds(at) * 1000),
        ExpiryForm::SecondsLeft => Some(left.as_secs()),
        ExpiryForm::MillisecondsLeft => Some(left.as_secs() * 1000),
        ExpiryForm::Absent => None,
    }
}
