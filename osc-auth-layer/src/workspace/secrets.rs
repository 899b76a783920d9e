//! Stores secrets that the instances of a service refer to.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::access::check_service_id;
use super::answer::Doing;
use super::{ContextError, ContextErrorKind, OscContext, Outcome};

const MYSECRETS: &str = "mysecrets";

impl OscContext {
    /// Lists the names of the secrets that are stored for a service. OSC never returns their values.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn list_secrets(&self, service_id: &str) -> Result<Vec<String>, ContextError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stored {
            secret_name: String,
        }
        let doing = Doing::new("list the secrets").of(service_id);
        check_service_id(doing)?;
        let request = self.platform(doing)?.request(Method::GET, "deploy", &[MYSECRETS, service_id]);
        let answer = self.ask_platform(doing, request.without_content_type()).await?;
        let stored: Vec<Stored> = answer.read_list()?;
        Ok(stored.into_iter().map(|secret| secret.secret_name).collect())
    }

    /// Stores a secret for the instances of a service. Replaces a secret of the same name.
    ///
    /// An instance refers to it by an option with the value `{{secrets.name}}`, which OSC shows as `***`. The secret belongs
    /// to the service, not to one instance. This call does not activate the service.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    /// use serde_json::json;
    ///
    /// async fn create(osc: &OscContext, password: &str) -> Result<(), ContextError> {
    ///     osc.save_secret("minio-minio", "storepassword", password).await?;
    ///     let options = json!({ "RootUser": "admin", "RootPassword": "{{secrets.storepassword}}" });
    ///     osc.create_instance("minio-minio", "store", options).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn save_secret(&self, service_id: &str, name: &str, value: &str) -> Result<(), ContextError> {
        let doing = Doing::new("save the secret").of(service_id).to(name);
        check(doing, value)?;
        let request = self.platform(doing)?.request(Method::POST, "deploy", &[MYSECRETS, service_id]);
        let request = request.body(&json!({ "secretName": name, "secretData": value }));
        self.ask_platform(doing, request).await?.hiding(value).done()
    }

    /// Changes the value of a stored secret. Instances read it when they start, so restart those that refer to it.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn rotate(osc: &OscContext, password: &str) -> Result<(), ContextError> {
    ///     osc.update_secret("minio-minio", "password", password).await?;
    ///     osc.restart_instance("minio-minio", "store").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): there is no such secret.
    pub async fn update_secret(&self, service_id: &str, name: &str, value: &str) -> Result<(), ContextError> {
        let doing = Doing::new("change the secret").of(service_id).to(name);
        check(doing, value)?;
        let request = self.platform(doing)?.request(Method::PUT, "deploy", &[MYSECRETS, service_id, name]);
        let request = request.body(&json!({ "secretData": value }));
        self.ask_platform(doing, request).await?.hiding(value).done()
    }

    /// Removes a secret. Instances that refer to it may fail to start the next time.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): there is no such secret.
    pub async fn remove_secret(&self, service_id: &str, name: &str) -> Result<(), ContextError> {
        let doing = Doing::new("remove the secret").of(service_id).to(name);
        check(doing, "-")?;
        let request = self.platform(doing)?.request(Method::DELETE, "deploy", &[MYSECRETS, service_id, name]);
        self.ask_platform(doing, request).await?.done_removing()
    }
}

/// Checks the arguments. A name becomes a segment of a path, where `.` and `..` would mean another path.
fn check(doing: Doing<'_>, value: &str) -> Outcome<()> {
    check_service_id(doing)?;
    let why = match doing.name() {
        name if name.is_empty() || value.is_empty() => "the name or the value of the secret is empty",
        "." | ".." => "a secret cannot be named . or ..",
        _ => return Ok(()),
    };
    Err(doing.error(ContextErrorKind::InvalidInput, why))
}
