//! The identity in an access token. OSC's are JWTs (RFC 7519).
//!
//! The signature is not checked: the app has no key for it. The claims are safe only in a token that the layer's own token
//! request brought over TLS.

use std::fmt;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
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
        let decoded = BASE64_URL.decode(payload).ok()?;
        let payload: Payload = serde_json::from_slice(&decoded).ok()?;
        Some(Self { tenant_id: payload.tenant_id?, user_id: payload.user_id })
    }
}

/// The claims of a token, each read if it is a name. Every refresh reads some, so no other claim is kept.
#[derive(Default)]
struct Payload {
    tenant_id: Option<String>,
    user_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Claim {
    TenantId,
    UserId,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(payload: D) -> Result<Self, D::Error> {
        struct PayloadVisitor;

        impl<'de> Visitor<'de> for PayloadVisitor {
            type Value = Payload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            /// Of duplicate claims, the last one counts (RFC 7519 §4).
            fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Payload, A::Error> {
                let mut payload = Payload::default();
                while let Some(claim) = claims.next_key()? {
                    let value = claims.next_value()?;
                    match claim {
                        Claim::TenantId => payload.tenant_id = name(value),
                        Claim::UserId => payload.user_id = name(value),
                        Claim::Other => {}
                    }
                }
                Ok(payload)
            }
        }

        payload.deserialize_map(PayloadVisitor)
    }
}

fn name(claim: Value) -> Option<String> {
    let Value::String(name) = claim else { return None };
    let is_name = !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control);
    is_name.then_some(name)
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
    fn the_last_of_duplicate_claims_counts() {
        let twice = token(r#"{"tenantId":"team","userId":"ada","tenantId":"other","userId":7}"#);
        assert_eq!(Claims::of(&twice), Some(Claims { tenant_id: "other".into(), user_id: None }));
        let escaped = token(r#"{"tenantId":"team","tenant\u0049d":7}"#);
        assert_eq!(Claims::of(&escaped), None);
    }

    #[test]
    fn a_payload_that_is_no_json_object_has_no_claims() {
        for payload in [
            r#"[{"tenantId":"team"}]"#,
            r#"{"tenantId":"team"} {}"#,
            r#"{"tenantId":"team","exp":1e999}"#,
            r#"{"tenantId":"team","scope":"\ud800"}"#,
            "null",
        ] {
            assert_eq!(Claims::of(&token(payload)), None, "{payload}");
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
