//! The forms and answers of the token, revocation and pushed-authorization endpoints (RFC 6749, 7009, 9126), without I/O.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::error_code::{ErrorCode, Misconfiguration};
use crate::network::{NetworkError, WireRequest, WireResponse};
use crate::redact::redacted;
use crate::secret::Secret;

/// The app's current client id and secret, configured or registered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Credentials {
    #[serde(rename = "client_id")]
    pub(crate) id: String,
    #[serde(rename = "client_secret", default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Secret>,
    /// The method that was configured or agreed on at registration. `None` leaves the choice to the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth_method: Option<AuthMethod>,
}

/// A client authentication method, as in `token_endpoint_auth_methods_supported` (RFC 8414 §2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum AuthMethod {
    #[serde(rename = "client_secret_post")]
    Post,
    #[serde(rename = "client_secret_basic")]
    Basic,
    #[serde(rename = "none")]
    None,
}

impl AuthMethod {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<serde::de::value::Error>::new(name)).ok()
    }
}

/// The refresh token that the next refresh spends, and its client.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) credentials: Arc<Credentials>,
}

/// The tokens in the answer to a grant.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    /// The access token in the form in which it is used: `Bearer <token>`, marked sensitive.
    pub(crate) bearer: HeaderValue,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) lifetime: Duration,
}

/// The reason why a grant brought no tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GrantError {
    /// `invalid_grant`: the code or refresh token is no longer good (RFC 6749 §5.2).
    Refused,
    /// Another OAuth error, such as `invalid_client`. Somebody has to change a setting.
    Misconfigured(Misconfiguration),
    /// The provider did not get the request, or asks to retry later (429).
    NotSent { retry_after: Option<Duration> },
    /// The request was sent, but the answer is lost or malformed. The grant may be spent.
    PossiblyProcessed { retry_after: Option<Duration> },
    /// The request was sent, but no answer came in time. The provider may still spend the grant.
    TimedOut,
    /// The registration that the nodes share could not be read or written. The provider was not asked.
    NotShared,
}

impl GrantError {
    /// Returns how long the provider asks to wait before the next try.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotSent { retry_after } | Self::PossiblyProcessed { retry_after } => *retry_after,
            Self::Refused | Self::Misconfigured(_) | Self::TimedOut | Self::NotShared => None,
        }
    }
}

impl From<NetworkError> for GrantError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::NotSent => Self::NotSent { retry_after: None },
            NetworkError::TimedOut => Self::TimedOut,
            NetworkError::PossiblyProcessed | NetworkError::TooLong => {
                Self::PossiblyProcessed { retry_after: None }
            }
        }
    }
}

/// Makes a form POST of the client, authenticated by `method` (RFC 6749 §2.3.1).
pub(crate) fn client_request(
    url: Url,
    credentials: &Credentials,
    method: AuthMethod,
    fields: &[(&str, &str)],
) -> WireRequest {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let mut request = WireRequest::new(Method::POST, url);
    match (&credentials.secret, method) {
        (Some(secret), AuthMethod::Basic) => {
            request = request.header(header::AUTHORIZATION, basic(&credentials.id, secret.expose()));
        }
        (Some(secret), AuthMethod::Post) => {
            form.append_pair("client_id", &credentials.id);
            form.append_pair("client_secret", secret.expose());
        }
        (_, AuthMethod::None) | (None, _) => _ = form.append_pair("client_id", &credentials.id),
    }
    request.body("application/x-www-form-urlencoded", form.finish())
}

/// Leaves `client_id` out of a form's fields, unless the method keeps it in a header: all methods but Basic add it to the form.
pub(super) fn without_duplicate_id<'f>(
    fields: &[(&'f str, &'f str)],
    method: AuthMethod,
) -> Vec<(&'f str, &'f str)> {
    let is_left = |(name, _): &(&str, &str)| method == AuthMethod::Basic || *name != "client_id";
    fields.iter().copied().filter(is_left).collect()
}

/// Everything but RFC 3986's unreserved characters. A space becomes `%20`. RFC 6749 §2.3.1 can be read in two ways, and every
/// server decodes this one.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn basic(id: &str, secret: &str) -> HeaderValue {
    let id = utf8_percent_encode(id, ESCAPED);
    let secret = utf8_percent_encode(secret, ESCAPED);
    let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let mut value = HeaderValue::try_from(value).expect("base64 is valid in a header");
    value.set_sensitive(true);
    value
}

/// Reads a token response (RFC 6749 §5.1) or an error (§5.2). No log line repeats the secrets in `sent`, which the request
/// contained, even if the provider does.
pub(crate) fn parse_tokens(response: &WireResponse, sent: &[&Secret]) -> Result<Tokens, GrantError> {
    let nonsense = GrantError::PossiblyProcessed { retry_after: response.retry_after };
    if response.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(GrantError::NotSent { retry_after: response.retry_after });
    }
    if response.status.is_success() {
        return tokens(&response.body).ok_or(nonsense);
    }
    let sent: Vec<_> = sent.iter().map(|secret| secret.expose()).collect();
    let Some((code, error, error_description)) = error_in(response, &sent) else { return Err(nonsense) };
    let status = response.status.as_u16();
    tracing::warn!(status, %error, %error_description, "The provider's token endpoint returned an error.");
    Err(match code {
        ErrorCode::InvalidGrant => GrantError::Refused,
        ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError => nonsense,
        code => GrantError::Misconfigured(Misconfiguration::Code(code)),
    })
}

/// Reads an error answer (RFC 6749 §5.2): its code, and the code and the description for a log line.
pub(super) fn error_in(response: &WireResponse, sent: &[&str]) -> Option<(ErrorCode, String, String)> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let text = |field| answer.get(field).and_then(Value::as_str);
    let code = text("error").filter(|_| response.status.is_client_error())?;
    let description = redacted(text("error_description").unwrap_or_default(), 200, sent);
    Some((ErrorCode::of(code), ErrorCode::shown(code, sent), description))
}

impl Tokens {
    pub(crate) fn access_token(&self) -> &str {
        let access_token = self.bearer.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default();
        str::from_utf8(access_token).unwrap_or_default()
    }

    /// Returns the token to revoke to end the grant, with its `token_type_hint` (RFC 7009 §2.1).
    pub(crate) fn revocable(&self) -> (Secret, &'static str) {
        match &self.refresh_token {
            Some(refresh_token) => (refresh_token.clone(), "refresh_token"),
            None => (Secret::new(self.access_token()), "access_token"),
        }
    }
}

/// A token response (RFC 6749 §5.1).
#[derive(Deserialize)]
struct TokenAnswer<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    token_type: Option<String>,
    refresh_token: Option<String>,
    /// Raw, so that a number beyond the range of `f64` does not make the whole answer unreadable.
    expires_in: Option<&'a RawValue>,
}

/// Reads the body of a successful token response.
pub(crate) fn tokens(body: &[u8]) -> Option<Tokens> {
    let answer: TokenAnswer<'_> = serde_json::from_slice(body).ok()?;
    if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return None;
    }
    let expires_in = answer.expires_in.and_then(|raw| serde_json::from_str(raw.get()).ok());
    Some(Tokens {
        bearer: bearer(&answer.access_token)?,
        refresh_token: answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        lifetime: lifetime(expires_in.as_ref()),
    })
}

/// Returns `Bearer <token>`, marked sensitive. `None` if the token is empty or not valid in a header. Accepts more characters
/// than RFC 6750 §2.1 does.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    // Without an early end, the compiler checks many bytes at a time.
    let is_graphic = token.bytes().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic());
    if token.is_empty() || !is_graphic {
        return None;
    }
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}

/// The lifetime if `expires_in` is missing or not a number (RFC 6749 §5.1 leaves it to the client).
pub(crate) const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);
/// The shortest lifetime, in seconds. Without it, every request would refresh a token that claims to have expired already.
const SHORTEST: f64 = 1.0;
/// The longest lifetime, in seconds: 497 days, the most that a session can hold.
const LONGEST: f64 = 42_949_672.0;

fn lifetime(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let seconds = seconds.filter(|seconds| !seconds.is_nan()).map(|seconds| seconds.clamp(SHORTEST, LONGEST));
    seconds.map_or(DEFAULT_LIFETIME, Duration::from_secs_f64)
}

/// Reads the `request_uri` from the answer to a pushed authorization request (RFC 9126 §2.2). `sent` are the secrets that the
/// request contained.
pub(crate) fn parse_pushed(response: &WireResponse, sent: &[&str]) -> Result<String, GrantError> {
    let nonsense = GrantError::PossiblyProcessed { retry_after: response.retry_after };
    if response.status.is_success() {
        return request_uri(&response.body).ok_or(nonsense);
    }
    let Some((code, error, error_description)) = error_in(response, sent) else { return Err(nonsense) };
    tracing::error!(
        %error,
        %error_description,
        "The provider refused the pushed authorization request. Check the client, its redirect URIs and its scopes."
    );
    Err(match code {
        ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError => nonsense,
        _ if response.status == StatusCode::TOO_MANY_REQUESTS => nonsense,
        code => GrantError::Misconfigured(Misconfiguration::Code(code)),
    })
}

pub(super) fn request_uri(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["request_uri"].as_str().filter(|uri| !uri.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
