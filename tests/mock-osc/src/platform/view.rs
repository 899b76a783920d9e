//! An instance as a client sees it.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::platform::PlatformSettings;
use crate::platform::services::Service;
use crate::platform::workspace::Instance;
use crate::route::Via;
use crate::settings::override_fields;

/// Everything besides the instance itself that its representation depends on.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) workspace: &'a str,
    pub(crate) service: &'static Service,
    pub(crate) via: &'a Via,
    pub(crate) settings: &'a PlatformSettings,
    pub(crate) now: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Stopped,
    Starting,
    Running,
    Failed,
}

impl<'a> View<'a> {
    pub(crate) fn state(self, instance: &Instance) -> State {
        if instance.replicas == 0 {
            State::Stopped
        } else if self.now < instance.started_at + self.settings.instance_start {
            State::Starting
        } else if instance.fails {
            State::Failed
        } else {
            State::Running
        }
    }

    pub(crate) fn health(self, instance: &Instance) -> Value {
        let state = || match self.state(instance) {
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Running => "running",
            State::Failed => "failed",
        };
        self.settings.instance_status.clone().unwrap_or_else(|| json!(state()))
    }

    pub(crate) fn show(self, name: &str, instance: &Instance) -> Value {
        let mut fields = instance.fields.clone();
        for value in fields.values_mut() {
            if value.as_str().is_some_and(|text| secret_name(text).is_some()) {
                *value = json!("***");
            }
        }
        let url = self.url(name);
        fields.insert("name".to_owned(), json!(name));
        fields.insert("resources".to_owned(), json!({ "license": { "url": format!("{url}/license") } }));
        fields.insert("url".to_owned(), json!(url));
        if self.service.kind == "job" {
            fields.insert("status".to_owned(), self.job_status(instance));
        }
        if self.settings.instance_links {
            fields.insert("_links".to_owned(), self.links(name));
        }
        let mut shown = Value::Object(fields);
        override_fields(&mut shown, &self.settings.instance_fields);
        shown
    }

    /// Returns the rows of the log that are not older than `since`.
    pub(crate) fn logs(self, instance: &Instance, since: Option<Duration>) -> Vec<&'a str> {
        let own = ["started", "listening"].map(|row| (instance.started_at, row));
        let rows: Vec<(SystemTime, &'a str)> = match &self.settings.logs {
            Some(rows) => rows.iter().map(|(at, row)| (*at, row.as_str())).collect(),
            None => own.to_vec(),
        };
        let is_shown = |at: SystemTime| since.is_none_or(|since| at + since >= self.now);
        rows.into_iter().filter(|(at, _)| is_shown(*at)).map(|(_, row)| row).collect()
    }

    /// Returns the URL of the tenant's own content. No token may be sent there.
    fn url(self, name: &str) -> String {
        let cluster = match self.via {
            Via::Path => "prod",
            Via::Host { cluster } => cluster,
        };
        format!("https://{}-{name}.{}.auto.{cluster}.osaas.io", self.workspace, self.service.id)
    }

    fn job_status(self, instance: &Instance) -> Value {
        let state = || match self.state(instance) {
            State::Stopped => "Suspended",
            State::Starting => "Running",
            State::Running => "Complete",
            State::Failed => "Failed",
        };
        self.settings.job_status.clone().unwrap_or_else(|| json!(state()))
    }

    fn links(self, name: &str) -> Value {
        let Service { id, resource, .. } = self.service;
        // Clients append these paths to the host of the `apiUrl`.
        let base = if *self.via == Via::Path { format!("/api-{id}") } else { String::new() };
        let link = |rel: &str| json!({ "href": format!("{base}/{rel}/{name}") });
        let mut links = json!({
            "self": link(resource),
            "health": link("health"),
            "logs": link("logs"),
            "ports": link("ports"),
            "restart": link("restart"),
            "scale": link("scale"),
            "internalEndpoint": link("internal-endpoint"),
        });
        let changed = self.settings.links.iter();
        let changed =
            changed.map(|(rel, href)| (rel.clone(), href.as_ref().map(|href| json!({ "href": href }))));
        override_fields(&mut links, &changed.collect());
        links
    }
}

/// Returns the name in `{{secrets.name}}`.
pub(crate) fn secret_name(value: &str) -> Option<&str> {
    value.trim().strip_prefix("{{secrets.")?.strip_suffix("}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_to_a_secret_has_a_name() {
        assert_eq!(secret_name("{{secrets.key}}"), Some("key"));
        assert_eq!(secret_name("secrets.key"), None);
    }
}
