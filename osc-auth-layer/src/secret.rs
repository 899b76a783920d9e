//! Values that must not be printed, and random values.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// A token, code, verifier or client secret. It has no `Display` and no `PartialEq`, and `Debug` hides the value.
///
/// Serde writes the value itself, because sealed records contain it. Nothing else that contains a secret may be
/// serialised.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(Box<str>);

impl Secret {
    pub(crate) fn new(value: impl Into<Box<str>>) -> Self {
        Self(value.into())
    }

    /// Returns the value itself. Review every caller of `expose` with care.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Returns `N` bytes from the process's CSPRNG, which reseeds itself from the operating system.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
}

/// Returns `N` random bytes in unpadded base64url, which needs no escaping in URLs, forms and cookies.
pub(crate) fn random_token<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<N>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_a_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[redacted]");
    }

    #[test]
    fn random_tokens_have_the_requested_length_and_differ() {
        let (one, two) = (random_token::<32>(), random_token::<32>());
        assert_eq!(one.len(), 43);
        assert_ne!(one, two);
    }
}
