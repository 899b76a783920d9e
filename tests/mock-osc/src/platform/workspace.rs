//! The state of one workspace. All its users share it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use crate::delay::Pending;
use crate::platform::PlatformSettings;
use crate::platform::services::{SERVICES, Service};
use crate::route::Via;
use crate::settings::{Settings, override_fields};

/// A running copy of a service.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) fields: Map<String, Value>,
    pub(crate) started_at: SystemTime,
    pub(crate) replicas: u64,
    /// True if the start ends in failure.
    pub(crate) fails: bool,
    /// Set if the creation timed out and the instance has not appeared yet.
    pub(crate) hidden: Option<Pending>,
    /// Set while the API answers 401 for this instance.
    locked: Option<Pending>,
    pub(crate) suspended: bool,
}

impl Instance {
    pub(crate) fn new(fields: Map<String, Value>, started_at: SystemTime) -> Self {
        Self { fields, started_at, replicas: 1, fails: false, hidden: None, locked: None, suspended: false }
    }

    pub(crate) fn restart(&mut self, settings: &PlatformSettings, now: SystemTime) {
        self.started_at = now;
        self.fails = settings.fail_instances;
    }

    /// Starts an instance that is new or resumed. The settings may lock its API at first.
    pub(crate) fn start(&mut self, settings: &PlatformSettings, now: SystemTime) {
        self.restart(settings, now);
        self.locked = settings.locked_when_fresh.map(|delay| delay.begin(now));
    }

    /// Returns true if a request for the instance gets a 401. The call counts as a request.
    pub(crate) fn is_locked(&mut self, now: SystemTime) -> bool {
        self.locked.as_mut().is_some_and(|locked| locked.meets(now))
    }

    /// Returns true if a request finds the instance. The call counts as a request, and an instance that
    /// appears begins to start.
    fn is_found(&mut self, settings: &PlatformSettings, now: SystemTime) -> bool {
        if self.hidden.as_mut().is_some_and(|hidden| hidden.meets(now)) {
            return false;
        }
        if self.hidden.take().is_some() {
            self.start(settings, now);
        }
        !self.suspended
    }
}

#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) id: String,
    pub(crate) balance: i64,
    pub(crate) plan: String,
    /// The subscribed services, each with the number of lists that still leave it out.
    subscriptions: BTreeMap<&'static str, usize>,
    instances: BTreeMap<(&'static str, String), Instance>,
    secrets: BTreeMap<(&'static str, String), String>,
}

impl Workspace {
    pub(crate) fn new(id: &str, settings: &PlatformSettings, now: SystemTime) -> Self {
        let mut workspace = Self {
            id: id.to_owned(),
            balance: settings.balance,
            plan: settings.plan.clone(),
            subscriptions: BTreeMap::new(),
            instances: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        let service = &SERVICES[0];
        workspace.subscribe(&[service], 0);
        let fields = Map::from_iter([("description".to_owned(), json!("Made with the workspace"))]);
        workspace.insert(service, "demo", Instance::new(fields, now - settings.instance_start));
        workspace
    }

    /// Subscribes to services. The next `late` lists leave out those that are new.
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

    /// Returns the catalog's answer. Its `apiUrl` values use the same route as the request.
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

    pub(crate) fn secrets(&self, service: &'static Service) -> impl Iterator<Item = &str> {
        let mine = self.secrets.keys().filter(|(of, _)| *of == service.id);
        mine.map(|(_, name)| name.as_str())
    }

    pub(crate) fn remove_secret(&mut self, service: &'static Service, name: &str) -> bool {
        self.secrets.remove(&(service.id, name.to_owned())).is_some()
    }

    /// Returns an instance, even if the API does not show it.
    pub(crate) fn instance(&self, service: &'static Service, name: &str) -> Option<&Instance> {
        self.instances.get(&(service.id, name.to_owned()))
    }

    pub(crate) fn instance_mut(&mut self, service: &'static Service, name: &str) -> Option<&mut Instance> {
        self.instances.get_mut(&(service.id, name.to_owned()))
    }

    /// Returns an instance that a request asks for by name.
    pub(crate) fn find(
        &mut self,
        service: &'static Service,
        name: &str,
        settings: &PlatformSettings,
        now: SystemTime,
    ) -> Option<&mut Instance> {
        let instance = self.instances.get_mut(&(service.id, name.to_owned()))?;
        instance.is_found(settings, now).then_some(instance)
    }

    /// Returns the instances that a list shows.
    pub(crate) fn list(
        &mut self,
        service: &'static Service,
        settings: &PlatformSettings,
        now: SystemTime,
    ) -> impl Iterator<Item = (&str, &Instance)> {
        let mine = self.instances.iter_mut().filter(|((of, _), _)| *of == service.id);
        mine.filter_map(move |((_, name), instance)| {
            instance.is_found(settings, now).then_some((name.as_str(), &*instance))
        })
    }

    /// Returns the names of all instances, including those that the API does not show.
    pub(crate) fn names(&self, service: &str) -> Vec<String> {
        let mine = self.instances.keys().filter(|(of, _)| *of == service);
        mine.map(|(_, name)| name.clone()).collect()
    }

    /// Adds an instance. It replaces an instance of the same name.
    pub(crate) fn insert(&mut self, service: &'static Service, name: &str, instance: Instance) {
        self.instances.insert((service.id, name.to_owned()), instance);
    }

    pub(crate) fn remove(&mut self, service: &'static Service, name: &str) -> bool {
        self.instances.remove(&(service.id, name.to_owned())).is_some()
    }

    /// Returns service and name of each suspended instance.
    pub(crate) fn suspended(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let suspended = self.instances.iter().filter(|(_, instance)| instance.suspended);
        suspended.map(|((service, name), _)| (*service, name.as_str()))
    }
}

fn subscription(service: &Service, settings: &Settings, via: &Via) -> Value {
    let Service { id, resource, kind, publisher } = service;
    let api = match via {
        Via::Path => format!("{}/api-{id}", settings.platform_url),
        Via::Host { cluster } => format!("https://api-{id}.auto.{cluster}.osaas.io"),
    };
    let mut entry = json!({
        "serviceId": id,
        "apiUrl": format!("{api}/{resource}"),
        "serviceType": kind,
        // The owner of the service, not of this workspace.
        "tenantId": publisher,
    });
    if let Some(fields) = settings.platform.subscription_fields.get(id) {
        override_fields(&mut entry, fields);
    }
    entry
}
