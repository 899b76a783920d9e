//! Instances of services, and the answers about them, as the platform describes them.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::answer::or_default;
use super::{InstanceStatus, JobStatus};

/// Describes an instance or a job of a service. To act on it, pass it to
/// [`OscService::known_instance`](super::OscService::known_instance).
///
/// Each service has its own options. Read them from [`fields`](Self::fields), or [`deserialize`](Self::deserialize) the
/// instance into your own type for the service. Options may contain passwords, so `Debug` shows only their names.
///
/// ```
/// use osc_auth_layer::workspace::Instance;
///
/// #[derive(serde::Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Minio {
///     root_user: String,
/// }
///
/// fn user_of(instance: &Instance) -> Result<String, serde_json::Error> {
///     Ok(instance.deserialize::<Minio>()?.root_user)
/// }
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Instance {
    /// The name, unique among the instances of the service in the workspace.
    pub name: String,
    /// The address of the instance, as OSC gives it. Check that it is a web address before you put it into a link.
    #[serde(default, deserialize_with = "or_default")]
    pub url: Option<String>,
    /// The instance's links (`_links`) by relation. See [`link`](Self::link).
    #[serde(rename = "_links", default, deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub links: Map<String, Value>,
    /// All other fields: the service's own options.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Instance {
    /// Converts the whole instance into another type.
    ///
    /// # Errors
    /// The instance does not have the form of `T`. The error may quote a field.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(self)?)
    }

    /// Returns the status of a job. `None` if this is not a job.
    #[must_use]
    pub fn job_status(&self) -> Option<JobStatus> {
        self.fields.get("status")?.as_str().map(|status| JobStatus::from(status.to_owned()))
    }

    /// Returns the path of a link on the API's host. Relations are `self`, `health`, `logs`, `ports`, `restart`, `scale` and
    /// `internalEndpoint`. `None` if the instance has no such link.
    #[must_use]
    pub fn link(&self, relation: &str) -> Option<&str> {
        href(&self.links, relation)
    }
}

pub(super) fn href<'a>(links: &'a Map<String, Value>, relation: &str) -> Option<&'a str> {
    links.get(relation)?.get("href")?.as_str()
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("links", &self.links.keys().collect::<Vec<_>>())
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Holds the health of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceHealth {
    /// The status that the platform reports.
    pub status: InstanceStatus,
}

impl InstanceHealth {
    /// Returns true if the instance is ready for use.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == InstanceStatus::Running
    }
}

/// Holds a TCP port of an instance that is reachable from outside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Port {
    /// The public IP address.
    pub external_ip: String,
    /// The public port.
    pub external_port: u16,
    /// The port that the instance listens on.
    pub internal_port: u16,
}

/// Holds the number of replicas of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Scaling {
    /// The replicas that run now. 0 if the platform does not say.
    #[serde(default)]
    pub actual_replicas: u32,
    /// The replicas that were asked for.
    pub desired_replicas: u32,
}

/// Holds the address of an instance inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InternalEndpoint {
    /// The host name inside the cluster.
    pub service_dns: String,
    /// The ports inside the cluster.
    #[serde(default, deserialize_with = "or_default")]
    pub ports: Vec<InternalPort>,
    /// True if the instance is reachable from outside too. `None` if the platform does not say.
    #[serde(default, deserialize_with = "or_default")]
    pub public_access: Option<bool>,
}

/// Holds a port of an instance inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InternalPort {
    /// The port's name. Empty if the platform does not say.
    pub name: String,
    /// The port number.
    pub port: u16,
    /// The protocol, such as `TCP`. Empty if the platform does not say.
    pub protocol: String,
}

/// Reads a number or an object. OSC's documentation does not say which of the two it uses.
impl<'de> Deserialize<'de> for InternalPort {
    fn deserialize<D: Deserializer<'de>>(answer: D) -> Result<Self, D::Error> {
        let answer = Value::deserialize(answer)?;
        let port = u16::deserialize(answer.get("port").unwrap_or(&answer)).map_err(D::Error::custom)?;
        let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        Ok(Self { name: text("name"), port, protocol: text("protocol") })
    }
}

/// Returns true for `^[a-z0-9]+$`. A name becomes part of a host name and of a path.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Returns true for a well-formed id, such as `minio-minio`. Only the platform knows whether the service exists.
pub(super) fn is_service_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    id.starts_with(|first: char| first.is_ascii_alphanumeric()) && id.len() <= 128 && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_instance_survives_a_round_trip_through_json() {
        let answer = json!({
            "name": "store", "url": "https://store.example", "RootUser": "admin", "RootPassword": "hunter2",
            "_links": { "self": { "href": "/minioinstance/store" }, "odd": 7 },
        });
        let instance: Instance = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!(
            (instance.name.as_str(), instance.url.as_deref()),
            ("store", Some("https://store.example"))
        );
        assert_eq!(instance.fields["RootUser"], "admin");
        assert_eq!(instance.link("self"), Some("/minioinstance/store"));
        assert_eq!((instance.link("odd"), instance.link("health")), (None, None));
        assert_eq!(serde_json::to_value(&instance).unwrap(), answer);
        let debug = format!("{instance:?}");
        assert!(debug.contains("RootPassword") && !debug.contains("hunter2"), "{debug}");
    }

    #[test]
    fn an_instance_deserializes_into_the_callers_type() {
        #[derive(Deserialize)]
        struct Minio {
            name: String,
            #[serde(rename = "RootUser")]
            root_user: String,
        }
        let instance: Instance = serde_json::from_value(json!({ "name": "a", "RootUser": "admin" })).unwrap();
        let minio: Minio = instance.deserialize().unwrap();
        assert_eq!((minio.name.as_str(), minio.root_user.as_str()), ("a", "admin"));
        assert!(instance.deserialize::<Vec<u8>>().is_err());
    }

    #[test]
    fn names_and_service_ids_allow_only_their_alphabets() {
        assert!(is_name("a1") && is_name("0"));
        for bad in ["", "A", "a-b", "a_b", "a b", "å", "a/b", "..", "a\n"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_service_id("minio-minio") && is_service_id("EyevinnOSC.some_thing"));
        for bad in ["", ".", "..", "-a", "a/b", "a b", "å", "a?", &"a".repeat(129)] {
            assert!(!is_service_id(bad), "{bad}");
        }
    }
}
