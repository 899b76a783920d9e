//! The `state` of a sign-in (RFC 6749 §4.1.1). It is sealed, and it says when and for which page the sign-in began. If the
//! browser has lost the cookie of the sign-in, the layer can still lead the user to that page.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::request::cookie::TAG;
use crate::secret::{Secret, random_token};
use crate::store::{Keyring, SealingKey, framed};

/// The time that a user may take at the provider.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(10 * 60);
/// The longest `state`, unless the client's id is very long. Some providers refuse longer ones.
pub(crate) const LONGEST: usize = 511;
/// The longest `state` that is opened.
const MOST_OPENED: usize = 4096;
/// The length of the random part at the end: 256 bits in base64url.
const ID: usize = 43;

/// The provider and the redirect URI of a sign-in. A `state` opens only for the same two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties<'p> {
    pub(crate) issuer: &'p str,
    pub(crate) redirect_uri: &'p str,
}

/// The part of a sign-in that its `state` carries. The fields have short names in JSON, because the `state` has to be short.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Carried {
    /// A hash of the cookie that the browser got with this `state`.
    #[serde(rename = "b")]
    pub(crate) binding: String,
    #[serde(rename = "t")]
    pub(crate) began_at: Timestamp,
    /// The number of times that the layer began this sign-in anew by itself.
    #[serde(rename = "n")]
    pub(crate) restarts: u8,
    /// The process that began it.
    #[serde(rename = "p")]
    pub(crate) process: u16,
    /// True if the metadata announced that the callback has `iss` (RFC 9207 §2.3).
    #[serde(rename = "e")]
    pub(crate) iss_due: bool,
    #[serde(rename = "c")]
    pub(crate) client_id: String,
    /// The page that the user returns to, or only its path. `None` if it is too long for a `state`.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) return_to: Option<String>,
}

/// The `state` of a callback, opened. It proves that this app began the sign-in, but not in which browser.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) tag: String,
    /// Identifies the sign-in. Unguessable.
    pub(crate) id: Secret,
    pub(crate) carried: Carried,
    key: SealingKey,
}

impl State {
    /// Seals a `state`. The tag names the browser's cookie.
    pub(crate) fn seal(keys: &Keyring, parties: Parties<'_>, tag: &str, carried: Carried) -> (Self, String) {
        let id = random_token::<32>();
        let sealed = URL_SAFE_NO_PAD.encode(keys.seal(&carried, &place(parties, tag, &id)));
        let text = format!("{tag}{sealed}{id}");
        let key = keys.sealing().clone();
        (Self { tag: tag.to_owned(), id: Secret::new(id), carried, key }, text)
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn sealed_for_test(keys: &Keyring, parties: Parties<'_>, tag: &str, plain: &str) -> String {
        let id = random_token::<32>();
        let sealed = keys.sealing().seal(plain.as_bytes(), &place(parties, tag, &id));
        format!("{tag}{}{id}", URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens a `state`. `None` if this app did not seal it for these parties, or if it was altered.
    pub(crate) fn open(keys: &Keyring, parties: Parties<'_>, text: &str) -> Option<Self> {
        let (tag, rest) = text.split_at_checked(TAG).filter(|_| text.len() <= MOST_OPENED)?;
        let (sealed, id) = rest.split_at_checked(rest.len().checked_sub(ID)?)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (carried, key) = keys.open_with_key(&sealed, &place(parties, tag, id))?;
        Some(Self { tag: tag.to_owned(), id: Secret::new(id), carried, key: key.clone() })
    }

    /// Returns the PKCE verifier (RFC 7636 §4.1), computed from the secret in the browser's cookie and this app's key.
    pub(crate) fn verifier(&self, cookie_secret: &Secret) -> Secret {
        let parts = ["PKCE verifier", cookie_secret.expose(), self.id.expose()];
        Secret::new(URL_SAFE_NO_PAD.encode(self.key.secret_for(&parts)))
    }

    /// Returns true if the time for the exchange is up. A clock that was set back to before the start is no reason to refuse.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }

    pub(crate) fn expires_at(&self) -> Timestamp {
        self.carried.began_at.plus(GOOD_FOR)
    }
}

/// Returns the part of a `state` that names the browser's cookie.
pub(super) fn tag_of(state: &str) -> Option<&str> {
    state.get(..TAG)
}

fn place(parties: Parties<'_>, tag: &str, id: &str) -> Vec<u8> {
    [parties.issuer, parties.redirect_uri, tag, id].map(|part| framed(part.as_bytes())).concat()
}
