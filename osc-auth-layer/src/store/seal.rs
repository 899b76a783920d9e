//! What makes a store useless to a thief: a record's name and key come from the session id, which only the browser has.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::provider::{AuthMethod, Credentials, Tokens, bearer};
use crate::secret::{Secret, random_bytes};
use crate::session::SessionId;

const NONCE: usize = 24;

/// What a record is called in the store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct RecordName([u8; 32]);

impl RecordName {
    #[cfg(test)]
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The name of what exists once: `parts` say which kind, and which of it.
    pub(crate) fn once(parts: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"osc-auth-layer/v1 once");
        parts.iter().for_each(|part| hash.update(framed(part.as_bytes())));
        Self(hash.finalize().into())
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 43 {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }

    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn prefix(&self) -> u16 {
        u16::from_le_bytes([self.0[0], self.0[1]])
    }
}

/// A session's record: where it is, and what opens it.
pub(crate) struct RecordKey {
    pub(crate) name: RecordName,
    key: SealingKey,
}

impl RecordKey {
    pub(crate) fn of(id: &SessionId) -> Self {
        let mut hash = Sha256::new_with_prefix(b"osc-auth-layer/v1 record name");
        hash.update(id.as_bytes());
        let name = RecordName(hash.finalize().into());
        Self { name, key: SealingKey::derive(id.as_bytes(), b"osc-auth-layer/v1 record key") }
    }

    pub(crate) fn seal(&self, namespace: &str, version: u64, sealed: &Sealed) -> Vec<u8> {
        let plain = serde_json::to_vec(sealed).expect("strings and numbers are valid JSON");
        self.key.seal(&plain, &self.place(namespace, version))
    }

    /// `None` for what was sealed for another session, place or version, or was altered.
    pub(crate) fn open(&self, namespace: &str, version: u64, sealed: &[u8]) -> Option<Sealed> {
        let plain = self.key.open(sealed, &self.place(namespace, version))?;
        serde_json::from_slice(&plain).ok()
    }

    /// Goes into the seal: a record that was moved to another name, namespace or version does not open.
    fn place(&self, namespace: &str, version: u64) -> Vec<u8> {
        [framed(namespace.as_bytes()), framed(&self.name.0), framed(&version.to_be_bytes())].concat()
    }
}

/// An AEAD key. Nonces are random: 192 bits of them never meet.
#[derive(Clone)]
pub(crate) struct SealingKey([u8; 32]);

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

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

/// With its length in front: no two lists of parts read the same.
fn framed(part: &[u8]) -> Vec<u8> {
    let mut framed = (part.len() as u64).to_be_bytes().to_vec();
    framed.extend_from_slice(part);
    framed
}

/// What a record holds of a session.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// The provider: a session of another one is none of ours.
    i: String,
    c: SealedClient,
    /// `Bearer <token>`.
    t: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    /// The token's lifetime, and its age when this was sealed; milliseconds.
    l: u64,
    a: u64,
}

/// A registered client's secret goes with the session, which is then refreshed by it wherever that happens.
#[derive(Serialize, Deserialize)]
struct SealedClient {
    i: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<String>,
}

impl Sealed {
    /// `registered`: a client that other nodes do not have in their configuration.
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

    pub(crate) fn issuer(&self) -> &str {
        &self.i
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.c.i
    }

    /// The client as it was registered.
    pub(crate) fn registered_client(&self) -> Arc<Credentials> {
        Arc::new(Credentials {
            id: self.c.i.clone(),
            secret: self.c.s.as_deref().map(Secret::new),
            auth_method: self.c.m.as_deref().and_then(AuthMethod::parse),
        })
    }

    /// The token's age when this was sealed.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(self.a)
    }

    /// `None` for what no response of a provider could have been.
    pub(crate) fn tokens(self) -> Option<Tokens> {
        let bearer = bearer(self.t.strip_prefix("Bearer ")?)?;
        let refresh_token = self.r.map(Secret::new);
        Some(Tokens { bearer, refresh_token, lifetime: Duration::from_millis(self.l) })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for RecordName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
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
    fn s25_a_record_shows_nothing_of_what_it_holds() {
        let id = SessionId::new([7; 32]);
        let record = RecordKey::of(&id);
        let bytes = record.seal("app", 1, &sealed());
        for part in ["pat", "rt", "s3cret", "osaas"] {
            assert!(!bytes.windows(part.len()).any(|window| window == part.as_bytes()), "{part}");
        }
        assert_ne!(bytes, record.seal("app", 1, &sealed()), "a nonce of its own each time");
        assert!(!record.name.text().contains(&id.cookie_value()));
        let opened = record.open("app", 1, &bytes).expect("our own seal");
        assert_eq!(opened.age(), Duration::from_secs(1));
        let tokens = opened.tokens().expect("our own tokens");
        assert_eq!(tokens.bearer, "Bearer pat");
        assert!(tokens.bearer.is_sensitive());
        assert_eq!(tokens.refresh_token.expect("sealed with it").expose(), "rt");
    }

    #[test]
    fn s63_a_record_moved_to_another_name_namespace_or_version_does_not_open() {
        let record = RecordKey::of(&SessionId::new([7; 32]));
        let other = RecordKey::of(&SessionId::new([8; 32]));
        let renamed = RecordKey { name: other.name.clone(), key: record.key.clone() };
        let bytes = record.seal("app", 1, &sealed());
        assert!(record.open("app", 1, &bytes).is_some());
        assert!(other.open("app", 1, &bytes).is_none());
        assert!(renamed.open("app", 1, &bytes).is_none());
        assert!(record.open("other", 1, &bytes).is_none());
        assert!(record.open("app", 2, &bytes).is_none());
    }

    #[test]
    fn what_was_altered_or_cut_does_not_open() {
        let record = RecordKey::of(&SessionId::new([7; 32]));
        let bytes = record.seal("app", 1, &sealed());
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(record.open("app", 1, &altered).is_none(), "byte {at}");
            assert!(record.open("app", 1, &bytes[..at]).is_none(), "cut at {at}");
        }
    }

    /// Another version of the layer may have sealed it; `OscToken::bearer` promises never to panic.
    #[test]
    fn a_record_without_a_usable_bearer_gives_no_tokens() {
        for bearer in ["", "Bearer ", "pat", "bearer pat", "Bearer p t", "Bearer \u{e9}", "Bearer a\n"] {
            let tokens = Sealed { t: bearer.to_owned(), ..sealed() }.tokens();
            assert!(tokens.is_none(), "{bearer:?}");
        }
    }

    #[test]
    fn names_are_text_and_back_and_never_run_together() {
        let name = RecordName::once(&["state", "ab"]);
        assert_eq!(RecordName::parse(&name.text()), Some(name.clone()));
        assert_ne!(name, RecordName::once(&["statea", "b"]));
        for bad in ["", "short", &"a".repeat(44), &"!".repeat(43)] {
            assert_eq!(RecordName::parse(bad), None);
        }
    }
}
