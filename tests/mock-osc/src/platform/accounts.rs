//! The people who can sign in, and the workspace each of them has.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use crate::platform::PlatformSettings;
use crate::platform::services::{SERVICES, Service};
use crate::route::Via;
use crate::settings::{Settings, override_fields};

/// A fictive person.
#[derive(Debug)]
pub(crate) struct User {
    /// Also the name of the workspace.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
}

pub(crate) const USERS: [User; 2] =
    [User { id: "ada", name: "Ada Example" }, User { id: "grace", name: "Grace Example" }];

/// A running copy of a service.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) fields: Map<String, Value>,
    pub(crate) started_at: SystemTime,
    pub(crate) replicas: u64,
    /// Whether its start ends badly.
    pub(crate) fails: bool,
}

/// What belongs to one person.
#[derive(Debug)]
pub(crate) struct Workspace {
    id: &'static str,
    pub(crate) balance: i64,
    /// With the number of lists that leave the service out still.
    subscriptions: BTreeMap<&'static str, usize>,
    instances: BTreeMap<(&'static str, String), Instance>,
    secrets: BTreeMap<(&'static str, String), String>,
}

impl Workspace {
    pub(crate) fn new(user: &User, settings: &PlatformSettings, now: SystemTime) -> Self {
        let mut workspace = Self {
            id: user.id,
            balance: settings.balance,
            subscriptions: BTreeMap::new(),
            instances: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        let service = &SERVICES[0];
        workspace.subscribe(&[service], 0);
        let demo = json!({ "name": "demo", "description": "Made with the workspace" });
        if let Value::Object(fields) = demo {
            workspace.insert(service, "demo", fields, now - settings.instance_start, false);
        }
        workspace
    }

    /// The next `late` lists leave out what is new among `services`.
    pub(crate) fn subscribe(&mut self, services: &[&'static Service], late: usize) {
        for service in services {
            self.subscriptions.entry(service.id).or_insert(late);
        }
    }

    pub(crate) fn unsubscribe(&mut self, service: &Service) -> bool {
        self.subscriptions.remove(service.id).is_some()
    }

    pub(crate) fn is_subscribed(&self, service: &Service) -> bool {
        self.subscriptions.contains_key(service.id)
    }

    pub(crate) fn subscribed(&self) -> impl Iterator<Item = &'static str> {
        let mine = SERVICES.iter().filter(|service| self.is_subscribed(service));
        mine.map(|service| service.id)
    }

    /// The answer of the catalog. The `apiUrl` leads back the way the request came.
    pub(crate) fn list_subscriptions(&mut self, settings: &Settings, via: &Via) -> Value {
        let shown = SERVICES.iter().filter(|service| self.subscriptions.get(service.id) == Some(&0));
        let list = shown.map(|service| subscription(service, settings, via)).collect();
        for late in self.subscriptions.values_mut() {
            *late = late.saturating_sub(1);
        }
        list
    }

    pub(crate) fn apps(&self) -> Value {
        json!([{
            "id": format!("{}-hello", self.id),
            "name": "hello",
            "type": "nodejs",
            "gitHubUrl": "https://github.com/example/hello",
            "url": format!("https://{}-hello.apps.osaas.io", self.id),
        }])
    }

    pub(crate) fn store_secret(&mut self, service: &'static Service, name: &str, data: &str) {
        self.secrets.insert((service.id, name.to_owned()), data.to_owned());
    }

    pub(crate) fn secret(&self, service: &'static Service, name: &str) -> Option<&str> {
        self.secrets.get(&(service.id, name.to_owned())).map(String::as_str)
    }

    pub(crate) fn instance(&self, service: &'static Service, name: &str) -> Option<&Instance> {
        self.instances.get(&(service.id, name.to_owned()))
    }

    pub(crate) fn instance_mut(&mut self, service: &'static Service, name: &str) -> Option<&mut Instance> {
        self.instances.get_mut(&(service.id, name.to_owned()))
    }

    pub(crate) fn instances(&self, service: &str) -> impl Iterator<Item = (&str, &Instance)> {
        let mine = self.instances.iter().filter(move |((of, _), _)| *of == service);
        mine.map(|((_, name), instance)| (name.as_str(), instance))
    }

    pub(crate) fn insert(
        &mut self,
        service: &'static Service,
        name: &str,
        mut fields: Map<String, Value>,
        now: SystemTime,
        fails: bool,
    ) {
        let url = format!("https://{}-{name}.{}.auto.prod.osaas.io", self.id, service.id);
        fields.insert("name".to_owned(), json!(name));
        fields.insert("url".to_owned(), json!(url));
        let license = json!({ "license": { "url": format!("{url}/license") } });
        fields.insert("resources".to_owned(), license);
        let instance = Instance { fields, started_at: now, replicas: 1, fails };
        self.instances.insert((service.id, name.to_owned()), instance);
    }

    pub(crate) fn remove(&mut self, service: &'static Service, name: &str) -> bool {
        self.instances.remove(&(service.id, name.to_owned())).is_some()
    }
}

fn subscription(service: &Service, settings: &Settings, via: &Via) -> Value {
    let Service { id, resource, kind } = service;
    let api = match via {
        Via::Path => format!("{}/api-{id}", settings.platform_url),
        Via::Host { environment } => format!("https://api-{id}.auto.{environment}.osaas.io"),
    };
    let mut entry = json!({ "serviceId": id, "apiUrl": format!("{api}/{resource}"), "serviceType": kind });
    if let Some(fields) = settings.platform.subscription_fields.get(id) {
        override_fields(&mut entry, fields);
    }
    entry
}
