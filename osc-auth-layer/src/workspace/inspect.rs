//! Reads an instance's health, logs, ports, replicas and internal address through its links.

use std::convert::identity;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

#[cfg(doc)]
use super::ContextErrorKind;
use super::answer::Doing;
use super::request::ServiceRequest;
use super::{ContextError, InstanceHealth, InstanceRef, InternalEndpoint, OscContext, Port, Scaling};

impl OscContext {
    /// Returns the health of an instance.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn is_up(osc: &OscContext) -> Result<bool, ContextError> {
    ///     Ok(osc.instance_health("minio-minio", "store").await?.is_running())
    /// }
    /// ```
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn instance_health<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<InstanceHealth, ContextError> {
        let doing = Doing::new("read the health of").of(service_id);
        self.follow(doing, instance.into(), "health", Method::GET, identity).await?.read()
    }

    /// Returns the latest lines of an instance's log. The platform decides how many.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn instance_logs<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<Vec<String>, ContextError> {
        let doing = Doing::new("read the logs of").of(service_id);
        let answer = self.follow(doing, instance.into(), "logs", Method::GET, identity).await?;
        Ok(lines(answer.success()?))
    }

    /// Returns the lines that an instance logged during the last `period`. The period is rounded up to whole seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn last_minute(osc: &OscContext) -> Result<Vec<String>, ContextError> {
    ///     osc.instance_logs_since("minio-minio", "store", Duration::from_secs(60)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn instance_logs_since<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
        period: Duration,
    ) -> Result<Vec<String>, ContextError> {
        let doing = Doing::new("read the logs of").of(service_id);
        let seconds = period.as_secs() + u64::from(period.subsec_nanos() > 0);
        let ask = |request: ServiceRequest| request.query("sinceSeconds", &seconds.max(1).to_string());
        let answer = self.follow(doing, instance.into(), "logs", Method::GET, ask).await?;
        Ok(lines(answer.success()?))
    }

    /// Returns the TCP ports under which an instance is reachable from outside. Use this for a database: its address is here,
    /// not in its `url`.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotFound`](ContextErrorKind::NotFound).
    pub async fn instance_ports<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<Vec<Port>, ContextError> {
        let doing = Doing::new("read the ports of").of(service_id);
        let ask = ServiceRequest::saying_json;
        self.follow(doing, instance.into(), "ports", Method::GET, ask).await?.read_list()
    }

    /// Returns the number of replicas of an instance.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn instance_scaling<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<Scaling, ContextError> {
        let doing = Doing::new("read the scaling of").of(service_id);
        let ask = ServiceRequest::by_authorization;
        self.follow(doing, instance.into(), "scale", Method::GET, ask).await?.read()
    }

    /// Sets the number of replicas of an instance. 0 stops it.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn scale_instance<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
        replicas: u32,
    ) -> Result<(), ContextError> {
        let doing = Doing::new("scale").of(service_id);
        let ask = |request: ServiceRequest| {
            request.by_authorization().body(&json!({ "desiredReplicas": replicas }))
        };
        self.follow(doing, instance.into(), "scale", Method::PUT, ask).await?.done()
    }

    /// Returns the address under which other instances and apps on OSC reach this instance.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotFound`](ContextErrorKind::NotFound) and
    /// [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn internal_endpoint<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
    ) -> Result<InternalEndpoint, ContextError> {
        let doing = Doing::new("read the internal endpoint of").of(service_id);
        let ask = ServiceRequest::saying_json;
        self.follow(doing, instance.into(), "internalEndpoint", Method::GET, ask).await?.read()
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
