//! Reads an instance's health, logs, ports, replicas and internal address through its links.

use std::convert::identity;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

#[cfg(doc)]
use super::ContextErrorKind;
use super::request::ServiceRequest;
use super::{ContextError, InstanceHealth, InternalEndpoint, OscInstance, Port, Scaling};

impl OscInstance {
    /// Returns the health of the instance.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn is_up(osc: &OscContext) -> Result<bool, ContextError> {
    ///     let store = osc.service("minio-minio").instance("store");
    ///     Ok(store.health().await?.is_running())
    /// }
    /// ```
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn health(&self) -> Result<InstanceHealth, ContextError> {
        self.follow(self.doing("read the health of"), "health", Method::GET, identity).await?.read()
    }

    /// Returns the latest lines of the instance's log. The platform decides how many.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn logs(&self) -> Result<Vec<String>, ContextError> {
        self.read_logs(identity).await
    }

    /// Returns the lines that the instance logged during the last `period`. The period is rounded up to whole seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn last_minute(osc: &OscContext) -> Result<Vec<String>, ContextError> {
    ///     osc.service("minio-minio").instance("store").logs_since(Duration::from_secs(60)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn logs_since(&self, period: Duration) -> Result<Vec<String>, ContextError> {
        let seconds = period.as_secs() + u64::from(period.subsec_nanos() > 0);
        self.read_logs(|request| request.query("sinceSeconds", &seconds.max(1).to_string())).await
    }

    async fn read_logs(
        &self,
        ask: impl Fn(ServiceRequest) -> ServiceRequest,
    ) -> Result<Vec<String>, ContextError> {
        let answer = self.follow(self.doing("read the logs of"), "logs", Method::GET, ask).await?;
        Ok(lines(answer.success()?))
    }

    /// Returns the TCP ports under which the instance is reachable from outside. Use this for a database: its address is here,
    /// not in its `url`.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn ports(&self) -> Result<Vec<Port>, ContextError> {
        let ask = ServiceRequest::saying_json;
        self.follow(self.doing("read the ports of"), "ports", Method::GET, ask).await?.read_list()
    }

    /// Returns the number of replicas of the instance.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn scaling(&self) -> Result<Scaling, ContextError> {
        let ask = ServiceRequest::by_authorization;
        self.follow(self.doing("read the scaling of"), "scale", Method::GET, ask).await?.read()
    }

    /// Sets the number of replicas of the instance. 0 stops it.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn scale(&self, replicas: u32) -> Result<(), ContextError> {
        let ask = |request: ServiceRequest| {
            request.by_authorization().body(&json!({ "desiredReplicas": replicas }))
        };
        self.follow(self.doing("scale"), "scale", Method::PUT, ask).await?.done()
    }

    /// Returns the address under which other instances and apps on OSC reach this instance.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn internal_endpoint(&self) -> Result<InternalEndpoint, ContextError> {
        let doing = self.doing("read the internal endpoint of");
        self.follow(doing, "internalEndpoint", Method::GET, ServiceRequest::saying_json).await?.read()
    }
}

/// Reads a log, which comes as a JSON array of lines, as one JSON string, or as plain text.
fn lines(body: &[u8]) -> Vec<String> {
    let text = |text: &str| text.lines().map(str::to_owned).collect();
    match serde_json::from_slice(body) {
        Ok(Value::Array(lines)) => {
            lines.iter().map(|line| line.as_str().map_or_else(|| line.to_string(), str::to_owned)).collect()
        }
        Ok(Value::String(logged)) => text(&logged),
        _ => text(&String::from_utf8_lossy(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_logs_becomes_lines() {
        assert_eq!(lines(br#"["a","b",{"c":1}]"#), ["a", "b", r#"{"c":1}"#]);
        assert_eq!(lines(br#""a\nb""#), ["a", "b"]);
        assert_eq!(lines(b"a\nb\n"), ["a", "b"]);
        assert_eq!(lines(b"{\"level\":1}\n{\"level\":2}"), ["{\"level\":1}", "{\"level\":2}"]);
        assert!(lines(b"").is_empty());
    }
}
