//! What a test changes and reads at the platform while the mock runs. The default user's workspace is meant unless
//! another is named.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::mock::MockOsc;
use crate::platform::services::Service;
use crate::platform::{ErrorForm, ExpiryForm, LogForm, PlatformSettings, USERS, Workspace, find};

/// The default user.
const USER: &str = USERS[0].id;

impl MockOsc {
    /// The token balance of the default user.
    pub fn set_balance(&self, tokens: i64) {
        self.with_workspace(|workspace| workspace.balance = tokens);
    }

    /// How the platform tells what is wrong, from now on.
    pub fn set_error_form(&self, form: ErrorForm) {
        self.with_platform(|settings| settings.error_form = form);
    }

    /// The default user's secret for a service, as the app stored it.
    pub fn secret(&self, service: &str, name: &str) -> Option<String> {
        let service = find(service)?;
        self.with_workspace(|workspace| workspace.secret(service, name).map(str::to_owned))
    }

    /// Every service access token is dead from now: the instance APIs answer 401.
    pub fn revoke_service_tokens(&self) {
        self.with_world(|world| world.platform.revoke_service_tokens(|_| true));
    }

    /// The lifetime of service access tokens from now on.
    pub fn set_service_token_ttl(&self, ttl: Duration) {
        self.with_platform(|settings| settings.service_token_ttl = ttl);
    }

    /// What `expiry` beside a service access token means from now on.
    pub fn set_expiry_form(&self, form: ExpiryForm) {
        self.with_platform(|settings| settings.expiry_form = form);
    }

    /// Whether service access tokens are no JWT from now on.
    pub fn set_opaque_service_tokens(&self, on: bool) {
        self.with_platform(|settings| settings.opaque_service_tokens = on);
    }

    /// Sets a field of the answer with a service access token to any JSON value; `None` leaves it out.
    pub fn set_service_token_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_platform(|settings| settings.service_token_fields.insert(name.to_owned(), value));
    }

    /// Answers with a service access token are as they should be again.
    pub fn clear_service_token_fields(&self) {
        self.with_platform(|settings| settings.service_token_fields.clear());
    }

    /// The default user's subscriptions, in order, also those that the lists leave out still.
    pub fn subscriptions(&self) -> Vec<String> {
        self.with_workspace(|workspace| workspace.subscribed().map(str::to_owned).collect())
    }

    /// Subscribes the default user to a service, as the console does.
    ///
    /// # Panics
    /// When the mock has no such service.
    pub fn subscribe(&self, service: &str) {
        let service = known(service);
        self.with_workspace(|workspace| workspace.subscribe(&[service], 0));
    }

    /// Ends a subscription of the default user's, as the console does: its service access tokens are dead. Returns
    /// whether there was one.
    ///
    /// # Panics
    /// When the mock has no such service.
    pub fn unsubscribe(&self, service: &str) -> bool {
        let service = known(service);
        self.with_world(|world| world.platform.unsubscribe(USER, service))
    }

    /// How many lists of subscriptions leave out a service that is activated from now on; its access token is given at
    /// once.
    pub fn set_late_subscriptions(&self, lists: usize) {
        self.with_platform(|settings| settings.late_subscriptions = lists);
    }

    /// The `apiUrl` that the list of subscriptions tells for a service, in place of its own.
    ///
    /// # Panics
    /// When the mock has no such service.
    pub fn set_api_url(&self, service: &str, url: &str) {
        self.set_subscription_field(service, "apiUrl", Value::from(url));
    }

    /// Sets a field of a service's entry in the list of subscriptions to any JSON value; `None` leaves it out.
    ///
    /// # Panics
    /// When the mock has no such service.
    pub fn set_subscription_field(&self, service: &str, name: &str, value: impl Into<Option<Value>>) {
        let (service, value) = (known(service), value.into());
        self.with_platform(|settings| {
            let fields = settings.subscription_fields.entry(service.id).or_default();
            fields.insert(name.to_owned(), value);
        });
    }

    /// The list of subscriptions is as it should be again, the `apiUrl`s among the rest.
    pub fn clear_subscription_fields(&self) {
        self.with_platform(|settings| settings.subscription_fields.clear());
    }

    /// The names of the default user's instances of a service, in order.
    pub fn instances(&self, service: &str) -> Vec<String> {
        self.instances_of(USER, service)
    }

    /// The names of a user's instances of a service, in order.
    pub fn instances_of(&self, user: &str, service: &str) -> Vec<String> {
        self.with_world(|world| {
            let workspace = world.platform.workspace(user);
            let instances = workspace.into_iter().flat_map(|workspace| workspace.instances(service));
            instances.map(|(name, _)| name.to_owned()).collect()
        })
    }

    /// The fields of an instance of the default user's, as they were sent: references to secrets as such, no links.
    pub fn instance(&self, service: &str, name: &str) -> Option<Value> {
        let service = find(service)?;
        self.with_workspace(|workspace| {
            workspace.instance(service, name).map(|instance| Value::Object(instance.fields.clone()))
        })
    }

    /// Makes an instance for the default user, as another app would. One of the same name is replaced.
    ///
    /// # Panics
    /// When the mock has no such service.
    pub fn add_instance(&self, service: &str, name: &str, fields: Map<String, Value>) {
        let service = known(service);
        self.with_world(|world| {
            let (now, fails) = (world.now(), world.settings.platform.fail_instances);
            if let Some(workspace) = world.platform.workspace_mut(USER) {
                workspace.insert(service, name, fields, now, fails);
            }
        });
    }

    /// Removes an instance of the default user's, as another app would. Returns whether there was one.
    pub fn remove_instance(&self, service: &str, name: &str) -> bool {
        find(service).is_some_and(|service| self.with_workspace(|workspace| workspace.remove(service, name)))
    }

    /// For how long new and restarted instances are `starting`; those that are starting now are measured by it too.
    pub fn set_instance_start(&self, duration: Duration) {
        self.with_platform(|settings| settings.instance_start = duration);
    }

    /// Whether instances that are made or restarted from now on end up `failed` instead of `running`, and jobs `Failed`
    /// instead of `Complete`.
    pub fn fail_instances(&self, on: bool) {
        self.with_platform(|settings| settings.fail_instances = on);
    }

    /// What health says of every instance, whatever its state: any JSON value. `None`: its state again.
    pub fn set_instance_status(&self, status: impl Into<Option<Value>>) {
        let status = status.into();
        self.with_platform(|settings| settings.instance_status = status);
    }

    /// Sets a field of every instance that is shown to any JSON value; `None` leaves it out.
    pub fn set_instance_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_platform(|settings| settings.instance_fields.insert(name.to_owned(), value));
    }

    /// Instances are shown as they are again.
    pub fn clear_instance_fields(&self) {
        self.with_platform(|settings| settings.instance_fields.clear());
    }

    /// Whether instances have `_links`, which old ones lack.
    pub fn set_instance_links(&self, on: bool) {
        self.with_platform(|settings| settings.instance_links = on);
    }

    /// Sets the `href` of a link (`self`, `health`, …) in every instance to any JSON value; `None` leaves the link out.
    pub fn set_link(&self, rel: &str, href: impl Into<Option<Value>>) {
        let href = href.into();
        self.with_platform(|settings| settings.links.insert(rel.to_owned(), href));
    }

    /// Links lead where they should again.
    pub fn clear_links(&self) {
        self.with_platform(|settings| settings.links.clear());
    }

    /// How logs are given from now on.
    pub fn set_log_form(&self, form: LogForm) {
        self.with_platform(|settings| settings.log_form = form);
    }

    /// The rows of the logs of every instance.
    pub fn set_logs(&self, rows: &[&str]) {
        self.with_platform(|settings| settings.logs = rows.iter().map(|row| (*row).to_owned()).collect());
    }

    fn with_platform<T>(&self, f: impl FnOnce(&mut PlatformSettings) -> T) {
        self.with_world(|world| {
            f(&mut world.settings.platform);
        });
    }

    fn with_workspace<T>(&self, f: impl FnOnce(&mut Workspace) -> T) -> T {
        self.with_world(|world| {
            f(world.platform.workspace_mut(USER).expect("the default user has a workspace"))
        })
    }
}

/// A typing error in a test must not look like an empty workspace.
fn known(service: &str) -> &'static Service {
    find(service).unwrap_or_else(|| panic!("the mock has no service {service}"))
}
