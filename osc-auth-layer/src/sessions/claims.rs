//! The identity in an access token. OSC's are JWTs (RFC 7519).
//!
//! The signature is not checked: the app has no key for it. The claims are safe only in a token that the layer's own token
//! request brought over TLS.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest name of a workspace or user, in bytes. A longer claim counts as missing.
const LONGEST: usize = 255;

/// JWTs have no padding (RFC 7515 §2); a token that has some still names its user.
const BASE64_URL: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The claims that say in whose name a token acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) tenant_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<String>,
}

/// Two tokens of one session that name different users or workspaces.
#[derive(Debug, PartialEq)]
pub(crate) struct Contradiction;

impl Claims {
    /// Returns the claims of a session's user after a refresh. A name that appears or goes missing contradicts nothing.
    pub(crate) fn combined(
        known: Option<Self>,
        refreshed: Option<Self>,
    ) -> Result<Option<Self>, Contradiction> {
        let (known, refreshed) = match (known, refreshed) {
            (Some(known), Some(refreshed)) => (known, refreshed),
            (one, other) => return Ok(one.or(other)),
        };
        let differ = |(one, other): (&String, &String)| one != other;
        let users = known.user_id.as_ref().zip(refreshed.user_id.as_ref());
        if known.tenant_id != refreshed.tenant_id || users.is_some_and(differ) {
            return Err(Contradiction);
        }
        Ok(Some(Self { user_id: refreshed.user_id.or(known.user_id), ..refreshed }))
    }

    /// Reads the claims of a token. Returns `None` for a token that is no JWT or names no workspace.
    pub(crate) fn of(access_token: &str) -> Option<Self> {
        let mut parts = access_token.split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let payload: Value = serde_json::from_slice(&BASE64_URL.decode(payload).ok()?).ok()?;
        Some(Self { tenant_id: name(&payload, "tenantId")?, user_id: name(&payload, "userId") })
    }
}

fn name(payload: &Value, claim: &str) -> Option<String> {
    let name = payload.get(claim)?.as_str()?;
    let is_name = !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL.encode(payload))
    }

    fn claims(payload: &Value) -> Option<Claims> {
        Claims::of(&token(&payload.to_string()))
    }

    #[test]
    fn a_token_names_its_workspace_and_perhaps_its_user() {
        let both = claims(&json!({ "tenantId": "team", "userId": "ada", "iat": 1 })).unwrap();
        assert_eq!(both, Claims { tenant_id: "team".into(), user_id: Some("ada".into()) });
        let alone = claims(&json!({ "tenantId": "team" })).unwrap();
        assert_eq!(alone, Claims { tenant_id: "team".into(), user_id: None });
    }

    #[test]
    fn claims_of_odd_types_and_lengths_count_as_missing() {
        for odd in [json!(7), json!(null), json!([]), json!(""), json!("x".repeat(256)), json!("a\u{0}b")] {
            assert_eq!(claims(&json!({ "tenantId": odd, "userId": "ada" })), None, "{odd}");
            let named = claims(&json!({ "tenantId": "team", "userId": odd })).unwrap();
            assert_eq!(named.user_id, None, "{odd}");
        }
    }

    #[test]
    fn a_token_that_is_no_jwt_has_no_claims() {
        let good = token(r#"{"tenantId":"team"}"#);
        for text in ["", "opaque", "a.b", "..", "a.!.c", "e30.W10.c", "e30.eyJ0.c", &format!("{good}.more")] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
        assert!(Claims::of(&good).is_some());
    }

    #[test]
    fn only_another_known_name_contradicts() {
        let named = |tenant: &str, user: Option<&str>| {
            Some(Claims { tenant_id: tenant.to_owned(), user_id: user.map(str::to_owned) })
        };
        let (ada, nobody) = (named("team", Some("ada")), named("team", None));
        for (known, refreshed, combined) in [
            (ada.clone(), ada.clone(), Ok(ada.clone())),
            (ada.clone(), nobody.clone(), Ok(ada.clone())),
            (nobody.clone(), ada.clone(), Ok(ada.clone())),
            (ada.clone(), None, Ok(ada.clone())),
            (None, ada.clone(), Ok(ada.clone())),
            (None, None, Ok(None)),
            (ada.clone(), named("team", Some("grace")), Err(Contradiction)),
            (ada.clone(), named("other", Some("ada")), Err(Contradiction)),
            (nobody, named("other", None), Err(Contradiction)),
        ] {
            assert_eq!(
                Claims::combined(known.clone(), refreshed.clone()),
                combined,
                "{known:?} {refreshed:?}"
            );
        }
    }

    #[test]
    fn padding_is_tolerated() {
        let padded = "e30.eyJ0ZW5hbnRJZCI6InRlYW0ifQ==.c";
        assert_eq!(Claims::of(padded).unwrap().tenant_id, "team");
    }
}
