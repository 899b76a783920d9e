//! Request and answer of a registration at run time (RFC 7591), without I/O.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::ErrorCode;
use super::wire::{AuthMethod, Credentials, GrantError};
use crate::clock::Timestamp;
use crate::network::{WireRequest, WireResponse};
use crate::redact::line;
use crate::secret::Secret;

/// How long before its expiry a client is no longer used for new sign-ins, because a sign-in may take a while.
const MARGIN: Duration = Duration::from_secs(15 * 60);

/// The redirect URIs that a client was registered for, and its expiry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) redirect_uris: Vec<String>,
    secret_expires_at: Option<Timestamp>,
    margin: Duration,
}

impl Registration {
    /// Returns true if a sign-in that returns to `redirect_uri` can begin with this registration.
    pub(crate) fn serves(&self, redirect_uri: &str, now: Timestamp) -> bool {
        self.is_current(now) && self.covers(redirect_uri)
    }

    pub(crate) fn covers(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|uri| uri == redirect_uri)
    }

    /// Returns the time until the secret expires, or `None` if it never expires. The time is always enough for a sign-in, even
    /// if the clock is ahead.
    pub(crate) fn ends_in(&self, now: Timestamp) -> Option<Duration> {
        self.secret_expires_at.map(|end| end.since(now).max(MARGIN))
    }

    /// Returns true if the secret does not expire soon (RFC 7591 §3.2.1).
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        self.secret_expires_at.is_none_or(|end| now.plus(self.margin) < end)
    }
}

pub(crate) fn request(
    endpoint: Url,
    name: &str,
    redirect_uris: &[String],
    method: AuthMethod,
    scopes: &[String],
) -> WireRequest {
    let mut client = json!({
        "client_name": name,
        "redirect_uris": redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    });
    if !scopes.is_empty() {
        client["scope"] = scopes.join(" ").into();
    }
    WireRequest::new(Method::POST, endpoint).body("application/json", client.to_string())
}

/// Reads the answer to a registration (RFC 7591 §3.2). `None` if it contains no usable client.
pub(crate) fn parse(response: &WireResponse, redirect_uris: &[String], now: Timestamp) -> Option<Registered> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let text = |name: &str| Some(answer.get(name)?.as_str()?).filter(|text| !text.is_empty());
    if !response.status.is_success() {
        tracing::error!(
            error = %ErrorCode::shown(text("error").unwrap_or_default(), &[]),
            error_description = %line(text("error_description").unwrap_or_default(), 200),
            "The provider did not register the app. If this persists, create an OAuth app and set CLIENT_ID."
        );
        return None;
    }
    let auth_method = match text("token_endpoint_auth_method") {
        Some(name) => Some(AuthMethod::parse(name)?),
        None => None,
    };
    let credentials = Credentials {
        id: text("client_id")?.to_owned(),
        secret: text("client_secret").map(Secret::new),
        auth_method,
    };
    let expires_at = answer.get("client_secret_expires_at").and_then(Value::as_u64).filter(|at| *at > 0);
    let secret_expires_at = expires_at.map(|at| Timestamp::from_millis(at.saturating_mul(1000)));
    let registration = Registration {
        redirect_uris: redirect_uris.to_vec(),
        secret_expires_at,
        // The margin shrinks for a secret that lives only briefly, so that it can be used at all.
        margin: secret_expires_at.map_or(MARGIN, |at| MARGIN.min(at.since(now) / 2)),
    };
    Some((Arc::new(credentials), registration))
}

/// A client that the provider made, and its registration.
pub(crate) type Registered = (Arc<Credentials>, Registration);

/// The future that the methods of [`Registrations`] return.
type Answer<'r, T> = BoxFuture<'r, Result<T, GrantError>>;

/// The registrations that all nodes of an app share. The first one counts.
pub(crate) trait Registrations: Send + Sync {
    /// Returns the registration for sign-ins that return to these URIs.
    fn current<'r>(&'r self, app: &'r str, redirect_uris: &'r [String]) -> Answer<'r, Option<Registered>>;

    /// Returns the registration of this client id.
    fn by_id<'r>(&'r self, client_id: &'r str) -> Answer<'r, Option<Registered>>;

    /// Shares a registration. If another node was faster, returns that node's registration, which counts instead.
    fn share<'r>(
        &'r self,
        app: &'r str,
        registered: &'r Registered,
        now: Timestamp,
    ) -> Answer<'r, Option<Registered>>;

    /// Removes `registered` if it is still the one that counts, so that another one can take its place.
    fn supersede<'r>(&'r self, app: &'r str, registered: &'r Registered) -> Answer<'r, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn parsed(status: u16, body: &Value) -> Option<Registered> {
        let response = WireResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            retry_after: None,
            body: body.to_string().into(),
        };
        parse(&response, &["http://localhost/cb".to_owned()], Timestamp::default())
    }

    #[test]
    fn s17_a_registration_is_used_until_shortly_before_expiry() {
        let (_, eternal) = parsed(201, &json!({"client_id": "a", "client_secret_expires_at": 0})).unwrap();
        assert!(eternal.serves("http://localhost/cb", Timestamp::from_millis(u64::MAX / 2)));
        let (_, mortal) =
            parsed(201, &json!({"client_id": "a", "client_secret": "s", "client_secret_expires_at": 2000}))
                .unwrap();
        assert!(mortal.serves("http://localhost/cb", Timestamp::from_millis(1_000_000)));
        assert!(!mortal.serves("http://localhost/cb", Timestamp::from_millis(1_100_001)));
        assert!(!mortal.serves("http://localhost:1/cb", Timestamp::from_millis(0)));
    }

    #[test]
    fn an_unusable_registration_answer_is_refused() {
        for (status, body) in [
            (400, json!({"error": "invalid_client_metadata", "client_id": "a"})),
            (201, json!({})),
            (201, json!({"client_id": ""})),
            (201, json!({"client_id": 7})),
            (201, json!({"client_id": "a", "token_endpoint_auth_method": "private_key_jwt"})),
            (201, json!([])),
        ] {
            assert!(parsed(status, &body).is_none(), "{status} {body}");
        }
    }
}
