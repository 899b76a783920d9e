//! The configuration: collected by the [`Builder`], checked once by `build()`, immutable afterwards.

mod build;
mod builder;
mod check;
mod client;
mod env;
#[cfg(test)]
mod tests;

use tower_cookies::Key;

pub use self::builder::Builder;
pub use self::client::{Client, ClientAuthMethod};
use crate::request::cookie::CookieMode;
use crate::request::origin::PublicUrl;
use crate::request::public_path::PublicPaths;
use crate::store::SealingKey;

/// The checked settings of a layer.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) public_urls: Vec<PublicUrl>,
    /// True if the public URL comes from `OSC_HOSTNAME`, because `PUBLIC_URL` is not set.
    pub(crate) is_osc_hostname: bool,
    pub(crate) signin_path: String,
    pub(crate) callback_path: String,
    pub(crate) signout_path: String,
    pub(crate) session_path: String,
    pub(crate) after_signin: String,
    pub(crate) after_signout: String,
    pub(crate) public_paths: PublicPaths,
    pub(crate) redirect_to_signin: bool,
    pub(crate) outage_status: http::StatusCode,
    pub(crate) scopes: Vec<String>,
    /// Constant parameters. None of them is one that the layer sets itself.
    pub(crate) authorization_params: Vec<(String, String)>,
    pub(crate) cookies: CookieMode,
    pub(crate) cookie_keys: CookieKeys,
}

/// The keys for sealed cookies and for registrations in a store. The first key seals, every key opens.
pub(crate) struct CookieKeys {
    cookies: Vec<Key>,
    registrations: Vec<SealingKey>,
}

impl CookieKeys {
    pub(crate) fn sealing(&self) -> &Key {
        // `derive` and `random` always make at least one key.
        &self.cookies[0]
    }

    pub(crate) fn opening(&self) -> impl Iterator<Item = &Key> {
        self.cookies.iter()
    }

    pub(crate) fn registrations(&self) -> &[SealingKey] {
        &self.registrations
    }

    /// Derives the keys from `first` and `more`. A label for each purpose keeps them apart from keys that are derived from
    /// the same secret for another purpose (RFC 5869 §3.2).
    fn derive<'s>(first: &'s [u8], more: impl Iterator<Item = &'s [u8]>) -> Self {
        let cookie_key = |secret: &[u8]| {
            let mut key = [0; 64];
            hkdf::Hkdf::<sha2::Sha256>::new(None, secret)
                .expand(b"osc-auth-layer/v1 pending sign-in cookie", &mut key)
                .expect("64 bytes are within what HKDF-SHA256 can expand to");
            Key::from(&key)
        };
        let secrets: Vec<_> = std::iter::once(first).chain(more).collect();
        let registration_key = |secret: &&[u8]| SealingKey::derive(secret, b"osc-auth-layer/v1 registration");
        Self {
            cookies: secrets.iter().map(|secret| cookie_key(secret)).collect(),
            registrations: secrets.iter().map(registration_key).collect(),
        }
    }

    fn random() -> Self {
        Self::derive(&crate::secret::random_bytes::<64>(), std::iter::empty())
    }
}

impl std::fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} redacted]", self.cookies.len())
    }
}
