//! Creates an instance, and interprets the platform's answer.

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answer::{Doing, Key};
use super::instance::{check_name, object};
use super::reply::Answer;
use super::request::Api;
use super::taken::says_taken;
use super::{ContextError, ContextErrorKind, Instance, OscInstance, Outcome};
use crate::network::{NetworkError, WireResponse};

/// A request for an instance: its service, its name and its options.
pub(super) struct Order {
    pub(super) key: Key,
    pub(super) body: Value,
    /// A hash of name and options. It tells orders apart without keeping the options, which may contain passwords.
    pub(super) digest: [u8; 32],
}

impl Order {
    pub(super) fn new(doing: Doing<'_>, options: impl Serialize) -> Outcome<Self> {
        let mut body = object(doing, options)?;
        body["name"] = check_name(doing)?.into();
        let digest = Sha256::digest(body.to_string()).into();
        Ok(Self { key: doing.key(), body, digest })
    }
}

impl OscInstance {
    /// Creates the instance. Subscribes to the service if the workspace does not yet.
    ///
    /// Each service has its own options. The instance takes a while to start: see
    /// [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// The request is sent once. If its outcome is unclear, the instance may turn up minutes later. Use
    /// [`create_or_adopt`](Self::create_or_adopt) to wait for it.
    ///
    /// ```
    /// use osc_auth_layer::{ContextError, OscContext};
    /// use serde_json::json;
    ///
    /// async fn create(osc: &OscContext) -> Result<(), ContextError> {
    ///     let store = osc.service("minio-minio").instance("store");
    ///     let options = json!({ "RootUser": "admin", "RootPassword": "{{secrets.password}}" });
    ///     let created = store.create(options).await?;
    ///     println!("{} is starting at {:?}", created.name, created.url);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// - [`NameTaken`](ContextErrorKind::NameTaken): an instance of this name exists already.
    /// - [`MaybeCreated`](ContextErrorKind::MaybeCreated): the answer was lost, or is a 504 or another 5xx without a reason.
    /// - [`PlanRequired`](ContextErrorKind::PlanRequired): the workspace's plan does not include the service.
    /// - [`NotFound`](ContextErrorKind::NotFound): OSC has no such service.
    pub async fn create(&self, options: impl Serialize) -> Result<Instance, ContextError> {
        let doing = self.doing("create");
        let order = Order::new(doing, options)?;
        let created = self.ask_to_create(doing, &order.body).await;
        if created.as_ref().is_err_and(|error| error.kind() == ContextErrorKind::MaybeCreated) {
            let workspace = self.service.context.workspace(doing).await?;
            workspace.starts.lock().begin(&order, self.service.context.now(doing)?);
        }
        created
    }

    /// Sends the request. If a successful answer does not contain the instance, looks it up.
    pub(super) async fn ask_to_create(&self, doing: Doing<'_>, body: &Value) -> Outcome<Instance> {
        let request = |api: &Api| Some(api.instances(Method::POST).body(body));
        let answer = self.service.ask_service(doing.activating(), request).await?;
        if let Some(instance) = verdict(&answer)? {
            return Ok(instance);
        }
        let found = self.look(doing).await.ok().flatten();
        found.ok_or_else(|| doing.error(ContextErrorKind::MaybeCreated, MAYBE_CREATED))
    }
}

/// Returns the instance of a successful answer, or `None` if the answer does not contain it.
fn verdict(answer: &Answer<'_>) -> Outcome<Option<Instance>> {
    let error = match answer.read() {
        Ok(instance) => return Ok(Some(instance)),
        Err(error) if error.kind() == ContextErrorKind::UnexpectedAnswer && answer.is_success() => {
            return Ok(None);
        }
        Err(error) => error,
    };
    let is_unclear = match &answer.response {
        Ok(response) => response.status.is_server_error() && !is_explained(response),
        Err(lost) => *lost != NetworkError::NotSent,
    };
    if is_unclear {
        return Err(error.with_kind(ContextErrorKind::MaybeCreated, MAYBE_CREATED));
    }
    let is_taken = error.status().is_some_and(|status| {
        let says_taken = || error.reason().is_some_and(|reason| says_taken(reason, answer.doing.name()));
        status == StatusCode::CONFLICT || ((status.is_client_error() || status.is_success()) && says_taken())
    });
    Err(if is_taken { error.with_kind(ContextErrorKind::NameTaken, TAKEN) } else { error })
}

/// Returns true if the service itself says what is wrong, or that it is unavailable for now (RFC 9110 §15.6.4). A page or
/// a plain text may come from a gateway instead, which does not know what happened in the service behind it.
fn is_explained(response: &WireResponse) -> bool {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let has_reason = ["reason", "message"].iter().any(|field| json[field].is_string());
    match response.status {
        StatusCode::GATEWAY_TIMEOUT => false,
        StatusCode::SERVICE_UNAVAILABLE => has_reason || response.retry_after.is_some(),
        _ => has_reason,
    }
}

const MAYBE_CREATED: &str =
    "it may have been created; look for it in a few minutes before you create it again";
pub(super) const TAKEN: &str = "the name is taken";

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn judge(status: u16, retry_after: Option<u64>, body: &str) -> Result<String, ContextErrorKind> {
        let response = WireResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            retry_after: retry_after.map(Duration::from_secs),
            body: body.to_owned().into(),
        };
        let answer = Answer {
            doing: Doing::new("create").to("store"),
            response: Ok(response),
            secrets: vec!["a-service-access-token".to_owned()],
            only_reads: false,
            is_repeat: false,
            is_to_bare_token: false,
        };
        let shown = verdict(&answer).map_err(|error| error.kind())?;
        Ok(shown.map(|instance| instance.name).unwrap_or_default())
    }

    #[test]
    fn an_answer_means_created_taken_refused_or_unclear() {
        use ContextErrorKind as Kind;
        let html = "<html>504 Gateway Time-out</html>";
        for (status, retry_after, body, expected) in [
            (201, None, r#"{"name":"store"}"#, Ok("store")),
            (200, None, r#"{"name":"store","reason":"an option of the service"}"#, Ok("store")),
            (200, None, r#"{"reason":"no room"}"#, Err(Kind::Refused)),
            (200, None, r#"{"reason":"name already taken"}"#, Err(Kind::NameTaken)),
            (200, None, r#"{"message":"being created"}"#, Ok("")),
            (200, None, html, Ok("")),
            (204, None, "", Ok("")),
            (409, None, "", Err(Kind::NameTaken)),
            (409, None, r#"{"reason":"conflict"}"#, Err(Kind::NameTaken)),
            (400, None, r#"{"reason":"Instance store already exists"}"#, Err(Kind::NameTaken)),
            (403, None, r#"{"message":"The name is in use"}"#, Err(Kind::NameTaken)),
            (422, None, "name already taken", Err(Kind::NameTaken)),
            (400, None, r#"{"reason":"port already in use"}"#, Err(Kind::Refused)),
            (402, None, r#"{"reason":"upgrade"}"#, Err(Kind::PlanRequired)),
            (404, None, "", Err(Kind::NotFound)),
            (429, Some(5), "", Err(Kind::Unavailable)),
            (500, None, r#"{"reason":"out of memory"}"#, Err(Kind::Unavailable)),
            (503, None, r#"{"reason":"ORCHESTRATOR_UNAVAILABLE"}"#, Err(Kind::Unavailable)),
            (503, Some(5), "", Err(Kind::Unavailable)),
            (500, None, "", Err(Kind::MaybeCreated)),
            (502, None, html, Err(Kind::MaybeCreated)),
            (503, None, "no healthy upstream", Err(Kind::MaybeCreated)),
            (500, None, r#"{"reason":7}"#, Err(Kind::MaybeCreated)),
            (504, None, html, Err(Kind::MaybeCreated)),
            (504, None, r#"{"reason":"timeout"}"#, Err(Kind::MaybeCreated)),
            (504, Some(5), "", Err(Kind::MaybeCreated)),
            (302, None, "", Err(Kind::UnexpectedAnswer)),
        ] {
            assert_eq!(judge(status, retry_after, body), expected.map(str::to_owned), "{status} {body}");
        }
    }

    #[test]
    fn different_options_give_different_digests() {
        let doing = Doing::new("create").of("a").to("b");
        let order = |options: Value| Order::new(doing, options).unwrap().digest;
        let one = order(serde_json::json!({ "x": 1, "y": 2 }));
        assert_eq!(one, order(serde_json::json!({ "y": 2, "x": 1, "name": "other" })));
        assert_ne!(one, order(serde_json::json!({ "x": 1 })));
    }
}
