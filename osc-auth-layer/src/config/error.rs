//! What is wrong with the configuration, in a sentence that names the setting and the remedy.

use std::fmt;

/// Why a layer could not be built.
///
/// Both `Display` and `Debug` are one sentence that names the setting and what to do about it, since
/// `fn main() -> Result<(), ConfigError>` prints the latter. A secret's value is never part of it.
///
/// ```
/// use osc_auth_layer::{Client, OscAuthLayer};
///
/// let error = OscAuthLayer::builder(Client::public("cli"))
///     .public_url("http://app.example.com")
///     .build()
///     .unwrap_err();
/// assert!(error.to_string().starts_with("PUBLIC_URL / public_url"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting that has to be there is not.
    #[non_exhaustive]
    Missing {
        /// The setting's name, the environment variable first where there is one.
        setting: &'static str,
        /// What to do.
        remedy: String,
    },
    /// A setting is there and cannot be used.
    #[non_exhaustive]
    Invalid {
        /// The setting's name, the environment variable first where there is one.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What to do.
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
            Self::Missing { setting, remedy } => write!(f, "{setting} is not set: {remedy}"),
            Self::Invalid { setting, problem, remedy } => write!(f, "{setting} {problem}: {remedy}"),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// A setting's value for an error; withheld when it might hold a password (`https://user:password@host`).
pub(crate) fn quoted(value: &str) -> String {
    if value.contains('@') { "(withheld)".to_owned() } else { format!("{value:?}") }
}
