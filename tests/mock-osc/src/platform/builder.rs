//! How a mock's platform is set up.

use std::time::Duration;

use crate::builder::Builder;
use crate::platform::{ErrorForm, ExpiryForm, LogForm};

impl Builder {
    /// The token balance that each workspace begins with. Default 1250.
    pub fn balance(mut self, tokens: i64) -> Self {
        self.settings.platform.balance = tokens;
        self
    }

    /// How the platform tells what is wrong. Default [`ErrorForm::Reason`].
    pub fn error_form(mut self, form: ErrorForm) -> Self {
        self.settings.platform.error_form = form;
        self
    }

    /// The lifetime of service access tokens. Default one hour.
    pub fn service_token_ttl(mut self, ttl: Duration) -> Self {
        self.settings.platform.service_token_ttl = ttl;
        self
    }

    /// What `expiry` beside a service access token means. Default [`ExpiryForm::Seconds`].
    pub fn expiry_form(mut self, form: ExpiryForm) -> Self {
        self.settings.platform.expiry_form = form;
        self
    }

    /// Hands out service access tokens that are no JWT, so that only `expiry` tells when they die.
    pub fn opaque_service_tokens(mut self) -> Self {
        self.settings.platform.opaque_service_tokens = true;
        self
    }

    /// How many lists of subscriptions leave out a service that was just activated; its access token is given at once.
    /// Default 0.
    pub fn late_subscriptions(mut self, lists: usize) -> Self {
        self.settings.platform.late_subscriptions = lists;
        self
    }

    /// For how long a new or restarted instance is `starting`. Default two seconds.
    pub fn instance_start(mut self, duration: Duration) -> Self {
        self.settings.platform.instance_start = duration;
        self
    }

    /// Leaves `_links` out of instances, as old ones have it. Default: they are there.
    pub fn without_instance_links(mut self) -> Self {
        self.settings.platform.instance_links = false;
        self
    }

    /// How logs are given. Default [`LogForm::Rows`].
    pub fn log_form(mut self, form: LogForm) -> Self {
        self.settings.platform.log_form = form;
        self
    }
}
