//! Service access tokens, and how long they are cached.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::answer::token_of;
use super::request::Api;
use crate::clock::Timestamp;
use crate::oauth::bearer;

/// Gives access to one service in the user's workspace. It is cheap to clone, and `Debug` does not show the token.
///
/// Send the token only to the service's [`api_url`](Self::api_url), and never to the browser.
#[derive(Clone)]
pub struct ServiceAccessToken(Arc<Issued>);

struct Issued {
    service_id: String,
    api: Api,
    bearer: HeaderValue,
    expires_at: Timestamp,
    keep_until: Timestamp,
}

impl ServiceAccessToken {
    /// Returns the id of the service that the token is for.
    #[must_use]
    pub fn service_id(&self) -> &str {
        &self.0.service_id
    }

    /// Returns the service's `apiUrl`, the only address that the token may go to.
    #[must_use]
    pub fn api_url(&self) -> &str {
        self.0.api.as_str()
    }

    /// Returns the token itself.
    #[must_use]
    pub fn token(&self) -> &str {
        token_of(&self.0.bearer)
    }

    /// Returns `Bearer <token>` for OSC's `x-jwt` header. The value is marked sensitive.
    #[must_use]
    pub fn bearer(&self) -> HeaderValue {
        self.0.bearer.clone()
    }

    /// Returns the time at which the token expires. If OSC does not say, that is five minutes after its issue.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.0.expires_at.into()
    }

    /// Returns the only API that the token may go to.
    pub(super) fn api(&self) -> &Api {
        &self.0.api
    }

    /// Returns true if the token is not about to expire.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.0.keep_until
    }

    /// Reads the answer of the token service. `None` if it contains no token that is valid in a header.
    pub(super) fn parse(service_id: &str, api: &Api, body: &[u8], now: Timestamp) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            token: String,
            expiry: Option<Value>,
        }
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let expires_at = jwt_expiry(&answer.token)
            .or_else(|| number(answer.expiry.as_ref()?))
            .and_then(|number| moment(number, now))
            .unwrap_or(now.plus(UNTOLD_LIFETIME));
        let lifetime = expires_at.since(now);
        let kept_for = lifetime.saturating_sub(MARGIN.min(lifetime / 4)).max(SHORTEST);
        Some(Self(Arc::new(Issued {
            service_id: service_id.to_owned(),
            api: api.clone(),
            bearer: bearer(&answer.token)?,
            expires_at,
            keep_until: now.plus(kept_for),
        })))
    }
}

impl fmt::Debug for ServiceAccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccessToken")
            .field("service_id", &self.0.service_id)
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

const UNTOLD_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How long before its expiry a token is no longer used, because a request takes a while and clocks differ.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is kept at least. A token that seems expired at its issue means that the clocks are hours apart. Without
/// this minimum, every call would ask for another token. If the token is dead, the service refuses it.
const SHORTEST: Duration = Duration::from_secs(30);

/// Converts `expiry` into a time. OSC documents no unit, so the size of the number tells it: a lifetime or a date, in seconds
/// or milliseconds.
///
/// A lifetime of more than a week is in milliseconds. Lifetimes are smaller than any date since 2001. Dates in seconds are
/// smaller than dates in milliseconds until the year 5138.
fn moment(number: f64, now: Timestamp) -> Option<Timestamp> {
    const A_WEEK: f64 = 604_800.0;
    const A_DATE: f64 = 1e9;
    const IN_MILLISECONDS: f64 = 1e11;
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    match number {
        _ if !number.is_finite() || number <= 0.0 => None,
        _ if number <= A_WEEK => Some(now.plus(seconds(number)?)),
        _ if number < A_DATE => Some(now.plus(seconds(number / 1000.0)?)),
        _ if number < IN_MILLISECONDS => Some(Timestamp::default().plus(seconds(number)?)),
        _ => Some(Timestamp::default().plus(seconds(number / 1000.0)?)),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Returns the claim `exp` (RFC 7519 §4.1.4). The signature need not be verified: the claim only tells when to ask for the
/// next token.
fn jwt_expiry(token: &str) -> Option<f64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let parts: Vec<_> = token.split('.').collect();
    let [_, payload, _] = parts[..] else { return None };
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    Some(serde_json::from_slice::<Claims>(&claims).ok()?.exp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millis(NOW * 1000)
    }

    fn api() -> Api {
        let platform = crate::workspace::Platform::at("http://localhost:4000").unwrap();
        platform.api("a", "http://localhost:4000/ainstance").unwrap()
    }

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn parse(token: &str, expiry: Value) -> ServiceAccessToken {
        let body = json!({ "serviceId": "a", "token": token, "expiry": expiry }).to_string();
        ServiceAccessToken::parse("a", &api(), body.as_bytes(), now()).unwrap()
    }

    fn lifetime(token: &str, expiry: Value) -> u64 {
        let token = parse(token, expiry);
        token.0.expires_at.since(now()).as_secs()
    }

    #[test]
    fn the_size_of_expiry_tells_its_unit() {
        assert_eq!(lifetime("t", json!(NOW + 3600)), 3600);
        assert_eq!(lifetime("t", json!((NOW + 3600) * 1000)), 3600);
        assert_eq!(lifetime("t", json!((NOW + 3600).to_string())), 3600);
        assert_eq!(lifetime("t", json!(3600)), 3600);
        assert_eq!(lifetime("t", json!(3_600_000)), 3600);
        assert_eq!(lifetime(&jwt(&json!({ "exp": NOW + 600 })), json!(NOW + 3600)), 600);
        for nonsense in [json!(null), json!("soon"), json!(-1), json!(0), json!([]), json!(true)] {
            assert_eq!(lifetime("t", nonsense.clone()), 300, "{nonsense}");
        }
        for odd in ["a.b", "a.b.c", "a.!!.c", "a.e30.c", "a.b.c.d"] {
            assert_eq!(lifetime(odd, json!(3600)), 3600, "{odd}");
        }
        let _ = lifetime(&jwt(&json!({ "exp": 1e300 })), json!(1e300));
    }

    #[test]
    fn a_token_is_kept_until_shortly_before_expiry() {
        let at = |seconds: u64| Timestamp::from_millis((NOW + seconds) * 1000);
        let hour = parse("t", json!(3600));
        assert!(hour.is_fresh(at(3539)) && !hour.is_fresh(at(3540)));
        let short = parse("t", json!(100));
        assert!(short.is_fresh(at(74)) && !short.is_fresh(at(75)));
        let past = parse("t", json!(NOW - 7200));
        assert!(past.is_fresh(at(29)) && !past.is_fresh(at(30)));
    }

    #[test]
    fn a_token_must_be_valid_in_a_header() {
        for bad in [json!(""), json!("a b"), json!("a\r\nx: y"), json!("é"), json!(7), json!(null)] {
            let body = json!({ "token": bad }).to_string();
            assert!(ServiceAccessToken::parse("a", &api(), body.as_bytes(), now()).is_none(), "{bad}");
        }
        assert!(ServiceAccessToken::parse("a", &api(), b"<html>", now()).is_none());
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let token = parse("very-secret", json!(null));
        assert_eq!((token.token(), token.bearer().is_sensitive()), ("very-secret", true));
        assert!(!format!("{token:?}").contains("very-secret"));
    }
}
