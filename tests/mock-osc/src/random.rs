//! Random strings in OSC's formats.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns `osc_` and 24 characters, the console's format.
pub(crate) fn client_id() -> String {
    let tail: String = bytes(24)
        .into_iter()
        .map(|byte| char::from(ALPHANUMERIC[usize::from(byte) % ALPHANUMERIC.len()]))
        .collect();
    format!("osc_{tail}")
}

/// Returns `osc_secret_` and 64 hex digits, the console's format.
pub(crate) fn client_secret() -> String {
    let digits: String = bytes(32).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("osc_secret_{digits}")
}

/// Returns 256 random bits, for codes, refresh tokens and request URIs.
pub(crate) fn opaque() -> String {
    URL_SAFE_NO_PAD.encode(bytes(32))
}

/// Returns random text of this length.
pub(crate) fn text(length: usize) -> String {
    // Base64 has four characters for three bytes.
    let mut text = URL_SAFE_NO_PAD.encode(bytes(length.div_ceil(4) * 3));
    text.truncate(length);
    text
}

/// Returns the whole seconds since the epoch, and 0 for times before it.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

pub(crate) fn bytes(count: usize) -> Vec<u8> {
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
}
