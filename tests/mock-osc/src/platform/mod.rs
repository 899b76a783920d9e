//! The platform services: catalog, token, money, deploy, and the instance API of every service.

mod accounts;
mod builder;
mod controls;
mod instances;
mod personal;
mod problem;
mod services;
mod settings;
mod view;

use std::collections::HashMap;
use std::time::SystemTime;

pub(crate) use accounts::{USERS, Workspace};
pub(crate) use services::find;
pub(crate) use settings::PlatformSettings;
pub use settings::{ErrorForm, ExpiryForm, LogForm};

use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::{Action, Via};
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
    pub(crate) fn new(settings: &PlatformSettings, now: SystemTime) -> Self {
        let workspaces = USERS.iter().map(|user| (user.id, Workspace::new(user, settings, now))).collect();
        Self { workspaces, service_tokens: HashMap::new() }
    }

    pub(crate) fn workspace(&self, user: &str) -> Option<&Workspace> {
        self.workspaces.get(user)
    }

    pub(crate) fn workspace_mut(&mut self, user: &str) -> Option<&mut Workspace> {
        self.workspaces.get_mut(user)
    }

    /// Returns whether there was a subscription. Its service access tokens are dead.
    fn unsubscribe(&mut self, user: &str, service: &services::Service) -> bool {
        self.revoke_service_tokens(|token| token.user == user && token.service == service);
        self.workspace_mut(user).is_some_and(|workspace| workspace.unsubscribe(service))
    }

    fn revoke_service_tokens(&mut self, dead: impl Fn(&ServiceToken) -> bool) {
        self.service_tokens.retain(|_, token| !dead(token));
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
        _ => personal::handle(world, action, via, request, now),
    };
    answer.unwrap_or_else(|problem| problem.reply(world.settings.platform.error_form))
}
