//! How the platform behaves, as the builder set it and tests change it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::settings::Overrides;

/// What `expiry` beside a service access token means, which OSC documents nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiryForm {
    /// Seconds since the epoch.
    #[default]
    Seconds,
    /// Milliseconds since the epoch.
    Milliseconds,
    /// The seconds that are left.
    SecondsLeft,
    /// The milliseconds that are left.
    MillisecondsLeft,
    /// The field is left out.
    Absent,
}

/// How the platform tells what is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorForm {
    /// JSON with a `reason`.
    #[default]
    Reason,
    /// JSON with a `message`.
    Message,
    /// Plain text.
    Text,
    /// An HTML page.
    Html,
    /// No body.
    Empty,
}

/// How the logs of an instance are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogForm {
    /// A JSON array with one string for each row.
    #[default]
    Rows,
    /// Plain text.
    Text,
    /// One JSON string.
    JsonText,
}

#[derive(Clone, Debug)]
pub(crate) struct PlatformSettings {
    pub(crate) balance: i64,
    pub(crate) error_form: ErrorForm,
    pub(crate) service_token_ttl: Duration,
    pub(crate) expiry_form: ExpiryForm,
    pub(crate) opaque_service_tokens: bool,
    pub(crate) service_token_fields: Overrides,
    /// How many lists leave out what was just activated.
    pub(crate) late_subscriptions: usize,
    /// By service.
    pub(crate) subscription_fields: BTreeMap<&'static str, Overrides>,
    pub(crate) instance_start: Duration,
    pub(crate) fail_instances: bool,
    /// What health says, whatever the state of the instance.
    pub(crate) instance_status: Option<Value>,
    pub(crate) instance_fields: Overrides,
    pub(crate) instance_links: bool,
    /// The `href` by the link's name.
    pub(crate) links: Overrides,
    pub(crate) log_form: LogForm,
    pub(crate) logs: Vec<String>,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self {
            balance: 1250,
            error_form: ErrorForm::default(),
            service_token_ttl: Duration::from_secs(3600),
            expiry_form: ExpiryForm::default(),
            opaque_service_tokens: false,
            service_token_fields: Overrides::new(),
            late_subscriptions: 0,
            subscription_fields: BTreeMap::new(),
            instance_start: Duration::from_secs(2),
            fail_instances: false,
            instance_status: None,
            instance_fields: Overrides::new(),
            instance_links: true,
            links: Overrides::new(),
            log_form: LogForm::default(),
            logs: ["started", "listening"].map(str::to_owned).to_vec(),
        }
    }
}
