//! Instances that were suspended: absent from the lists of their services until they are resumed.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access::check_service_id;
use super::answer::{Doing, or_default};
use super::context::OscContext;
use super::error::ContextError;
#[cfg(doc)]
use super::error::ContextErrorKind;
use super::instances::check_name;
use super::platform::Platform;

const MYSUSPENDED: &str = "mysuspended";

/// An instance that OSC has suspended. Its parameters are kept; what it stored in a volume of its own may be lost.
///
/// They may hold passwords, so `Debug` shows only the names of parameters and other fields.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SuspendedInstance {
    /// The service it is of.
    pub service_id: String,
    /// Its name.
    #[serde(rename = "instanceName")]
    pub name: String,
    /// Since when, as the platform writes it (RFC 3339).
    #[serde(default, deserialize_with = "or_default")]
    pub suspended_at: Option<String>,
    /// Why, such as `idle`.
    #[serde(default, deserialize_with = "or_default")]
    pub reason: Option<String>,
    /// The options it is created with again.
    #[serde(default, deserialize_with = "or_default")]
    pub parameters: Map<String, Value>,
    /// Everything else.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl fmt::Debug for SuspendedInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuspendedInstance")
            .field("service_id", &self.service_id)
            .field("name", &self.name)
            .field("suspended_at", &self.suspended_at)
            .field("reason", &self.reason)
            .field("parameters", &self.parameters.keys().collect::<Vec<_>>())
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl OscContext {
    /// Lists the workspace's suspended instances, of all services.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn suspended_instances(&self) -> Result<Vec<SuspendedInstance>, ContextError> {
        let doing = Doing::new("list the suspended instances");
        let request = |platform: &Platform| platform.request(Method::GET, "deploy", &[MYSUSPENDED]);
        self.ask_platform(doing, request).await?.read_list(doing)
    }

    /// Resumes a suspended instance. It takes a while until it is there again: for a minute its service may not know it, or
    /// answer 401. [`wait_until_ready`](Self::wait_until_ready) sits that out.
    ///
    /// Resume one instance after another: the platform is known to lose track of some when two resumes overlap.
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn resume_all(osc: &OscContext) -> Result<(), ContextError> {
    ///     for it in osc.suspended_instances().await? {
    ///         osc.resume_instance(&it.service_id, &it.name).await?;
    ///         osc.wait_until_ready(&it.service_id, &it.name, Duration::from_secs(300), |_| {}).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): no suspended instance has this name.
    pub async fn resume_instance(&self, service_id: &str, name: &str) -> Result<(), ContextError> {
        let doing = Doing::new("resume").of(service_id).to(name);
        check_service_id(doing, service_id)?;
        check_name(doing, name)?;
        let request = |platform: &Platform| {
            let path = [MYSUSPENDED, service_id, name, "resume"];
            platform.request(Method::POST, "deploy", &path).without_content_type()
        };
        self.ask_platform(doing, request).await?.done(doing)?;
        let workspace = self.workspace(doing).await?;
        // The subscription went with the last instance that was suspended, perhaps.
        workspace.forget_subscriptions();
        workspace.starts.lock().resumed(service_id, name, self.now(doing)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_suspended_instance_keeps_its_parameters_and_shows_none() {
        let answer = json!({
            "serviceId": "encore", "instanceName": "mine", "suspendedAt": "2026-09-29T08:00:00Z", "reason": "idle",
            "parameters": { "key": "hunter2" }, "tenantId": "acme",
        });
        let suspended: SuspendedInstance = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!((suspended.name.as_str(), suspended.reason.as_deref()), ("mine", Some("idle")));
        assert_eq!(serde_json::to_value(&suspended).unwrap(), answer);
        let debug = format!("{suspended:?}");
        assert!(debug.contains("key") && !debug.contains("hunter2") && !debug.contains("acme"), "{debug}");
        let least = json!({ "serviceId": "encore", "instanceName": "mine", "parameters": null });
        assert!(serde_json::from_value::<SuspendedInstance>(least).unwrap().parameters.is_empty());
    }
}
