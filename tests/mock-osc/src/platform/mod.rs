//! The platform services: catalog, token, money, deploy, and the instance API of every service.

mod builder;
mod controls;
mod create;
mod instances;
mod personal;
mod problem;
mod service_tokens;
mod services;
mod settings;
mod view;
mod workspace;
mod workspace_controls;

use std::collections::HashMap;
use std::time::SystemTime;

pub(crate) use services::find;
pub(crate) use settings::PlatformSettings;
pub use settings::{ErrorForm, ExpiryForm, LogForm};
pub(crate) use workspace::Workspace;
pub use workspace_controls::WorkspaceControls;

use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::{Action, Via};
use crate::settings::Settings;
use crate::world::World;
use service_tokens::{ServiceToken, ServiceTokens};

/// All workspaces and all service access tokens.
#[derive(Debug)]
pub(crate) struct Platform {
    /// The workspaces by name.
    workspaces: HashMap<String, Workspace>,
    service_tokens: ServiceTokens,
}

impl Platform {
    pub(crate) fn new(settings: &Settings, now: SystemTime) -> Self {
        let names = settings.accounts.workspaces().into_iter();
        let workspaces = names.map(|name| (name.clone(), Workspace::new(&name, &settings.platform, now)));
        Self { workspaces: workspaces.collect(), service_tokens: ServiceTokens::default() }
    }

    pub(crate) fn workspace_mut(&mut self, name: &str) -> Option<&mut Workspace> {
        self.workspaces.get_mut(name)
    }

    fn service_token(&self, token: &str, now: SystemTime) -> Option<&ServiceToken> {
        self.service_tokens.get(token, now)
    }

    /// Ends a subscription and its service access tokens. Returns true if there was one.
    fn unsubscribe(&mut self, workspace: &str, service: &services::Service) -> bool {
        self.service_tokens.revoke(|token| token.workspace == workspace && token.service == service);
        self.workspace_mut(workspace).is_some_and(|workspace| workspace.unsubscribe(service))
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
