//! Random strings in the shapes OSC hands out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `osc_` and 24 characters, as the console shows it.
pub(crate) fn client_id() -> String {
    let tail: String = random_bytes(24)
        .into_iter()
        .map(|byte| char::from(ALPHANUMERIC[usize::from(byte) % ALPHANUMERIC.len()]))
        .collect();
    format!("osc_{tail}")
}

/// `osc_secret_` and 64 hex digits, as the console shows it.
pub(crate) fn client_secret() -> String {
    let digits: String = random_bytes(32).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("osc_secret_{digits}")
}

/// 256 random bits, for codes, refresh tokens and request URIs.
pub(crate) fn opaque() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes(32))
}

/// What looks like a signed JWT of about `length` characters. The signature is noise.
pub(crate) fn jwt(subject: &str, audience: &str, expires_at: SystemTime, length: usize) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
    let claims = json!({
        "sub": subject,
        "aud": audience,
        "exp": unix_seconds(expires_at),
        "jti": opaque(),
    });
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signature = length.saturating_sub(header.len() + claims.len() + 2).max(43);
    // Four characters of base64 for every three bytes.
    let mut noise = URL_SAFE_NO_PAD.encode(random_bytes(signature.div_ceil(4) * 3));
    noise.truncate(signature);
    format!("{header}.{claims}.{noise}")
}

/// Whole seconds since the epoch, 0 for times before it.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

fn random_bytes(count: usize) -> Vec<u8> {
    (0..count).map(|_| rand::random()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_have_the_shape_of_the_console() {
        let (id, secret) = (client_id(), client_secret());
        assert_eq!((id.len(), &id[..4]), (28, "osc_"));
        assert_eq!((secret.len(), &secret[..11]), (75, "osc_secret_"));
        assert!(secret[11..].bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn a_token_has_the_length_that_was_asked_for() {
        let token = jwt("ada", "osc", UNIX_EPOCH, 900);
        assert_eq!((token.len(), token.split('.').count()), (900, 3));
    }
}
