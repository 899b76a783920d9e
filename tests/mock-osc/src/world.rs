//! The mock's whole state, and the one place that sends an action to its handler.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::idp::client::Client;
use crate::idp::grants::Grants;
use crate::idp::par::Pushed;
use crate::idp::{authorize, metadata, par, register, revoke, token};
use crate::jwt::SigningKey;
use crate::platform::{self, Platform};
use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::{Action, Via};
use crate::settings::Settings;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) clients: HashMap<String, Client>,
    pub(crate) grants: Grants,
    pub(crate) pushed: HashMap<String, Pushed>,
    pub(crate) platform: Platform,
    pub(crate) key: SigningKey,
    /// Every secret, code and token that the mock has issued.
    pub(crate) issued: Vec<String>,
    /// The offset of the mock's clock from the system clock.
    pub(crate) ahead: Duration,
}

impl World {
    pub(crate) fn new(settings: Settings, clients: HashMap<String, Client>) -> Self {
        let now = SystemTime::now();
        Self {
            issued: clients.values().filter_map(|client| client.secret.clone()).collect(),
            clients,
            platform: Platform::new(&settings, now),
            settings,
            grants: Grants::default(),
            pushed: HashMap::new(),
            key: SigningKey::random(),
            ahead: Duration::ZERO,
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::now() + self.ahead
    }

    pub(crate) fn issue_access_token(
        &mut self,
        grant: u64,
        now: SystemTime,
        expires_at: Option<SystemTime>,
    ) -> String {
        let account = &self.grants.grant(grant).expect("the grant was opened").account;
        let token = self.settings.access_token.make(&self.key, account, now, expires_at);
        self.grants.add_access_token(token.clone(), grant, expires_at);
        self.issued.push(token.clone());
        token
    }

    pub(crate) fn handle(&mut self, action: &Action, via: &Via, request: &Recorded) -> Reply {
        let now = self.now();
        match (action, request.method.as_str()) {
            (Action::Metadata, "GET") => metadata::metadata(&self.settings),
            (Action::Authorize, "GET" | "POST") => authorize::authorize(self, request, now),
            (Action::Token, "POST") => token::token(self, request, now),
            (Action::Register, "POST") => register::register(self, request, now),
            (Action::Revoke, "POST") if self.settings.revocation => revoke::revoke(self, request, now),
            (Action::Par, "POST") if self.settings.par => par::par(self, request, now),
            (Action::Revoke, "POST") | (Action::Par, "POST") => {
                Reply::reason(StatusCode::NOT_FOUND, "this endpoint is turned off")
            }
            (
                Action::Metadata
                | Action::Authorize
                | Action::Token
                | Action::Register
                | Action::Revoke
                | Action::Par,
                _,
            ) => Reply::reason(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
            (Action::Nothing, _) => Reply::reason(StatusCode::NOT_FOUND, "the mock has no such path"),
            // A foreign host accepts every request.
            (Action::Stranger, _) => {
                Reply::text(StatusCode::OK, "text/html", "<!doctype html><title>Not OSC</title>")
            }
            _ => platform::handle(self, action, via, request, now),
        }
    }
}
