//! Lists and resumes suspended instances, which are absent from the lists of their services.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[cfg(doc)]
use super::ContextErrorKind;
use super::access::check_service_id;
use super::answer::{Doing, or_default};
use super::instance::check_name;
use super::{ContextError, OscContext, OscInstance};

const MYSUSPENDED: &str = "mysuspended";

/// Describes an instance that OSC has suspended. To act on it, take its handle with [`instance`](Self::instance).
///
/// OSC keeps its parameters, but data in the instance's own volume may be lost. Parameters may contain passwords, so `Debug`
/// shows only the names of parameters and other fields.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SuspendedInstance {
    /// The id of the instance's service.
    pub service_id: String,
    /// The instance's name.
    #[serde(rename = "instanceName", alias = "name")]
    pub name: String,
    /// The time of the suspension, as the platform writes it (RFC 3339).
    #[serde(default, deserialize_with = "or_default")]
    pub suspended_at: Option<String>,
    /// The reason for the suspension, such as `idle`.
    #[serde(default, deserialize_with = "or_default")]
    pub reason: Option<String>,
    /// The options with which OSC creates the instance again.
    #[serde(default, deserialize_with = "or_default")]
    pub parameters: Map<String, Value>,
    /// All other fields that the platform returns.
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

impl SuspendedInstance {
    /// Returns a handle to the instance, for example to [resume](OscInstance::resume) it. Sends nothing.
    #[must_use]
    pub fn instance(&self, osc: &OscContext) -> OscInstance {
        osc.service(&self.service_id).instance(&self.name)
    }
}

impl OscContext {
    /// Lists the workspace's suspended instances of all services.
    ///
    /// # Errors
    /// [Those of any call](OscContext#errors-of-any-call).
    pub async fn suspended_instances(&self) -> Result<Vec<SuspendedInstance>, ContextError> {
        let doing = Doing::new("list the suspended instances");
        let request = self.platform(doing)?.request(Method::GET, "deploy", &[MYSUSPENDED]);
        self.ask_platform(doing, request).await?.read_list()
    }
}

impl OscInstance {
    /// Resumes the instance if it is suspended.
    ///
    /// For up to a minute the service may not know the instance yet, or answer 401.
    /// [`wait_until_ready`](Self::wait_until_ready) waits through that. Resume one instance after another: the platform is known
    /// to lose track of instances when two resumes overlap.
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn resume_all(osc: &OscContext) -> Result<(), ContextError> {
    ///     for suspended in osc.suspended_instances().await? {
    ///         let instance = suspended.instance(osc);
    ///         instance.resume().await?;
    ///         instance.wait_until_ready(Duration::from_secs(300), |_| {}).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): no suspended instance has this name.
    pub async fn resume(&self) -> Result<(), ContextError> {
        let doing = self.doing("resume");
        let context = &self.service.context;
        check_service_id(doing)?;
        check_name(doing)?;
        let path = [MYSUSPENDED, &self.service.id, &self.name, "resume"];
        let request = context.platform(doing)?.request(Method::POST, "deploy", &path).without_content_type();
        context.ask_platform(doing, request).await?.done()?;
        let workspace = context.workspace(doing).await?;
        // The subscription may have ended when its last instance was suspended.
        workspace.forget_subscriptions();
        workspace.starts.lock().resumed(doing.key(), context.now(doing)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn suspended_instances_keep_parameters_and_hide_them_in_debug() {
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
        let other = json!({ "serviceId": "encore", "name": "mine" });
        assert_eq!(serde_json::from_value::<SuspendedInstance>(other).unwrap().name, "mine");
    }
}
