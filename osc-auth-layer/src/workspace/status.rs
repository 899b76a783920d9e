//! The statuses of instances and jobs, and the plans. Known words are variants, and unknown words are kept.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Defines an enum of words, with `Other` for words that this version does not know.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A word that this version does not know, exactly as the platform sent it.
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
                word.as_str().to_owned()
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
    /// Lists the statuses of an instance.
    ///
    /// ```
    /// use osc_auth_layer::workspace::InstanceStatus;
    ///
    /// assert_eq!(InstanceStatus::from("running".to_owned()), InstanceStatus::Running);
    /// let new = InstanceStatus::from("hibernating".to_owned());
    /// assert_eq!(new.to_string(), "hibernating");
    /// ```
    InstanceStatus {
        /// The instance is starting.
        Starting = "starting",
        /// The instance is ready for use.
        Running = "running",
        /// The instance was scaled to 0 replicas.
        Stopped = "stopped",
        /// The instance failed. Waiting does not help: read its logs, then restart or remove it.
        Failed = "failed",
        /// The platform does not know the status.
        Unknown = "unknown",
    }
}

words! {
    /// Lists the statuses of a job: the conditions of a Kubernetes job.
    JobStatus {
        /// The job is running.
        Running = "Running",
        /// The job is suspended.
        Suspended = "Suspended",
        /// The job has succeeded and is being cleaned up.
        SuccessCriteriaMet = "SuccessCriteriaMet",
        /// The job has succeeded.
        Complete = "Complete",
        /// The job has failed and is being cleaned up.
        FailureTarget = "FailureTarget",
        /// The job has failed.
        Failed = "Failed",
    }
}

impl JobStatus {
    /// Returns true if the job has succeeded.
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
    /// Lists the plans of a workspace.
    Plan {
        /// The free plan.
        Free = "FREE",
        /// The plan for one person.
        Personal = "PERSONAL",
        /// The plan for professionals.
        Professional = "PROFESSIONAL",
        /// The professional plan under its other name.
        Pro = "PRO",
        /// The plan for businesses.
        Business = "BUSINESS",
        /// The plan for enterprises.
        Enterprise = "ENTERPRISE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_words_become_variants_and_others_are_kept() {
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
    fn a_job_is_complete_or_failed_by_two_words_each() {
        let status = |word: &str| JobStatus::from(word.to_owned());
        assert!(status("Complete").is_complete() && status("SuccessCriteriaMet").is_complete());
        assert!(status("Failed").has_failed() && status("FailureTarget").has_failed());
        for word in ["Running", "Suspended", "complete", "failed", ""] {
            assert!(!status(word).is_complete() && !status(word).has_failed(), "{word}");
        }
    }

    #[test]
    fn an_unknown_plan_is_kept() {
        assert_eq!(Plan::from("PRO".to_owned()), Plan::Pro);
        assert_eq!(Plan::from("GALACTIC".to_owned()).as_str(), "GALACTIC");
    }
}
