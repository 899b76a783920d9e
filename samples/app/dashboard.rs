//! The dashboard: the workspace's balance, its services, and the instances of the selected service.

use std::collections::HashMap;
use std::time::SystemTime;

use osc_auth_layer::workspace::{Instance, Subscription, TokenBalance};
use osc_auth_layer::{ContextError, ContextErrorKind, OscToken, OscUser};

use super::creations::{Creations, Progress};
use super::notes::Notes;
use super::pages::{self, Text, dashboard_path, progress_path, sentence};

pub(crate) struct Dashboard<'a> {
    /// `None` if the platform did not return it, which does not affect the rest of the page.
    balance: Option<TokenBalance>,
    minutes_left: u64,
    user: Option<OscUser>,
    note: String,
    services: Vec<Subscription>,
    picked: Option<Picked>,
    refused: Option<Refused<'a>>,
}

/// The selected service, its instances, and its running creations.
struct Picked {
    service: String,
    instances: Result<Vec<Instance>, ContextError>,
    creations: HashMap<String, Progress>,
}

/// The visitor's input, and the error of the creation.
pub(crate) struct Refused<'a> {
    pub(crate) name: &'a str,
    pub(crate) options: &'a str,
    pub(crate) error: ContextError,
}

impl<'a> Dashboard<'a> {
    /// Loads the dashboard. `picked` is the service to show; without it, the first one is shown.
    pub(crate) async fn load(
        token: &OscToken,
        creations: &Creations,
        notes: &Notes,
        picked: Option<&str>,
        refused: Option<Refused<'a>>,
    ) -> Result<Self, ContextError> {
        let osc = token.context();
        let (balance, services) = tokio::join!(osc.token_balance(), osc.subscriptions());
        let services = services?;
        let service = picked.or(services.first().map(|service| service.service_id.as_str()));
        let picked = match service.map(str::to_owned) {
            None => None,
            Some(service) => {
                // The error is kept for the page, so that the visitor can still use other services.
                let instances = match osc.list_instances(&service).await {
                    Err(error) if is_no_service(&error) => return Err(error),
                    listed => listed,
                };
                Some(Picked { creations: creations.of(&osc, &service), service, instances })
            }
        };
        let user = token.user();
        let left = token.expires_at().duration_since(SystemTime::now());
        Ok(Self {
            balance: balance.ok(),
            minutes_left: left.unwrap_or_default().as_secs() / 60,
            note: user.as_ref().map(|user| notes.of(user)).unwrap_or_default(),
            user,
            services,
            picked,
            refused,
        })
    }

    pub(crate) fn render(&self) -> String {
        let picked = self.picked.as_ref().map(|picked| picked.service.as_str());
        let links = self.services.iter().map(|service| service.service_id.as_str());
        let links: String = links.map(|service| link(service, picked == Some(service))).collect();
        let content = format!(
            include_str!("pages/dashboard.html"),
            workspace = Text(self.user.as_ref().map_or("your workspace", OscUser::workspace)),
            note = self.user.as_ref().map(|user| pages::note(user, &self.note)).unwrap_or_default(),
            tokens = self.balance.as_ref().map_or("unknown".to_owned(), |balance| balance.tokens.to_string()),
            minutes = self.minutes_left,
            services = links,
            instances = self.picked.as_ref().map_or_else(none, |picked| self.panel(picked))
        );
        pages::layout("Dashboard", true, &content)
    }

    fn panel(&self, picked: &Picked) -> String {
        let Picked { service, instances, creations } = picked;
        let (name, options, refusal) = match &self.refused {
            Some(Refused { name, options, error }) => (*name, *options, notice(error)),
            None => ("", "", String::new()),
        };
        let list = match instances {
            Err(error) => notice(error),
            Ok(instances) if instances.is_empty() => empty("No instances yet. Create the first one above."),
            Ok(instances) => {
                let rows = instances.iter();
                let rows: String =
                    rows.map(|instance| row(service, instance, creations.get(&instance.name))).collect();
                format!("<ul class=\"instances\">{rows}</ul>")
            }
        };
        format!(
            include_str!("pages/instances.html"),
            service = Text(service),
            notice = refusal,
            name = Text(name),
            options = Text(options),
            open = if options.is_empty() { "" } else { " open" },
            list = list
        )
    }
}

fn is_no_service(error: &ContextError) -> bool {
    matches!(error.kind(), ContextErrorKind::NotSubscribed | ContextErrorKind::InvalidInput)
}

fn link(service: &str, picked: bool) -> String {
    format!(
        include_str!("pages/service.html"),
        href = Text(&dashboard_path(service)),
        current = if picked { " aria-current=\"page\"" } else { "" },
        service = Text(service)
    )
}

fn row(service: &str, instance: &Instance, progress: Option<&Progress>) -> String {
    // Only web addresses may become links. A `javascript:` URL would run in this page.
    let is_web = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    let url = instance.url.as_deref().filter(is_web);
    let link = url.map(|url| format!("<a href=\"{0}\" rel=\"noreferrer\">{0}</a>", Text(url)));
    let status = match progress {
        None | Some(Progress::Running) => String::new(),
        Some(Progress::Starting(status)) => {
            let href = progress_path(service, &instance.name);
            format!("<a class=\"status\" href=\"{}\">{}</a>", Text(&href), Text(status))
        }
        Some(Progress::Failed(why)) => {
            format!("<span class=\"status bad\" title=\"{}\">did not start</span>", Text(why))
        }
    };
    format!(
        include_str!("pages/instance.html"),
        service = Text(service),
        name = Text(&instance.name),
        status = status,
        link = link.unwrap_or_default()
    )
}

fn notice(error: &ContextError) -> String {
    format!("<p class=\"notice\" role=\"alert\">{}</p>", Text(&sentence(error)))
}

fn none() -> String {
    empty("This workspace has no services yet. Add one by its id.")
}

fn empty(text: &str) -> String {
    format!("<p class=\"empty\">{text}</p>")
}
