//! The provider's key pair for RS256, which every OpenID provider must support.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};

const KEY_ID: &str = "the only one";

pub(super) struct Keys {
    signing: EncodingKey,
    public: Value,
}

impl Keys {
    pub(super) fn generate() -> Self {
        let pair = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("2048 bits are enough");
        let der = pair.to_pkcs1_der().expect("a key can be encoded");
        let base64 = |number: &BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let public = json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": base64(pair.n()),
            "e": base64(pair.e()),
        });
        Self { signing: EncodingKey::from_rsa_der(der.as_bytes()), public }
    }

    /// Returns the public key as a JSON Web Key.
    pub(super) fn public(&self) -> &Value {
        &self.public
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::RS256) };
        encode(&header, claims, &self.signing).expect("claims can be signed")
    }
}
