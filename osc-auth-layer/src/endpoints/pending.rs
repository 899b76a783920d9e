//! A pending sign-in. It lives in the browser that began it, in a sealed cookie of its own. So tabs do not disturb each other,
//! and the server keeps no state for strangers.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower_cookies::Cookies;

use crate::clock::Timestamp;
use crate::config::Config;
use crate::request::cookie::{TAG, pending_name};
use crate::secret::{Secret, random_token};

/// How long a user may take at the provider.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// The most pending sign-ins of a browser. Browsers and servers limit the size of headers.
const MOST: usize = 4;
/// The most bytes of one cookie, with its name.
const LARGEST: usize = 1024;

/// The facts about a sign-in that its callback needs. Their names in the cookie are short, because the cookie has to be short.
#[derive(Serialize, Deserialize)]
pub(crate) struct PendingSignIn {
    #[serde(rename = "s")]
    state: Secret,
    #[serde(rename = "v")]
    pub(crate) verifier: Secret,
    #[serde(rename = "i")]
    pub(crate) issuer: String,
    #[serde(rename = "c")]
    pub(crate) client_id: String,
    #[serde(rename = "u")]
    pub(crate) redirect_uri: String,
    /// True if the metadata announced that the callback has `iss` (RFC 9207 §2.3).
    #[serde(rename = "e")]
    pub(crate) iss_due: bool,
    #[serde(rename = "r")]
    pub(crate) return_to: String,
    #[serde(rename = "t")]
    began_at: Timestamp,
}

impl PendingSignIn {
    pub(crate) fn begin(
        issuer: String,
        client_id: String,
        redirect_uri: String,
        iss_due: bool,
        return_to: String,
        now: Timestamp,
    ) -> Self {
        let (tag, secret) = (random_token::<6>(), random_token::<32>());
        Self {
            // The tag finds the cookie. The 256 bits after it make the state unguessable.
            state: Secret::new(format!("{tag}{secret}")),
            verifier: Secret::new(random_token::<32>()),
            issuer,
            client_id,
            redirect_uri,
            iss_due,
            return_to,
            began_at: now,
        }
    }

    pub(crate) fn state(&self) -> &str {
        self.state.expose()
    }

    /// Returns the PKCE challenge by the method `S256` (RFC 7636 §4.2).
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }

    pub(crate) fn expires_at(&self) -> Timestamp {
        self.began_at.plus(LIFETIME)
    }

    /// Returns true if the time is up. A clock that was set back to before the start is no reason to refuse.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }
}

/// Returns the part of a `state` that names its cookie.
pub(super) fn tag_of(state: &str) -> Option<&str> {
    state.get(..TAG)
}

/// The cookies of one browser's pending sign-ins.
pub(crate) struct PendingCookies<'c> {
    pub(crate) cookies: &'c Cookies,
    pub(crate) config: &'c Config,
    /// The session cookie's name, which every name here starts with.
    pub(crate) session_cookie: &'c str,
}

impl PendingCookies<'_> {
    fn name(&self, tag: &str) -> String {
        pending_name(self.session_cookie, tag)
    }

    /// Seals `pending` into its own cookie, and removes the oldest of the others if there are too many. If the cookie would be
    /// too large, the sign-in returns to `default_return` instead.
    pub(crate) fn add(&self, mut pending: PendingSignIn, default_return: &str) {
        let prefix = self.name("");
        let names = self.cookies.list().into_iter().map(|cookie| cookie.name().to_owned());
        let others = names.filter(|name| name.starts_with(&prefix));
        let mut others: Vec<_> =
            others.map(|name| (self.open(&name).map(|other| other.began_at), name)).collect();
        others.sort_unstable();
        let excess = (others.len() + 1).saturating_sub(MOST);
        for (_, name) in others.into_iter().take(excess) {
            self.cookies.remove(self.config.cookies.removal(name));
        }
        let name = self.name(&pending.state()[..TAG]);
        let mut value = self.seal(&name, &pending);
        if name.len() + value.len() > LARGEST {
            pending.return_to = default_return.to_owned();
            value = self.seal(&name, &pending);
        }
        self.cookies.add(self.config.cookies.build(name, value, LIFETIME));
    }

    /// Returns the sign-in that `state` belongs to, if this browser began it.
    pub(crate) fn find(&self, state: &str) -> Option<PendingSignIn> {
        let name = self.name(tag_of(state)?);
        // Compares the whole state, because the tag is no secret. A cookie that was sealed under another name does not open.
        self.open(&name).filter(|pending| pending.state() == state)
    }

    pub(crate) fn remove(&self, pending: &PendingSignIn) {
        let name = self.name(&pending.state()[..TAG]);
        self.cookies.remove(self.config.cookies.removal(name));
    }

    fn seal(&self, name: &str, pending: &PendingSignIn) -> String {
        URL_SAFE_NO_PAD.encode(self.config.cookie_keys.seal(pending, name.as_bytes()))
    }

    fn open(&self, name: &str) -> Option<PendingSignIn> {
        let sealed = URL_SAFE_NO_PAD.decode(self.cookies.get(name)?.value()).ok()?;
        self.config.cookie_keys.open(&sealed, name.as_bytes())
    }
}
