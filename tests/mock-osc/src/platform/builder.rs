//! Sets up the mock's platform.

use std::time::Duration;

use crate::builder::MockOscBuilder;
use crate::delay::Delay;
use crate::platform::{ErrorForm, ExpiryForm, LogForm};

impl MockOscBuilder {
    /// Sets the site of the services' APIs, for requests by OSC's host names. With `prod-se`, an API is at
    /// `api-SERVICE.auto.prod-se.osaas.io`.
    ///
    /// Default: the environment itself, for example `prod`. On the mock's own address, APIs are always found
    /// by path.
    pub fn api_site(mut self, site: &str) -> Self {
        self.settings.api_site = Some(site.to_owned());
        self
    }

    /// Sets the token balance that each workspace starts with. Default: 1250.
    pub fn balance(mut self, tokens: i64) -> Self {
        self.settings.platform.balance = tokens;
        self
    }

    /// Sets the plan of each workspace. Default: `PERSONAL`.
    pub fn plan(mut self, plan: &str) -> Self {
        plan.clone_into(&mut self.settings.platform.plan);
        self
    }

    /// Sets the format of the platform's errors. Default: [`ErrorForm::Reason`].
    pub fn error_form(mut self, form: ErrorForm) -> Self {
        self.settings.platform.error_form = form;
        self
    }

    /// Sets the lifetime of service access tokens. Default: one hour.
    pub fn service_token_ttl(mut self, ttl: Duration) -> Self {
        self.settings.platform.service_token_ttl = ttl;
        self
    }

    /// Sets the unit of `expiry`, which accompanies a service access token. Default: [`ExpiryForm::Seconds`].
    pub fn expiry_form(mut self, form: ExpiryForm) -> Self {
        self.settings.platform.expiry_form = form;
        self
    }

    /// Issues service access tokens that are random text, so that only `expiry` states when they expire.
    pub fn opaque_service_tokens(mut self) -> Self {
        self.settings.platform.opaque_service_tokens = true;
        self
    }

    /// Sets how many lists of subscriptions leave out a service after its activation. Its access token is
    /// issued at once. Default: 0.
    pub fn late_subscriptions(mut self, lists: usize) -> Self {
        self.settings.platform.late_subscriptions = lists;
        self
    }

    /// Sets how long a new or restarted instance is `starting`. Default: two seconds.
    pub fn instance_start(mut self, duration: Duration) -> Self {
        self.settings.platform.instance_start = duration;
        self
    }

    /// Makes creations time out; see [`set_creation_timeout`](crate::MockOsc::set_creation_timeout). Default: they
    /// succeed at once.
    pub fn creation_timeout(mut self, turns_up_after: Delay) -> Self {
        self.settings.platform.creation_timeout = Some(turns_up_after);
        self
    }

    /// Makes fresh instances answer 401; see [`set_locked_when_fresh`](crate::MockOsc::set_locked_when_fresh). Default:
    /// they answer at once.
    pub fn locked_when_fresh(mut self, delay: Delay) -> Self {
        self.settings.platform.locked_when_fresh = Some(delay);
        self
    }

    /// Leaves `_links` out of instances, as OSC does with old ones. Default: they are there.
    pub fn without_instance_links(mut self) -> Self {
        self.settings.platform.instance_links = false;
        self
    }

    /// Sets the format of logs. Default: [`LogForm::Rows`].
    pub fn log_form(mut self, form: LogForm) -> Self {
        self.settings.platform.log_form = form;
        self
    }
}
