//! Stores secrets that the instances of a service refer to.

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::access::check_service_id;
use super::answer::Doing;
use super::{ContextError, ContextErrorKind, OscService, Outcome};

const MYSECRETS: &str = "mysecrets";

/// A secret of a service, by its name. OSC never returns its value.
///
/// Get it from [`OscService::secret`]. The secret need not exist yet. It belongs to the service, not to one instance. The handle
/// is cheap to clone and outlives the request that it came from.
///
/// ```
/// use osc_auth_layer::{ContextError, OscContext};
/// use serde_json::json;
///
/// async fn create(osc: &OscContext, password: &str) -> Result<(), ContextError> {
///     let minio = osc.service("minio-minio");
///     let secret = minio.secret("storepassword");
///     secret.save(password).await?;
///     let options = json!({ "RootUser": "admin", "RootPassword": secret.reference() });
///     minio.instance("store").create(options).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OscSecret {
    pub(super) service: OscService,
    pub(super) name: Arc<str>,
}

impl OscService {
    /// Lists the names of the secrets that are stored for the service. OSC never returns their values.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn list_secrets(&self) -> Result<Vec<String>, ContextError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stored {
            secret_name: String,
        }
        let doing = self.doing("list the secrets");
        check_service_id(doing)?;
        let request = self.context.platform(doing)?.request(Method::GET, "deploy", &[MYSECRETS, &self.id]);
        let answer = self.context.ask_platform(doing, request.without_content_type()).await?;
        let stored: Vec<Stored> = answer.read_list()?;
        Ok(stored.into_iter().map(|secret| secret.secret_name).collect())
    }
}

impl OscSecret {
    /// Returns the secret's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns `{{secrets.<name>}}`: the value of an option by which an instance refers to the secret. OSC shows `***` in its
    /// place.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{{{{secrets.{}}}}}", self.name)
    }

    /// Stores the secret. Replaces a secret of the same name. Does not subscribe to the service.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn save(&self, value: &str) -> Result<(), ContextError> {
        let doing = self.service.doing("save the secret").to(&self.name);
        check(doing, value)?;
        let OscService { context, id } = &self.service;
        let request = context.platform(doing)?.request(Method::POST, "deploy", &[MYSECRETS, id]);
        let request = request.body(&json!({ "secretName": &*self.name, "secretData": value }));
        context.ask_platform(doing, request).await?.hiding(value).done()
    }

    /// Changes the value of the stored secret. Instances read it when they start, so restart those that refer to it.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn rotate(osc: &OscContext, password: &str) -> Result<(), ContextError> {
    ///     let minio = osc.service("minio-minio");
    ///     minio.secret("storepassword").update(password).await?;
    ///     minio.instance("store").restart().await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): there is no such secret.
    pub async fn update(&self, value: &str) -> Result<(), ContextError> {
        let doing = self.service.doing("change the secret").to(&self.name);
        check(doing, value)?;
        let OscService { context, id } = &self.service;
        let request = context.platform(doing)?.request(Method::PUT, "deploy", &[MYSECRETS, id, &self.name]);
        let request = request.body(&json!({ "secretData": value }));
        context.ask_platform(doing, request).await?.hiding(value).done()
    }

    /// Removes the secret. Instances that refer to it may fail to start the next time.
    ///
    /// # Errors
    /// [`NotFound`](ContextErrorKind::NotFound): there is no such secret.
    pub async fn remove(&self) -> Result<(), ContextError> {
        let doing = self.service.doing("remove the secret").to(&self.name);
        check(doing, "-")?;
        let OscService { context, id } = &self.service;
        let request =
            context.platform(doing)?.request(Method::DELETE, "deploy", &[MYSECRETS, id, &self.name]);
        context.ask_platform(doing, request).await?.done_removing()
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
