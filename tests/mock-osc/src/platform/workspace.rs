//! The state of one workspace, which all of its users share.

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
    /// True if its start ends in failure.
    pub(crate) fails: bool,
    /// Its creation timed out, and it has not turned up yet.
    pub(crate) hidden: Option<Pending>,
    /// Its API answers 401 for now.
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

    /// Starts an instance that was just made or resumed. The settings may lock its API at first.
    pub(crate) fn start(&mut self, settings: &PlatformSettings, now: SystemTime) {
        self.restart(settings, now);
        self.locked = settings.locked_when_fresh.map(|delay| delay.begin(now));
    }

    /// Returns whether a request for it gets a 401. The request counts.
    pub(crate) fn is_locked(&mut self, now: SystemTime) -> bool {
        self.locked.as_mut().is_some_and(|locked| locked.meets(now))
    }

    /// Returns whether a request finds it. The request counts, and an instance that turns up begins its start.
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
    /// With the number of lists that still leave the service out.
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

    /// The next `late` lists leave out the services that are new.
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

    pub(crate) fn secrets(&self, service: &'static Service) -> impl Iterator<Item = &str> {
        let mine = self.secrets.keys().filter(|(of, _)| *of == service.id);
        mine.map(|(_, name)| name.as_str())
    }

    pub(crate) fn remove_secret(&mut self, service: &'static Service, name: &str) -> bool {
        self.secrets.remove(&(service.id, name.to_owned())).is_some()
    }

    /// An instance, also one that the API does not show.
    pub(crate) fn instance(&self, service: &'static Service, name: &str) -> Option<&Instance> {
        self.instances.get(&(service.id, name.to_owned()))
    }

    pub(crate) fn instance_mut(&mut self, service: &'static Service, name: &str) -> Option<&mut Instance> {
        self.instances.get_mut(&(service.id, name.to_owned()))
    }

    /// An instance that a request asks for by its name.
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

    /// The instances that a list shows.
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

    /// The names of all instances, also of those that the API does not show.
    pub(crate) fn names(&self, service: &str) -> Vec<String> {
        let mine = self.instances.keys().filter(|(of, _)| *of == service);
        mine.map(|(_, name)| name.clone()).collect()
    }

    /// Adds an instance. One of the same name is replaced.
    pub(crate) fn insert(&mut self, service: &'static Service, name: &str, instance: Instance) {
        self.instances.insert((service.id, name.to_owned()), instance);
    }

    pub(crate) fn remove(&mut self, service: &'static Service, name: &str) -> bool {
        self.instances.remove(&(service.id, name.to_owned())).is_some()
    }

    /// Service and name of the suspended instances.
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
