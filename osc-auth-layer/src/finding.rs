//! The findings of a preflight: what each is about, how bad it is, and what to do.

use std::fmt;

use crate::redact::line;

/// The longest problem or remedy, in characters.
const LONGEST: usize = 500;

/// The part of the deployment that a [`Finding`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// The provider's metadata and endpoints: `OSC_ISSUER`, and the network between.
    Metadata,
    /// The OAuth client: `CLIENT_ID` and `CLIENT_SECRET`.
    Client,
    /// The redirect URIs: `PUBLIC_URL`, and what is registered with the provider.
    RedirectUri,
    /// This machine's clock.
    Clock,
    /// The session store: `SESSION_STORE`, and the server or file behind it.
    Store,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "metadata",
            Self::Client => "client",
            Self::RedirectUri => "redirect URI",
            Self::Clock => "clock",
            Self::Store => "session store",
        })
    }
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Users cannot sign in, or their sessions do not work.
    Error,
    /// The app works, but slower than it could, or it loses sessions on some day.
    Warning,
    /// The answers do not tell. Look yourself, as the remedy says.
    Unchecked,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Unchecked => "not checked",
        })
    }
}

/// One thing that a preflight found. `Display` writes it as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    subject: Subject,
    severity: Severity,
    problem: String,
    remedy: String,
}

impl Finding {
    /// Makes a finding. `problem` and `remedy` are sentences for the person who deploys the app. They are printed and logged, so they
    /// must not contain a secret. Line breaks and control characters are replaced, and a text ends after 500 characters.
    ///
    /// ```
    /// use osc_auth_layer::preflight::{Finding, Severity, Subject};
    ///
    /// let finding = Finding::new(Subject::Store, Severity::Warning, "The disk is nearly full.", "Make room.");
    /// assert_eq!(finding.to_string(), "warning, session store: The disk is nearly full. Make room.");
    /// ```
    #[must_use]
    pub fn new(
        subject: Subject,
        severity: Severity,
        problem: impl AsRef<str>,
        remedy: impl AsRef<str>,
    ) -> Self {
        Self {
            subject,
            severity,
            problem: line(problem.as_ref(), LONGEST),
            remedy: line(remedy.as_ref(), LONGEST),
        }
    }

    /// Returns the part of the deployment that it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Returns how bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns the problem, as a sentence.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Returns what to do, as a sentence.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {} {}", self.severity, self.subject, self.problem, self.remedy)
    }
}
