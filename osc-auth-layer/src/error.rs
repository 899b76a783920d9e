//! Configuration errors: each names the setting and says what to do.

use std::fmt;

/// Says why a layer or a context could not be built.
///
/// `Display` names the setting, the problem and the remedy. `Debug` shows the same text, because
/// `fn main() -> Result<(), ConfigError>` prints `Debug`. The text never contains the value of a secret.
///
/// ```
/// use osc_auth_layer::{OAuthClient, OscAuthLayer};
///
/// let error = OscAuthLayer::builder(OAuthClient::public("cli"))
///     .public_url("http://app.example.com")
///     .build()
///     .unwrap_err();
/// assert!(error.to_string().starts_with("PUBLIC_URL / public_url"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum ConfigError {
    /// A required setting is missing.
    #[non_exhaustive]
    Missing {
        /// The setting's name. If there is an environment variable, it comes first.
        setting: &'static str,
        /// The remedy.
        remedy: String,
    },
    /// A setting is present but cannot be used.
    #[non_exhaustive]
    Invalid {
        /// The setting's name. If there is an environment variable, it comes first.
        setting: &'static str,
        /// The problem with the value.
        problem: String,
        /// The remedy.
        remedy: String,
    },
}

impl ConfigError {
    pub(crate) fn missing(setting: &'static str, remedy: impl Into<String>) -> Self {
        Self::Missing { setting, remedy: remedy.into() }
    }

    pub(crate) fn invalid(
        setting: &'static str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Invalid { setting, problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { setting, remedy } => write!(f, "{setting} is not set. {remedy}"),
            Self::Invalid { setting, problem, remedy } => write!(f, "{setting} {problem}. {remedy}"),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// Quotes a setting's value for an error. Withholds a value that may contain a password (`https://user:password@host`).
pub(crate) fn quoted(value: &str) -> String {
    if value.contains('@') { "(withheld)".to_owned() } else { format!("{value:?}") }
}

/// Returns a variable's text, trimmed; `None` if it is unset or empty.
pub(crate) fn text(
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    name: &'static str,
) -> Result<Option<String>, ConfigError> {
    match variable(name).map(std::ffi::OsString::into_string) {
        Some(Err(_)) => Err(ConfigError::invalid(name, "is not UTF-8", "Set it to UTF-8 text.")),
        Some(Ok(value)) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        None => Ok(None),
    }
}
