//! JSON Web Tokens, signed with HS256 (RFC 7515, RFC 7519).

use std::fmt;

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::random;

/// The claim that pads a token to its length.
const FILLER: &str = "padding";

/// The signing key of one mock. Apps do not have it and so cannot verify tokens, as with OSC.
pub(crate) struct SigningKey(Vec<u8>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    pub(crate) fn random() -> Self {
        Self(random::bytes(32))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.join(&URL_SAFE_NO_PAD, &claims.to_string())
    }

    /// Signs the claims and pads the segments with `=`, which RFC 7515 §2 forbids.
    pub(crate) fn sign_padded(&self, claims: &Value) -> String {
        let mut payload = claims.to_string();
        if payload.len().is_multiple_of(3) {
            // This payload would need no `=`. White space around JSON changes nothing.
            payload.push(' ');
        }
        self.join(&URL_SAFE, &payload)
    }

    fn join(&self, engine: &GeneralPurpose, payload: &str) -> String {
        let header = engine.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", engine.encode(payload));
        format!("{signed}.{}", engine.encode(self.signature(&signed)))
    }

    fn signature(&self, signed: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(signed.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

/// Adds a claim that makes the signed token this long.
///
/// The token may be one character shorter, because base64 does not have every length. Claims that are too
/// long already stay the same.
pub(crate) fn fill(claims: &mut Value, length: usize) {
    // The lengths of header and signature, and two dots.
    const AROUND: usize = 36 + 43 + 2;
    let wanted = length.saturating_sub(AROUND) * 3 / 4;
    let empty = format!(r#","{FILLER}":"""#).len();
    if let Some(missing) = wanted.checked_sub(claims.to_string().len() + empty) {
        claims[FILLER] = json!("x".repeat(missing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_7515_appendix_a_1() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                      Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let key = SigningKey(URL_SAFE_NO_PAD.decode(key).unwrap());
        let signature = URL_SAFE_NO_PAD.encode(key.signature(signed));
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn a_token_has_the_length_that_was_asked_for() {
        let key = SigningKey::random();
        for (length, expected) in [(900, 900), (901, 901), (902, 901), (903, 903), (20, 81 + 10)] {
            let mut claims = json!({ "a": 7 });
            fill(&mut claims, length);
            assert_eq!(key.sign(&claims).len(), expected, "{length}");
        }
    }

    #[test]
    fn padding_is_there_whatever_the_length() {
        let key = SigningKey::random();
        for filler in ["", "x", "xx"] {
            let token = key.sign_padded(&json!({ "a": filler }));
            let payload = token.split('.').nth(1).unwrap();
            assert!(payload.ends_with('='), "{token}");
            let claims: Value = serde_json::from_slice(&URL_SAFE.decode(payload).unwrap()).unwrap();
            assert_eq!(claims["a"], filler);
        }
    }
}
