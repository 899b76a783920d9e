//! The controls of the platform. Tests use them while the mock runs. The controls of one workspace are in
//! `workspace_controls`.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::delay::Delay;
use crate::mock::MockOsc;
use crate::platform::settings::NameTaken;
use crate::platform::workspace_controls::known;
use crate::platform::{ErrorForm, ExpiryForm, LogForm, PlatformSettings};

/// Controls that change every workspace.
impl MockOsc {
    /// Sets the format of the platform's errors.
    pub fn set_error_form(&self, form: ErrorForm) {
        self.with_platform(|settings| settings.error_form = form);
    }

    /// Revokes every service access token. The instance APIs then answer 401.
    pub fn revoke_service_tokens(&self) {
        self.with_world(|world| world.platform.service_tokens.revoke(|_| true));
    }

    /// Sets the lifetime of service access tokens issued from now on.
    pub fn set_service_token_ttl(&self, ttl: Duration) {
        self.with_platform(|settings| settings.service_token_ttl = ttl);
    }

    /// Sets the unit of `expiry`, which accompanies a service access token.
    pub fn set_expiry_form(&self, form: ExpiryForm) {
        self.with_platform(|settings| settings.expiry_form = form);
    }

    /// Sets whether service access tokens issued from now on are random text instead of JWTs.
    pub fn set_opaque_service_tokens(&self, on: bool) {
        self.with_platform(|settings| settings.opaque_service_tokens = on);
    }

    /// Sets a field of the answer that holds a service access token to any JSON value; `None` leaves it out.
    pub fn set_service_token_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_platform(|settings| settings.service_token_fields.insert(name.to_owned(), value));
    }

    /// Undoes [`set_service_token_field`](Self::set_service_token_field).
    pub fn clear_service_token_fields(&self) {
        self.with_platform(|settings| settings.service_token_fields.clear());
    }

    /// Limits the service access tokens that each personal access token gets per minute of the mock's clock.
    /// Further requests get 429. `None`, the default, removes the limit.
    pub fn set_service_token_limit(&self, tokens: impl Into<Option<usize>>) {
        let tokens = tokens.into();
        self.with_platform(|settings| settings.service_token_limit = tokens);
    }

    /// Sets how many lists of subscriptions leave out a service activated from now on. Its access token is
    /// issued at once.
    pub fn set_late_subscriptions(&self, lists: usize) {
        self.with_platform(|settings| settings.late_subscriptions = lists);
    }

    /// Sets the `apiUrl` of a service in the list of subscriptions.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn set_api_url(&self, service: &str, url: &str) {
        self.set_subscription_field(service, "apiUrl", Value::from(url));
    }

    /// Sets a field of a service's entry in the list of subscriptions to any JSON value; `None` leaves it
    /// out.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn set_subscription_field(&self, service: &str, name: &str, value: impl Into<Option<Value>>) {
        let (service, value) = (known(service), value.into());
        self.with_platform(|settings| {
            let fields = settings.subscription_fields.entry(service.id).or_default();
            fields.insert(name.to_owned(), value);
        });
    }

    /// Undoes [`set_api_url`](Self::set_api_url) and [`set_subscription_field`](Self::set_subscription_field).
    pub fn clear_subscription_fields(&self) {
        self.with_platform(|settings| settings.subscription_fields.clear());
    }

    /// Sets whether plans include a service. Creating an instance of a service that is not included gets 402.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn set_included(&self, service: &str, on: bool) {
        let id = known(service).id;
        self.with_platform(|settings| {
            if on { settings.not_included.remove(id) } else { settings.not_included.insert(id) }
        });
    }

    /// Makes creations time out. The platform answers 504 with an HTML page and reserves the name. The
    /// instance appears after this delay.
    ///
    /// A request counts if it lists the service's instances or asks for this one. `None` ends the timeouts.
    pub fn set_creation_timeout(&self, turns_up_after: impl Into<Option<Delay>>) {
        let delay = turns_up_after.into();
        self.with_platform(|settings| settings.creation_timeout = delay);
    }

    /// Sets the answer to a creation whose name is taken. Default: 409 and `the name is taken`.
    ///
    /// # Panics
    /// If this is not a valid HTTP status.
    pub fn set_name_taken(&self, status: u16, reason: &str) {
        let status = StatusCode::from_u16(status).expect("an HTTP status");
        let answer = NameTaken { status, reason: reason.to_owned() };
        self.with_platform(|settings| settings.name_taken = answer);
    }

    /// Makes the API answer 401 with an HTML page for new and resumed instances, for this long. `None` ends
    /// it for later instances.
    pub fn set_locked_when_fresh(&self, delay: impl Into<Option<Delay>>) {
        let delay = delay.into();
        self.with_platform(|settings| settings.locked_when_fresh = delay);
    }

    /// Sets how long new and restarted instances are `starting`, including those that are starting now.
    pub fn set_instance_start(&self, duration: Duration) {
        self.with_platform(|settings| settings.instance_start = duration);
    }

    /// Sets whether instances that are created or restarted from now on end up `failed` instead of `running`.
    /// Jobs end up `Failed` instead of `Complete`.
    pub fn fail_instances(&self, on: bool) {
        self.with_platform(|settings| settings.fail_instances = on);
    }

    /// Sets the health `status` of every instance to any JSON value, whatever its state. `None` reports the
    /// state again.
    pub fn set_instance_status(&self, status: impl Into<Option<Value>>) {
        let status = status.into();
        self.with_platform(|settings| settings.instance_status = status);
    }

    /// Sets the `status` of every job to any JSON value, whatever its state. `None` reports the state again.
    pub fn set_job_status(&self, status: impl Into<Option<Value>>) {
        let status = status.into();
        self.with_platform(|settings| settings.job_status = status);
    }

    /// Sets a field of every instance in answers to any JSON value. `None` leaves it out, as OSC does with
    /// some credentials.
    pub fn set_instance_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_platform(|settings| settings.instance_fields.insert(name.to_owned(), value));
    }

    /// Undoes [`set_instance_field`](Self::set_instance_field).
    pub fn clear_instance_fields(&self) {
        self.with_platform(|settings| settings.instance_fields.clear());
    }

    /// Sets whether instances have `_links`. Old instances have none.
    pub fn set_instance_links(&self, on: bool) {
        self.with_platform(|settings| settings.instance_links = on);
    }

    /// Sets the `href` of a link (`self`, `health`, …) in every instance to any JSON value; `None` leaves the link out.
    pub fn set_link(&self, rel: &str, href: impl Into<Option<Value>>) {
        let href = href.into();
        self.with_platform(|settings| settings.links.insert(rel.to_owned(), href));
    }

    /// Undoes [`set_link`](Self::set_link).
    pub fn clear_links(&self) {
        self.with_platform(|settings| settings.links.clear());
    }

    /// Sets the format of logs.
    pub fn set_log_form(&self, form: LogForm) {
        self.with_platform(|settings| settings.log_form = form);
    }

    /// Sets the log of every instance to these rows, all with the current time. Default: two rows from the
    /// start of the instance.
    pub fn set_logs(&self, rows: &[&str]) {
        self.with_world(|world| {
            let now = world.now();
            world.settings.platform.logs = Some(rows.iter().map(|row| (now, (*row).to_owned())).collect());
        });
    }

    /// Adds a row to the log of every instance, with the current time.
    pub fn add_log(&self, row: &str) {
        self.with_world(|world| {
            let now = world.now();
            world.settings.platform.logs.get_or_insert_default().push((now, row.to_owned()));
        });
    }

    fn with_platform<T>(&self, f: impl FnOnce(&mut PlatformSettings) -> T) {
        self.with_world(|world| {
            f(&mut world.settings.platform);
        });
    }
}

/// Shortcuts for the [`default_workspace`](Self::default_workspace).
impl MockOsc {
    /// Sets the token balance of the default workspace.
    pub fn set_balance(&self, tokens: i64) {
        self.default_workspace().set_balance(tokens);
    }

    /// Returns a secret of the default workspace as stored by the app.
    pub fn secret(&self, service: &str, name: &str) -> Option<String> {
        self.default_workspace().secret(service, name)
    }

    /// Returns the subscriptions of the default workspace.
    pub fn subscriptions(&self) -> Vec<String> {
        self.default_workspace().subscriptions()
    }

    /// Subscribes the default workspace to a service, as the console does.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn subscribe(&self, service: &str) {
        self.default_workspace().subscribe(service);
    }

    /// Ends a subscription of the default workspace, as the console does. Returns true if there was one.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn unsubscribe(&self, service: &str) -> bool {
        self.default_workspace().unsubscribe(service)
    }

    /// Returns the names of the default workspace's instances of a service, in order.
    pub fn instances(&self, service: &str) -> Vec<String> {
        self.default_workspace().instances(service)
    }

    /// Returns the fields of an instance in the default workspace as sent by the app.
    pub fn instance(&self, service: &str, name: &str) -> Option<Value> {
        self.default_workspace().instance(service, name)
    }

    /// Creates an instance in the default workspace, as another app would. It replaces an instance of the
    /// same name.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn add_instance(&self, service: &str, name: &str, fields: Map<String, Value>) {
        self.default_workspace().add_instance(service, name, fields);
    }

    /// Removes an instance of the default workspace, as another app would. Returns true if there was one.
    pub fn remove_instance(&self, service: &str, name: &str) -> bool {
        self.default_workspace().remove_instance(service, name)
    }
}
