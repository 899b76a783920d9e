//! The platform's words for how an instance, a job and a plan are: the known ones as variants, every other one kept.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An enum of words, with `Other` for those that this version does not know.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A word that this version does not know, as the platform gave it.
            Other(String),
        }

        impl $name {
            /// Returns the platform's word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                match word {
                    $name::Other(word) => word,
                    known => known.as_str().to_owned(),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, word: &&str) -> bool {
                self.as_str() == *word
            }
        }
    };
}

words! {
    /// How an instance is.
    ///
    /// ```
    /// use osc_auth_layer::client::InstanceStatus;
    ///
    /// assert_eq!(InstanceStatus::from("running".to_owned()), InstanceStatus::Running);
    /// let new = InstanceStatus::from("hibernating".to_owned());
    /// assert_eq!(new.to_string(), "hibernating");
    /// ```
    InstanceStatus {
        /// It is being started.
        Starting = "starting",
        /// It can be used.
        Running = "running",
        /// It was scaled to 0 replicas.
        Stopped = "stopped",
        /// It failed, and will not run by waiting: read its logs, then restart or remove it.
        Failed = "failed",
        /// The platform does not know.
        Unknown = "unknown",
    }
}

words! {
    /// How a job is: the conditions of a Kubernetes job.
    JobStatus {
        /// It is at work.
        Running = "Running",
        /// It was suspended.
        Suspended = "Suspended",
        /// It has done its work, and its last steps are being cleaned up.
        SuccessCriteriaMet = "SuccessCriteriaMet",
        /// It has done its work.
        Complete = "Complete",
        /// It has failed, and its last steps are being cleaned up.
        FailureTarget = "FailureTarget",
        /// It has failed.
        Failed = "Failed",
    }
}

impl JobStatus {
    /// Returns true if the job has done its work.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete | Self::SuccessCriteriaMet)
    }

    /// Returns true if the job has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self, Self::Failed | Self::FailureTarget)
    }
}

words! {
    /// The plan that a workspace pays for.
    Plan {
        /// Free of charge.
        Free = "FREE",
        /// For one person.
        Personal = "PERSONAL",
        /// For professionals.
        Professional = "PROFESSIONAL",
        /// Another word for it.
        Pro = "PRO",
        /// For businesses.
        Business = "BUSINESS",
        /// For enterprises.
        Enterprise = "ENTERPRISE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_words_are_variants_and_others_are_kept() {
        let read = |word: &str| serde_json::from_value::<InstanceStatus>(json!(word)).unwrap();
        assert_eq!(read("failed"), InstanceStatus::Failed);
        assert_eq!(read("unknown"), InstanceStatus::Unknown);
        for other in ["Running", "RUNNING", " running", "", "hibernating"] {
            assert_eq!(read(other), InstanceStatus::Other(other.to_owned()));
            assert_eq!(serde_json::to_value(read(other)).unwrap(), json!(other));
        }
        assert_eq!(serde_json::to_value(InstanceStatus::Starting).unwrap(), json!("starting"));
        assert_eq!(
            (read("stopped"), format!("{:>9}", read("stopped"))),
            (read("stopped"), "  stopped".to_owned())
        );
        assert!(read("running") == "running" && read("new") == "new" && read("new") != "old");
        assert!(serde_json::from_value::<InstanceStatus>(json!(7)).is_err());
    }

    #[test]
    fn a_job_ends_well_or_badly_by_either_of_two_words() {
        let status = |word: &str| JobStatus::from(word.to_owned());
        assert!(status("Complete").is_complete() && status("SuccessCriteriaMet").is_complete());
        assert!(status("Failed").has_failed() && status("FailureTarget").has_failed());
        for word in ["Running", "Suspended", "complete", "failed", ""] {
            assert!(!status(word).is_complete() && !status(word).has_failed(), "{word}");
        }
    }

    #[test]
    fn a_plan_of_tomorrow_is_kept() {
        assert_eq!(Plan::from("PRO".to_owned()), Plan::Pro);
        assert_eq!(Plan::from("GALACTIC".to_owned()).as_str(), "GALACTIC");
    }
}
