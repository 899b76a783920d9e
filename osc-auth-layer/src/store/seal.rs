//! Makes a store useless to a thief. The name and the key of a record come from the session id, which only the browser has.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::Version;
use crate::secret::random_bytes;

const NONCE: usize = 24;

/// The name of a record in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RecordName([u8; 32]);

impl RecordName {
    /// Returns the name of an entry other than a session's, such as a used state. `parts` name its kind and identify it.
    pub(crate) fn once(parts: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"osc-auth-layer/v1 once");
        parts.iter().for_each(|part| hash.update(framed(part.as_bytes())));
        Self(hash.finalize().into())
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }

    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn prefix(&self) -> u16 {
        u16::from_le_bytes([self.0[0], self.0[1]])
    }

    /// Returns a number that tells it apart from nearly every other name with the same prefix.
    pub(crate) fn tag(&self) -> u32 {
        u32::from_le_bytes([self.0[2], self.0[3], self.0[4], self.0[5]])
    }
}

/// The name of a session's record, and the key that opens it.
pub(crate) struct RecordKey {
    pub(crate) name: RecordName,
    key: SealingKey,
}

impl RecordKey {
    pub(crate) fn of(id: &[u8]) -> Self {
        let name = Sha256::new_with_prefix(b"osc-auth-layer/v1 record name").chain_update(id).finalize();
        Self { name: RecordName(name.into()), key: SealingKey::derive(id, b"osc-auth-layer/v1 record key") }
    }

    /// Seals `plain`. `header` stays readable, and cannot be altered.
    pub(crate) fn seal(&self, namespace: &str, version: Version, header: &[u8], plain: &[u8]) -> Vec<u8> {
        self.key.seal(plain, &self.place(namespace, version, header))
    }

    /// Opens sealed bytes. `None` if they were altered, or were sealed for another session, namespace, version or header.
    pub(crate) fn open(
        &self,
        namespace: &str,
        version: Version,
        header: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        self.key.open(sealed, &self.place(namespace, version, header))
    }

    fn place(&self, namespace: &str, version: Version, header: &[u8]) -> Vec<u8> {
        [namespace.as_bytes(), &self.name.0, version.as_bytes(), header].map(framed).concat()
    }
}

/// An AEAD key. Nonces are random, and 192 bits are enough that two are never equal.
#[derive(Clone)]
pub(crate) struct SealingKey([u8; 32]);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl SealingKey {
    /// A key for the use that `label` names (RFC 5869 §3.2).
    pub(crate) fn derive(secret: &[u8], label: &[u8]) -> Self {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, secret)
            .expand(label, &mut key)
            .expect("32 bytes are within what HKDF-SHA256 can expand to");
        Self(key)
    }

    pub(crate) fn seal(&self, plain: &[u8], place: &[u8]) -> Vec<u8> {
        let nonce = random_bytes::<NONCE>();
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place })
            .expect("a few kilobytes are within what the cipher can seal");
        [&nonce, &sealed[..]].concat()
    }

    pub(crate) fn open(&self, sealed: &[u8], place: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: place }).ok()
    }

    /// Seals a value as JSON.
    pub(crate) fn seal_json(&self, value: &impl Serialize, place: &[u8]) -> Vec<u8> {
        let plain = serde_json::to_vec(value).expect("strings and numbers are valid JSON");
        self.seal(&plain, place)
    }

    pub(crate) fn open_json<T: DeserializeOwned>(&self, sealed: &[u8], place: &[u8]) -> Option<T> {
        serde_json::from_slice(&self.open(sealed, place)?).ok()
    }

    /// Returns a secret that nobody without the key can compute from the parts.
    pub(crate) fn secret_for(&self, parts: &[&str]) -> [u8; 32] {
        let parts: Vec<u8> = parts.iter().flat_map(|part| framed(part.as_bytes())).collect();
        Self::derive(&self.0, &parts).0
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

/// The keys for one use, each derived from another secret. The first key seals, every key opens, so that secrets can be replaced.
#[derive(Clone)]
pub(crate) struct Keyring(Vec<SealingKey>);

impl Keyring {
    pub(crate) fn derive(secrets: &[Vec<u8>], label: &[u8]) -> Self {
        Self(secrets.iter().map(|secret| SealingKey::derive(secret, label)).collect())
    }

    pub(crate) fn seal(&self, value: &impl Serialize, place: &[u8]) -> Vec<u8> {
        self.sealing().seal_json(value, place)
    }

    /// Returns a name for these parts that nobody without the keys can guess: one for each key.
    pub(crate) fn names(&self, parts: &[&str]) -> Vec<String> {
        let name = |key: &SealingKey| URL_SAFE_NO_PAD.encode(&key.secret_for(parts)[..16]);
        self.0.iter().map(name).collect()
    }

    pub(crate) fn sealing(&self) -> &SealingKey {
        // The configuration has one secret at least.
        &self.0[0]
    }

    pub(crate) fn open<T: DeserializeOwned>(&self, sealed: &[u8], place: &[u8]) -> Option<T> {
        self.open_with_key(sealed, place).map(|(value, _)| value)
    }

    /// Opens a value, and returns the key that sealed it too.
    pub(crate) fn open_with_key<T: DeserializeOwned>(
        &self,
        sealed: &[u8],
        place: &[u8],
    ) -> Option<(T, &SealingKey)> {
        self.0.iter().find_map(|key| Some((key.open_json(sealed, place)?, key)))
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} redacted]", self.0.len())
    }
}

/// Returns a part with its length in front, so that no two lists of parts give the same bytes.
pub(crate) fn framed(part: &[u8]) -> Vec<u8> {
    [&(part.len() as u64).to_be_bytes(), part].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"access token, refresh token, secret";

    const ONE: Version = Version::from_bytes([1; 16]);

    fn record(byte: u8) -> RecordKey {
        RecordKey::of(&[byte; 32])
    }

    #[test]
    fn s25_a_record_shows_nothing_of_what_it_holds() {
        let record = record(7);
        let bytes = record.seal("app", ONE, b"", PLAIN);
        for part in PLAIN.split(|byte| *byte == b' ') {
            assert!(!bytes.windows(part.len()).any(|window| window == part), "{part:?}");
        }
        assert_ne!(bytes, record.seal("app", ONE, b"", PLAIN), "each record has its own nonce");
        assert!(!record.name.text().contains(&URL_SAFE_NO_PAD.encode([7; 32])));
        assert_eq!(record.open("app", ONE, b"", &bytes).as_deref(), Some(PLAIN));
    }

    #[test]
    fn s63_a_record_moved_to_another_name_namespace_version_or_header_does_not_open() {
        let (record, other) = (record(7), record(8));
        let renamed = RecordKey { name: other.name.clone(), key: record.key.clone() };
        let bytes = record.seal("app", ONE, b"header", PLAIN);
        assert!(record.open("app", ONE, b"header", &bytes).is_some());
        assert!(other.open("app", ONE, b"header", &bytes).is_none());
        assert!(renamed.open("app", ONE, b"header", &bytes).is_none());
        assert!(record.open("other", ONE, b"header", &bytes).is_none());
        assert!(record.open("app", Version::from_bytes([2; 16]), b"header", &bytes).is_none());
        assert!(record.open("app", ONE, b"other", &bytes).is_none());
    }

    #[test]
    fn an_altered_or_cut_record_does_not_open() {
        let record = record(7);
        let bytes = record.seal("app", ONE, b"", PLAIN);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(record.open("app", ONE, b"", &altered).is_none(), "byte {at}");
            assert!(record.open("app", ONE, b"", &bytes[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn the_first_key_of_a_ring_seals_and_every_key_opens() {
        let ring = |secrets: &[u8]| {
            let secrets: Vec<_> = secrets.iter().map(|byte| vec![*byte; 32]).collect();
            Keyring::derive(&secrets, b"label")
        };
        let opens = |ring: &Keyring, sealed: &[u8]| ring.open::<String>(sealed, b"place").is_some();
        let (old, new, both) = (ring(&[1]), ring(&[2]), ring(&[2, 1]));
        assert!(opens(&both, &old.seal(&"value", b"place")) && opens(&both, &new.seal(&"value", b"place")));
        let sealed = both.seal(&"value", b"place");
        assert!(opens(&new, &sealed) && !opens(&old, &sealed));
        assert!(both.open::<String>(&sealed, b"another place").is_none());
        assert!(!opens(&Keyring::derive(&[vec![2; 32]], b"another label"), &sealed));
    }

    #[test]
    fn names_survive_as_text_and_depend_on_every_part() {
        let name = RecordName::once(&["state", "ab"]);
        assert_eq!(RecordName::parse(&name.text()), Some(name.clone()));
        assert_ne!(name, RecordName::once(&["statea", "b"]));
        for bad in ["", "short", &"a".repeat(44), &"!".repeat(43)] {
            assert_eq!(RecordName::parse(bad), None);
        }
    }
}
