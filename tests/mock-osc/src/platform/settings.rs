//! The settings of the platform. The builder sets them, and tests can change them later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::Value;

use crate::delay::Delay;
use crate::settings::Overrides;

/// The unit of `expiry`, which accompanies a service access token. OSC does not document it; its public apps
/// read seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiryForm {
    /// Seconds since the epoch.
    #[default]
    Seconds,
    /// Milliseconds since the epoch.
    Milliseconds,
    /// Seconds from now.
    SecondsLeft,
    /// Milliseconds from now.
    MillisecondsLeft,
    /// The field is absent.
    Absent,
}

/// The format of the platform's errors.
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

/// The format of an instance's logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogForm {
    /// A JSON array with one string per row.
    #[default]
    Rows,
    /// Plain text.
    Text,
    /// One JSON string.
    JsonText,
}

/// The answer to a creation whose name is taken.
#[derive(Clone, Debug)]
pub(crate) struct NameTaken {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

#[derive(Clone, Debug)]
pub(crate) struct PlatformSettings {
    pub(crate) balance: i64,
    pub(crate) plan: String,
    /// The services that no plan includes.
    pub(crate) not_included: BTreeSet<&'static str>,
    pub(crate) error_form: ErrorForm,
    pub(crate) service_token_ttl: Duration,
    pub(crate) expiry_form: ExpiryForm,
    pub(crate) opaque_service_tokens: bool,
    pub(crate) service_token_fields: Overrides,
    /// The service access tokens that a personal access token gets per minute.
    pub(crate) service_token_limit: Option<usize>,
    /// The number of lists that leave out a service after its activation.
    pub(crate) late_subscriptions: usize,
    /// Changed fields of subscriptions, by service.
    pub(crate) subscription_fields: BTreeMap<&'static str, Overrides>,
    /// If set, creations answer 504, and the instance appears after this delay.
    pub(crate) creation_timeout: Option<Delay>,
    pub(crate) name_taken: NameTaken,
    /// If set, the API of a new or resumed instance answers 401 for this long.
    pub(crate) locked_when_fresh: Option<Delay>,
    pub(crate) instance_start: Duration,
    pub(crate) fail_instances: bool,
    /// The reported health of every instance, whatever its state.
    pub(crate) instance_status: Option<Value>,
    /// The reported status of every job, whatever its state.
    pub(crate) job_status: Option<Value>,
    pub(crate) instance_fields: Overrides,
    pub(crate) instance_links: bool,
    /// Changed `href` values, by the link's name.
    pub(crate) links: Overrides,
    pub(crate) log_form: LogForm,
    /// The rows of every instance's log with their times. `None` gives each instance two rows of its own.
    pub(crate) logs: Option<Vec<(SystemTime, String)>>,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self {
            balance: 1250,
            plan: "PERSONAL".to_owned(),
            not_included: BTreeSet::new(),
            error_form: ErrorForm::default(),
            service_token_ttl: Duration::from_secs(3600),
            expiry_form: ExpiryForm::default(),
            opaque_service_tokens: false,
            service_token_fields: Overrides::new(),
            service_token_limit: None,
            late_subscriptions: 0,
            subscription_fields: BTreeMap::new(),
            creation_timeout: None,
            name_taken: NameTaken { status: StatusCode::CONFLICT, reason: "the name is taken".to_owned() },
            locked_when_fresh: None,
            instance_start: Duration::from_secs(2),
            fail_instances: false,
            instance_status: None,
            job_status: None,
            instance_fields: Overrides::new(),
            instance_links: true,
            links: Overrides::new(),
            log_form: LogForm::default(),
            logs: None,
        }
    }
}
