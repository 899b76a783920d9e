//! The problems with Redis, in words that contain no secret.

use std::error::Error;
use std::fmt;

use redis::{ErrorKind, RedisError};

use crate::redact::line;

/// A problem with Redis. It leaves out the texts of the server and of redis-rs, because they quote what was sent, even a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The operating system's or the TLS library's reason.
    Unreachable(String),
    TimedOut,
    Unauthenticated,
    /// A replica, or a server that is not ready.
    NotServing(&'static str),
    /// A node of a Redis Cluster.
    Cluster,
    Sentinel,
    /// The server does not know a command.
    Unknown,
    /// The error's code.
    Refused(String),
    Nonsense,
    /// Redis did not send the notification of a change.
    Unnotified,
    NoRuntime,
}

/// The codes with which a server refuses every request, or every write, as long as its state lasts.
const NOT_SERVING: [&str; 3] = ["READONLY", "LOADING", "MASTERDOWN"];
const OF_CLUSTER: [&str; 4] = ["CLUSTERDOWN", "MOVED", "ASK", "CROSSSLOT"];

impl From<RedisError> for Problem {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Unauthenticated,
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::Nonsense,
            ErrorKind::RESP3NotSupported => Self::Unknown,
            _ if error.is_timeout() => Self::TimedOut,
            ErrorKind::Io | ErrorKind::Client | ErrorKind::InvalidClientConfig => {
                let reason = error.source().map(|reason| line(&reason.to_string(), 300));
                Self::Unreachable(reason.unwrap_or_else(|| "no address".to_owned()))
            }
            _ => Self::of_server(error.code().unwrap_or("ERR"), error.detail().unwrap_or_default()),
        }
    }
}

impl Problem {
    fn of_server(code: &str, detail: &str) -> Self {
        // Redis before 7.0 wraps the error that a script met in its own: `ERR Error running script (…): -READONLY …`.
        let met = detail.strip_prefix("Error running script").and_then(|detail| detail.split_once(": -"));
        let code = met.and_then(|(_, error)| error.split(' ').next()).unwrap_or(code);
        // An error that an ACL causes in a script has no code of its own. The second text is Valkey's.
        let is_denied = ["The user executing the script can't", "ACL failure in script"];
        if let Some(state) = NOT_SERVING.iter().find(|state| **state == code) {
            Self::NotServing(state)
        } else if OF_CLUSTER.contains(&code) {
            Self::Cluster
        } else if ["NOAUTH", "WRONGPASS"].contains(&code) {
            Self::Unauthenticated
        } else if is_denied.iter().any(|text| detail.contains(text)) {
            Self::Refused("NOPERM".to_owned())
        } else if code == "ERR" && detail.starts_with("unknown command") {
            Self::Unknown
        } else if code.len() <= 20 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Self::Refused(code.to_owned())
        } else {
            Self::Nonsense
        }
    }

    /// Returns true if another connection may succeed.
    pub(super) fn is_of_the_connection(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::TimedOut
                | Self::Unauthenticated
                | Self::NotServing(_)
                | Self::Cluster
                | Self::Sentinel
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: &str = match self {
            Self::Unreachable(reason) => {
                &format!("Redis cannot be reached ({reason}); check host, port and TLS in the store's URL")
            }
            Self::TimedOut => "Redis did not answer in time; check host, port and TLS in the store's URL",
            Self::Unauthenticated => "Redis refuses the user or password; check them in the store's URL",
            Self::NotServing("READONLY") => {
                "Redis is a read-only replica; name the primary in the store's URL"
            }
            Self::NotServing(state) => &format!("Redis is not ready ({state})"),
            Self::Cluster => {
                "the store's URL names a Redis Cluster, which RedisStore does not support; use a server without cluster mode"
            }
            Self::Sentinel => {
                "the store's URL names a Redis Sentinel, which keeps no data; use an address that always leads to the primary"
            }
            Self::Unknown => {
                "the server at the store's URL does not know a command; name a primary of Redis 5.0 or later (6.0 for notifications)"
            }
            Self::Refused(code) => match code.as_str() {
                "NOPERM" => {
                    "Redis denies the user in the store's URL a command or key (NOPERM); check the ACL"
                }
                "OOM" => "Redis is out of memory (OOM); raise its maxmemory",
                code => &format!("Redis answered with the error {code}"),
            },
            Self::Nonsense => "the server at the store's URL does not answer like Redis; check host and port",
            Self::Unnotified => "Redis did not notify about a change within a second",
            Self::NoRuntime => "RedisStore was called outside a Tokio runtime",
        };
        f.write_str(text)
    }
}

impl Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    fn answered(code: &str, detail: &str) -> Problem {
        redis::make_extension_error(code.to_owned(), Some(detail.to_owned())).into()
    }

    #[test]
    fn an_answer_of_the_server_is_shown_by_its_code_alone() {
        let secret = "unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hunter2'";
        for code in ["ERR", "WRONGTYPE", "NOPERM", "WRONGPASS", "hunter2", "READONLY"] {
            let told = format!("{:?}", StoreError::new(answered(code, secret)));
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert_eq!(answered("WRONGTYPE", ""), Problem::Refused("WRONGTYPE".to_owned()));
        assert_eq!(answered("NOAUTH", "Authentication required."), Problem::Unauthenticated);
        assert_eq!(answered("ERR", secret), Problem::Unknown);
        assert_eq!(answered("MOVED", "3999 127.0.0.1:6381"), Problem::Cluster);
    }

    #[test]
    fn errors_inside_scripts_reveal_a_replica_and_an_acl() {
        let wrapped = "Error running script (call to f_1): @user_script:8: -READONLY You can't write";
        assert_eq!(answered("ERR", wrapped), Problem::NotServing("READONLY"));
        let wrapped =
            "Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed";
        assert_eq!(answered("ERR", wrapped), Problem::Refused("OOM".to_owned()));
        for denied in [
            "Error running script (call to f_1): @user_script: 1: The user executing the script can't run this command",
            "The user executing the script can't run this command or subcommand script: 4d58",
            "ACL failure in script: User app has no permissions to run the 'hmget' command script: on @user_script:1.",
        ] {
            assert_eq!(answered("ERR", denied), Problem::Refused("NOPERM".to_owned()), "{denied}");
        }
        assert_eq!(answered("MASTERDOWN", "Link with MASTER is down"), Problem::NotServing("MASTERDOWN"));
    }

    #[test]
    fn problems_of_the_connection_are_told_from_others() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(Problem::from(RedisError::from(refused)).is_of_the_connection());
        let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
        assert_eq!(Problem::from(RedisError::from(late)), Problem::TimedOut);
        assert!(!answered("OOM", "command not allowed").is_of_the_connection());
    }
}
