//! Registering the app with the provider at run time (RFC 7591), without I/O.

use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::ErrorCode;
use super::wire::{AuthMethod, Credentials};
use crate::clock::Timestamp;
use crate::network::{WireRequest, WireResponse};
use crate::redact::line;
use crate::secret::Secret;

/// A client that is about to expire is not used for a sign-in that may take a while.
const MARGIN: Duration = Duration::from_secs(15 * 60);

/// What a client was registered for, and for how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) redirect_uris: Vec<String>,
    secret_expires_at: Option<Timestamp>,
    margin: Duration,
}

impl Registration {
    /// Whether a sign-in that returns to `redirect_uri` can still begin with it.
    pub(crate) fn serves(&self, redirect_uri: &str, now: Timestamp) -> bool {
        self.is_current(now) && self.covers(redirect_uri)
    }

    pub(crate) fn covers(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|uri| uri == redirect_uri)
    }

    /// Returns the time left until its secret expires, or `None` when that never happens. It is enough for a sign-in, also
    /// where the clock is ahead.
    pub(crate) fn ends_in(&self, now: Timestamp) -> Option<Duration> {
        self.secret_expires_at.map(|end| end.since(now).max(MARGIN))
    }

    /// RFC 7591 §3.2.1.
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
        "token_endpoint_auth_method": method.name(),
    });
    if !scopes.is_empty() {
        client["scope"] = scopes.join(" ").into();
    }
    WireRequest::new(Method::POST, endpoint).body("application/json", client.to_string())
}

/// Reads the answer (RFC 7591 §3.2). `None` when it gives no usable client.
pub(crate) fn parse(
    response: &WireResponse,
    redirect_uris: &[String],
    now: Timestamp,
) -> Option<(Credentials, Registration)> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let text = |name: &str| Some(answer.get(name)?.as_str()?).filter(|text| !text.is_empty());
    if !response.status.is_success() {
        tracing::error!(
            error = %ErrorCode::shown(text("error").unwrap_or_default(), &[]),
            error_description = %line(text("error_description").unwrap_or_default(), 200),
            "the provider refused to register the app"
        );
        return None;
    }
    let auth_method = match text("token_endpoint_auth_method") {
        Some(name) => Some(AuthMethod::parse(name)?),
        None => None,
    };
    let expires_at = answer.get("client_secret_expires_at").and_then(Value::as_u64).filter(|at| *at > 0);
    let credentials = Credentials {
        id: text("client_id")?.to_owned(),
        secret: text("client_secret").map(Secret::new),
        auth_method,
    };
    let secret_expires_at = expires_at.map(|at| Timestamp::from_millis(at.saturating_mul(1000)));
    let registration = Registration {
        redirect_uris: redirect_uris.to_vec(),
        secret_expires_at,
        // A secret that lives shorter than the margin is used all the same.
        margin: secret_expires_at.map_or(MARGIN, |at| MARGIN.min(at.since(now) / 2)),
    };
    Some((credentials, registration))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn parsed(status: u16, body: &Value) -> Option<(Credentials, Registration)> {
        let response = WireResponse {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.to_string().into(),
        };
        parse(&response, &["http://localhost/cb".to_owned()], Timestamp::default())
    }

    #[test]
    fn s17_a_registration_is_used_until_shortly_before_its_secret_expires() {
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
    fn what_gives_no_usable_client_is_no_registration() {
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
