//! The dashboard: the workspace's balance, its services, and the instances of the selected service.

use std::collections::HashMap;
use std::time::SystemTime;

use askama::Template;
use http::StatusCode;
use osc_auth_layer::workspace::{Instance, Subscription};
use osc_auth_layer::{ContextError, ContextErrorKind, OscContext, OscToken, OscUser};

use crate::creations::{Creations, Progress};
use crate::notes::Notes;
use crate::page::{Frame, Visitor, dashboard_path, progress_path, sentence};

#[derive(Debug, Template)]
#[template(path = "dashboard.html")]
pub(crate) struct Dashboard {
    frame: Frame,
    /// `None` if the platform did not return it, which does not affect the rest of the page.
    balance: Option<String>,
    minutes_left: u64,
    /// `None` if the provider does not tell the workspace.
    note: Option<Note>,
    services: Vec<Service>,
    add: Add,
    panel: Panel,
}

/// The input of a form that was refused, and the reason. The dashboard shows both in that form.
#[derive(Debug)]
pub(crate) enum Refused<'a> {
    Note { text: &'a str, error: &'static str },
    Add { service: &'a str, error: &'a ContextError },
    Create { name: &'a str, options: &'a str, error: &'a ContextError },
    Remove { error: &'a ContextError },
}

#[derive(Debug)]
struct Note {
    /// The note belongs to one user, not to the workspace.
    is_personal: bool,
    text: String,
    error: Option<&'static str>,
}

#[derive(Debug)]
struct Service {
    id: String,
    href: String,
    is_picked: bool,
}

/// The form that adds a service.
#[derive(Debug, Default)]
struct Add {
    service: String,
    error: Option<String>,
}

#[derive(Debug)]
enum Panel {
    NoServices,
    NoSuchService(String),
    Instances(Instances),
}

/// The selected service, and the form that creates an instance of it.
#[derive(Debug)]
struct Instances {
    service: String,
    rows: Result<Vec<Row>, String>,
    name: String,
    options: String,
    error: Option<String>,
}

#[derive(Debug)]
struct Row {
    name: String,
    url: Option<String>,
    state: RowState,
}

#[derive(Debug)]
enum RowState {
    Running,
    Starting { href: String, status: String },
    Failed { href: String },
}

/// The data of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) creations: &'a Creations,
    pub(crate) notes: &'a Notes,
}

impl Dashboard {
    /// Loads the dashboard, and returns it with its status. `picked` is the service to show; without it, the first one is shown.
    pub(crate) async fn load(
        frame: Frame,
        token: &OscToken,
        kept: Kept<'_>,
        picked: Option<&str>,
        refused: Option<Refused<'_>>,
    ) -> Result<(StatusCode, Self), ContextError> {
        let osc = token.context();
        let (balance, services) = tokio::join!(osc.token_balance(), osc.subscriptions());
        let services = services?;
        let picked = picked.or(services.first().map(|service| service.service_id.as_str()));
        let (mut status, panel) = panel(&osc, kept.creations, picked).await;
        let user = token.user();
        let left = token.expires_at().duration_since(SystemTime::now());
        let mut dashboard = Self {
            frame,
            balance: balance.ok().map(|balance| balance.tokens.to_string()),
            minutes_left: left.unwrap_or_default().as_secs() / 60,
            note: user.as_ref().map(|user| Note::of(user, kept.notes)),
            services: services.iter().map(|service| Service::of(service, picked)).collect(),
            add: Add::default(),
            panel,
        };
        if let Some(refused) = refused {
            status = refused.status();
            dashboard.show(refused);
        }
        Ok((status, dashboard))
    }

    fn show(&mut self, refused: Refused<'_>) {
        match (refused, &mut self.panel) {
            (Refused::Note { text, error }, _) => {
                if let Some(note) = &mut self.note {
                    (note.text, note.error) = (text.to_owned(), Some(error));
                }
            }
            (Refused::Add { service, error }, _) => {
                self.add = Add { service: service.to_owned(), error: Some(sentence(error)) };
            }
            (Refused::Create { name, options, error }, Panel::Instances(panel)) => {
                panel.name = name.to_owned();
                panel.options = options.to_owned();
                panel.error = Some(sentence(error));
            }
            (Refused::Remove { error }, Panel::Instances(panel)) => panel.error = Some(sentence(error)),
            // The service is gone, and so is its form.
            (Refused::Create { error, .. } | Refused::Remove { error }, panel) => {
                *panel = Panel::NoSuchService(sentence(error));
            }
        }
    }
}

impl Refused<'_> {
    fn status(&self) -> StatusCode {
        match self {
            Self::Note { .. } => StatusCode::BAD_REQUEST,
            Self::Add { error, .. } | Self::Create { error, .. } | Self::Remove { error } => {
                error.response_status()
            }
        }
    }
}

impl Note {
    fn of(user: &OscUser, notes: &Notes) -> Self {
        Self { is_personal: user.key().is_some(), text: notes.of(user), error: None }
    }

    fn title(&self) -> &'static str {
        if self.is_personal { "Your note" } else { "Your workspace's note" }
    }

    fn hint(&self) -> &'static str {
        if self.is_personal { "Only you see it." } else { "Everybody in this workspace sees it." }
    }
}

impl Service {
    fn of(subscription: &Subscription, picked: Option<&str>) -> Self {
        let id = subscription.service_id.clone();
        Self { href: dashboard_path(&id), is_picked: picked == Some(&id), id }
    }
}

impl Panel {
    /// Returns the service that the page shows.
    fn service(&self) -> &str {
        match self {
            Self::Instances(panel) => &panel.service,
            Self::NoServices | Self::NoSuchService(_) => "",
        }
    }
}

/// Loads the instances of the service. An error stays in the panel, so that the user can still use other services.
async fn panel(osc: &OscContext, creations: &Creations, service: Option<&str>) -> (StatusCode, Panel) {
    let Some(service) = service else { return (StatusCode::OK, Panel::NoServices) };
    let rows = match osc.service(service).list_instances().await {
        Err(error) if is_no_service(&error) => {
            return (error.response_status(), Panel::NoSuchService(sentence(&error)));
        }
        Err(error) => Err(sentence(&error)),
        Ok(instances) => {
            let creations = creations.of(osc, service);
            Ok(instances.into_iter().map(|instance| Row::of(service, instance, &creations)).collect())
        }
    };
    let (service, name, options) = (service.to_owned(), String::new(), String::new());
    (StatusCode::OK, Panel::Instances(Instances { service, rows, name, options, error: None }))
}

fn is_no_service(error: &ContextError) -> bool {
    matches!(error.kind(), ContextErrorKind::NotSubscribed | ContextErrorKind::InvalidInput)
}

impl Row {
    fn of(service: &str, instance: Instance, creations: &HashMap<String, Progress>) -> Self {
        let Instance { name, url, .. } = instance;
        // Only web addresses may become links. A `javascript:` URL would run in this page.
        let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
        let href = progress_path(service, &name);
        let state = match creations.get(&name).cloned() {
            None | Some(Progress::Running) => RowState::Running,
            Some(Progress::Starting(status)) => RowState::Starting { href, status },
            Some(Progress::Failed(_)) => RowState::Failed { href },
        };
        Self { name, url, state }
    }
}
