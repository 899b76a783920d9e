//! The platform services: catalog, token, money, deploy, and the instance API of every service.

mod accounts;
mod instances;
mod problem;
mod services;

use std::collections::HashMap;
use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value, json};

pub(crate) use accounts::{USERS, Workspace};
pub(crate) use services::find;

use problem::{Problem, json_body};

use crate::random;
use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::{Action, Via};
use crate::settings::{ExpiryUnit, Settings};
use crate::world::World;

/// What a service access token allows.
#[derive(Clone, Debug)]
struct ServiceToken {
    user: String,
    service: &'static services::Service,
    expires_at: SystemTime,
}

/// Every workspace and every service access token.
#[derive(Debug)]
pub(crate) struct Platform {
    workspaces: HashMap<&'static str, Workspace>,
    service_tokens: HashMap<String, ServiceToken>,
}

impl Platform {
    /// `started_at` is when the instances that exist from the beginning were made.
    pub(crate) fn new(started_at: SystemTime) -> Self {
        let workspaces = USERS.iter().map(|user| (user.id, Workspace::new(user, started_at))).collect();
        Self { workspaces, service_tokens: HashMap::new() }
    }

    pub(crate) fn workspace(&self, user: &str) -> Option<&Workspace> {
        self.workspaces.get(user)
    }

    pub(crate) fn workspace_mut(&mut self, user: &str) -> Option<&mut Workspace> {
        self.workspaces.get_mut(user)
    }

    pub(crate) fn revoke_service_tokens(&mut self) {
        self.service_tokens.clear();
    }
}

pub(crate) fn handle(
    world: &mut World,
    action: &Action,
    via: &Via,
    request: &Recorded,
    now: SystemTime,
) -> Reply {
    let answer = match action {
        Action::Instances { service, path } => {
            instances::handle(world, service.as_deref(), path, via, request, now)
        }
        _ => on_behalf_of_user(world, action, via, request, now),
    };
    answer.unwrap_or_else(Problem::reply)
}

/// The calls that a Personal Access Token opens.
fn on_behalf_of_user(
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
    let workspace = world.platform.workspaces.get_mut(user.as_str());
    let workspace = workspace.ok_or(Problem::NO_SUCH_WORKSPACE)?;
    let ok = |value: &Value| Ok(Reply::json(StatusCode::OK, value).no_store());
    match (action, request.method.as_str()) {
        (Action::Subscriptions, "GET") => ok(&workspace.subscriptions(&world.settings, via)),
        (Action::Subscriptions, "POST") => {
            let body = json_body(request)?;
            let wanted =
                body["services"].as_array().ok_or_else(|| Problem::bad_request("services is missing"))?;
            let wanted: Option<Vec<_>> = wanted.iter().map(|id| find(id.as_str()?)).collect();
            let wanted = wanted.ok_or(Problem::NO_SUCH_SERVICE)?;
            workspace.subscribe(&wanted);
            ok(&json!({ "teamId": user, "services": body["services"] }))
        }
        (Action::ServiceToken, "POST") => {
            let body = json_body(request)?;
            let service = body["serviceId"].as_str().and_then(find);
            let service = service.filter(|service| workspace.is_subscribed(service));
            let service =
                service.ok_or_else(|| Problem::forbidden("the service is not among the subscriptions"))?;
            let expires_at = now + world.settings.service_token_ttl;
            let token = random::jwt(&user, service.id, expires_at, 400);
            let record = ServiceToken { user, service, expires_at };
            world.platform.service_tokens.insert(token.clone(), record);
            world.issued.push(token.clone());
            ok(
                &json!({ "serviceId": service.id, "token": token, "expiry": expiry(&world.settings, expires_at) }),
            )
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

fn expiry(settings: &Settings, at: SystemTime) -> u64 {
    match settings.expiry_unit {
        ExpiryUnit::Seconds => random::unix_seconds(at),
        ExpiryUnit::Milliseconds => random::unix_seconds(at) * 1000,
    }
}
