//! The session id, which the cookie carries.

use std::hash::{Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::secret::random_token;

/// The length of 32 bytes in unpadded base64url.
pub(crate) const ID_LENGTH: usize = 43;

/// The value of the cookie: 256 random bits in base64url. They sign a browser in, so they are never shown.
///
/// A request's id is the text as it came, which may be [malformed](Self::is_well_formed).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId([u8; ID_LENGTH]);

/// Hashes the first eight characters, which have 48 random bits. That is enough for a table keyed at random.
impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, ..] = self.0.as_chunks::<8>().0 else { return };
        state.write_u64(u64::from_ne_bytes(*first));
    }
}

impl SessionId {
    pub(super) fn random() -> Self {
        Self::parse(random_token::<32>().as_bytes()).expect("32 bytes are 43 characters of base64url")
    }

    /// Reads a cookie's value. `None` if it has another length than an id.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        value.try_into().ok().map(Self)
    }

    /// Returns true if this is 32 bytes in base64url. No other text names a session, so the store need not be asked for it.
    pub(crate) fn is_well_formed(&self) -> bool {
        URL_SAFE_NO_PAD.decode(self.0).is_ok()
    }

    pub(crate) fn as_bytes(&self) -> &[u8; ID_LENGTH] {
        &self.0
    }

    pub(crate) fn cookie_value(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// Returns a number by which sessions share bells. A character has six random bits, so two are mixed.
    pub(super) fn prefix(&self) -> u16 {
        u16::from(self.0[0]) << 4 ^ u16::from(self.0[1])
    }

    /// Returns a name that may be shown: a hash, which does not reveal the id.
    pub(crate) fn public(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"osc-auth-layer/v1 public session id");
        hash.update(self.0);
        URL_SAFE_NO_PAD.encode(&hash.finalize()[..16])
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn only_32_bytes_in_base64url_are_well_formed() {
        let own = SessionId::random();
        assert!(own.is_well_formed());
        assert_eq!(SessionId::parse(own.cookie_value().as_bytes()), Some(own));
        // 43 characters have two bits to spare, which are zero.
        for malformed in ["B", "!", "=", "+", "/"].map(|character| character.repeat(43)) {
            assert!(!SessionId::parse(malformed.as_bytes()).unwrap().is_well_formed(), "{malformed}");
        }
    }

    #[test]
    fn sessions_are_spread_over_all_bells() {
        let bells: HashSet<_> = (0..10_000).map(|_| SessionId::random().prefix() % 256).collect();
        assert_eq!(bells.len(), 256);
    }
}
