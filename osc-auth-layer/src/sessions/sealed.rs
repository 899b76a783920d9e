//! The content of a session's record, as it is sealed.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::oauth::{AuthMethod, Credentials, Tokens, bearer};
use crate::secret::Secret;

/// The content of a record.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// The provider's issuer.
    i: String,
    c: SealedClient,
    /// `Bearer <token>`.
    t: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    /// The token's lifetime, and its age when this was sealed, in milliseconds.
    l: u64,
    a: u64,
}

/// A registered client's secret is in the record, so that every node can refresh the session.
#[derive(Serialize, Deserialize)]
struct SealedClient {
    i: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<String>,
}

impl Sealed {
    /// `registered` is true for a client that other nodes do not have in their configuration.
    pub(crate) fn new(
        issuer: &str,
        client: &Credentials,
        registered: bool,
        bearer: &HeaderValue,
        refresh_token: Option<&Secret>,
        (lifetime, age): (Duration, Duration),
    ) -> Self {
        let secret = client.secret.as_ref().filter(|_| registered);
        Self {
            i: issuer.to_owned(),
            c: SealedClient {
                i: client.id.clone(),
                s: secret.map(|secret| secret.expose().to_owned()),
                m: client.auth_method.map(|method| method.name().to_owned()),
            },
            t: bearer.to_str().unwrap_or_default().to_owned(),
            r: refresh_token.map(|token| token.expose().to_owned()),
            l: millis(lifetime),
            a: millis(age),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are valid JSON")
    }

    /// `None` for bytes that no layer of this version sealed.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.i
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.c.i
    }

    /// Returns the client as it was registered.
    pub(crate) fn registered_client(&self) -> Arc<Credentials> {
        Arc::new(Credentials {
            id: self.c.i.clone(),
            secret: self.c.s.as_deref().map(Secret::new),
            auth_method: self.c.m.as_deref().and_then(AuthMethod::parse),
        })
    }

    /// Returns the token's age when this was sealed.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(self.a)
    }

    /// Returns the tokens. `None` if no provider's response could have contained them.
    pub(crate) fn tokens(self) -> Option<Tokens> {
        let bearer = bearer(self.t.strip_prefix("Bearer ")?)?;
        let refresh_token = self.r.map(Secret::new);
        Some(Tokens { bearer, refresh_token, lifetime: Duration::from_millis(self.l) })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Sealed {
        let client = Credentials { id: "id".into(), secret: Some(Secret::new("s3cret")), auth_method: None };
        let bearer = HeaderValue::from_static("Bearer pat");
        let times = (Duration::from_secs(3600), Duration::from_secs(1));
        Sealed::new("https://app.osaas.io", &client, true, &bearer, Some(&Secret::new("rt")), times)
    }

    #[test]
    fn a_record_returns_its_content() {
        let opened = Sealed::of_bytes(&sealed().to_bytes()).expect("just written");
        assert_eq!((opened.issuer(), opened.client_id()), ("https://app.osaas.io", "id"));
        assert_eq!(opened.age(), Duration::from_secs(1));
        let secret = opened.registered_client().secret.clone();
        assert_eq!(secret.expect("the client's secret").expose(), "s3cret");
        let tokens = opened.tokens().expect("its tokens");
        assert_eq!(tokens.bearer, "Bearer pat");
        assert!(tokens.bearer.is_sensitive());
        assert_eq!(tokens.refresh_token.expect("the refresh token").expose(), "rt");
    }

    /// Another version of the layer may have sealed it, and `OscToken::bearer` promises never to panic.
    #[test]
    fn a_record_without_a_usable_bearer_gives_no_tokens() {
        for bearer in ["", "Bearer ", "pat", "bearer pat", "Bearer p t", "Bearer \u{e9}", "Bearer a\n"] {
            let tokens = Sealed { t: bearer.to_owned(), ..sealed() }.tokens();
            assert!(tokens.is_none(), "{bearer:?}");
        }
    }
}
