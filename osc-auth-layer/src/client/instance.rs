//! A service's instances, and what can be asked of one.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::or_default;
use super::status::{InstanceStatus, JobStatus};

/// An instance (or job) of a service.
///
/// Its own options differ from service to service: read them from [`fields`](Self::fields), or
/// [`deserialize`](Self::deserialize) it into a type that knows the service. They may hold passwords, so `Debug` shows only
/// their names.
///
/// ```
/// use osc_auth_layer::client::Instance;
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
    /// Unique among the instances of the service in the workspace.
    pub name: String,
    /// Where it is reached. OSC's word: before it becomes a link on a page, see that it is a web address.
    #[serde(default, deserialize_with = "or_default")]
    pub url: Option<String>,
    /// `_links`: what it offers, by relation.
    #[serde(
        rename = "_links",
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "Map::is_empty"
    )]
    pub links: Map<String, Value>,
    /// Everything else.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Instance {
    /// Reads the whole of it as another type.
    ///
    /// # Errors
    /// When it has not the form of `T`. The error may quote a field.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(self)?)
    }

    /// Returns the status of a job; `None` for what is no job.
    #[must_use]
    pub fn job_status(&self) -> Option<JobStatus> {
        self.fields.get("status")?.as_str().map(|status| JobStatus::from(status.to_owned()))
    }

    /// Where a link of this relation (`self`, `health`, `logs`, `ports`, `restart`, `scale`) leads on the API's host.
    #[must_use]
    pub fn link(&self, relation: &str) -> Option<&str> {
        self.links.get(relation)?.get("href")?.as_str()
    }
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

/// Which instance is meant: by name, or one that was read before, which saves the request that looks its links up.
///
/// Made from a `&str`, a `&String` or an `&`[`Instance`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum InstanceRef<'a> {
    /// By name.
    Name(&'a str),
    /// As it was read.
    Known(&'a Instance),
}

impl<'a> InstanceRef<'a> {
    pub(super) fn name(self) -> &'a str {
        match self {
            Self::Name(name) => name,
            Self::Known(instance) => &instance.name,
        }
    }
}

impl<'a> From<&'a str> for InstanceRef<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl<'a> From<&'a String> for InstanceRef<'a> {
    fn from(name: &'a String) -> Self {
        Self::Name(name)
    }
}

impl<'a> From<&'a Instance> for InstanceRef<'a> {
    fn from(instance: &'a Instance) -> Self {
        Self::Known(instance)
    }
}

/// How an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceHealth {
    /// The platform's word for it.
    pub status: InstanceStatus,
}

impl InstanceHealth {
    /// Returns true if the instance can be used.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == InstanceStatus::Running
    }
}

/// A TCP port of an instance that is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Port {
    /// The address outside.
    pub external_ip: String,
    /// The port outside.
    pub external_port: u16,
    /// The port of the instance itself.
    pub internal_port: u16,
}

/// How many replicas an instance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Scaling {
    /// That run.
    #[serde(default)]
    pub actual_replicas: u32,
    /// That were asked for.
    pub desired_replicas: u32,
}

/// Where an instance is reached from inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InternalEndpoint {
    /// The host name inside the cluster.
    pub service_dns: String,
    /// The ports there.
    #[serde(default, deserialize_with = "or_default")]
    pub ports: Vec<InternalPort>,
    /// Whether the instance is reached from outside too, if the platform says so.
    #[serde(default, deserialize_with = "or_default")]
    pub public_access: Option<bool>,
}

/// A port of an instance inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InternalPort {
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its number.
    pub port: u16,
    /// Such as `TCP`.
    #[serde(default, deserialize_with = "or_default")]
    pub protocol: String,
}

/// `^[a-z0-9]+$`; a name becomes part of an address.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Such as `minio-minio`. Whether there is one of that name only the platform knows.
pub(super) fn is_service_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    id.starts_with(|first: char| first.is_ascii_alphanumeric()) && id.len() <= 128 && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_instance_is_a_core_links_and_the_services_own_fields_and_comes_back_whole() {
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
    fn an_instance_becomes_the_callers_type() {
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
    fn names_and_service_ids_are_held_to_their_alphabets() {
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
