//! Finds traces of a secret in data that others can read.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Returns true if `dump` holds `secret`: as it is, in hexadecimal, or in base64, alone or inside longer
/// data.
pub fn holds(dump: &[u8], secret: &[u8]) -> bool {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    // The bytes before the secret shift its base64 characters. The characters at both ends also hold foreign
    // bits.
    for before in 0..3 {
        let bytes = [&vec![0; before], secret].concat();
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&bytes).as_bytes()[own.clone()].to_vec());
        }
    }
    forms.iter().any(|form| dump.windows(form.len()).any(|window| window == form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form_wherever_it_stands() {
        let secret = b"hunter2?~hunter3";
        for before in ["", "a", "ab", "abc", "abcd"] {
            let text = [before.as_bytes(), secret, b"\"}"].concat();
            let hex: String = text.iter().map(|byte| format!("{byte:02X}")).collect();
            for dump in [
                text.clone(),
                STANDARD_NO_PAD.encode(&text).into(),
                URL_SAFE_NO_PAD.encode(&text).into(),
                hex.into(),
            ] {
                assert!(holds(&dump, secret), "{}", String::from_utf8_lossy(&dump));
                assert!(!holds(&dump, b"hunter2!~hunter3"));
            }
        }
    }
}
