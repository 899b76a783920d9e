//! A sign-in in progress. It lives in the browser that began it, sealed, one cookie per attempt: tabs do not disturb
//! each other, and a stranger's sign-in costs the server nothing.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower_cookies::Cookies;

use crate::clock::Timestamp;
use crate::config::Config;
use crate::cookie::{TAG, pending_name};
use crate::secret::{Secret, random_token};

/// How long a visitor may take at the provider.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A kilobyte each: browsers and servers refuse headers that grow without end.
const MOST: usize = 4;
const LARGEST: usize = 1024;

/// What the callback has to know of the sign-in it completes.
pub(crate) struct PendingSignIn {
    state: Secret,
    pub(crate) verifier: Secret,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    /// The metadata announced that the callback carries `iss` (RFC 9207 §2.3).
    pub(crate) iss_due: bool,
    pub(crate) return_to: String,
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
            // The tag in front finds the cookie; the 256 bits behind it make it unguessable.
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

    /// RFC 7636 §4.2, `S256`.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }

    pub(crate) fn expires_at(&self) -> Timestamp {
        self.began_at.plus(LIFETIME)
    }

    /// A clock that went back behind the beginning is not a reason to refuse.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }
}

/// The part of a `state` that names its cookie.
pub(super) fn tag_of(state: &str) -> Option<&str> {
    state.get(..TAG)
}

/// The cookies of the attempts under way in one browser.
pub(crate) struct PendingCookies<'c> {
    pub(crate) cookies: &'c Cookies,
    pub(crate) config: &'c Config,
    /// The session cookie's name, in front of every name here.
    pub(crate) session_cookie: &'c str,
}

/// The sealed form.
#[derive(Serialize, Deserialize)]
struct Sealed {
    s: String,
    v: String,
    i: String,
    c: String,
    u: String,
    e: bool,
    r: String,
    t: u64,
}

impl PendingCookies<'_> {
    fn name(&self, tag: &str) -> String {
        pending_name(self.session_cookie, tag)
    }

    /// Seals `pending` into a cookie of its own, and removes the oldest of the others when there are too many. A sign-in
    /// that is too large to keep returns to `default_return`.
    pub(crate) fn add(&self, mut pending: PendingSignIn, default_return: &str) {
        let mut others: Vec<_> =
            self.names().map(|name| (self.open(&name).map(|other| other.began_at), name)).collect();
        others.sort_unstable();
        let excess = (others.len() + 1).saturating_sub(MOST);
        for (_, name) in others.into_iter().take(excess) {
            self.cookies.remove(self.config.cookies.removal(name));
        }
        let name = self.name(&pending.state()[..TAG]);
        let mut sealed = seal(&pending);
        // Sealing adds a nonce, a tag and base64.
        if name.len() + (sealed.len() + 28).div_ceil(3) * 4 > LARGEST {
            pending.return_to = default_return.to_owned();
            sealed = seal(&pending);
        }
        let cookie = self.config.cookies.build(name, sealed, LIFETIME);
        self.cookies.private(self.config.cookie_keys.sealing()).add(cookie);
    }

    /// The attempt `state` belongs to, when it was begun in this browser.
    pub(crate) fn find(&self, state: &str) -> Option<PendingSignIn> {
        let name = self.name(tag_of(state)?);
        // Compared in full: the tag alone is no secret. What was sealed for another name does not open.
        self.open(&name).filter(|pending| pending.state() == state)
    }

    pub(crate) fn remove(&self, pending: &PendingSignIn) {
        let name = self.name(&pending.state()[..TAG]);
        self.cookies.remove(self.config.cookies.removal(name));
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let prefix = self.name("");
        let names = self.cookies.list().into_iter().map(|cookie| cookie.name().to_owned());
        names.filter(move |name| name.starts_with(&prefix))
    }

    fn open(&self, name: &str) -> Option<PendingSignIn> {
        let mut keys = self.config.cookie_keys.opening();
        let cookie = keys.find_map(|key| self.cookies.private(key).get(name))?;
        let sealed: Sealed = serde_json::from_str(cookie.value()).ok()?;
        Some(PendingSignIn {
            state: Secret::new(sealed.s),
            verifier: Secret::new(sealed.v),
            issuer: sealed.i,
            client_id: sealed.c,
            redirect_uri: sealed.u,
            iss_due: sealed.e,
            return_to: sealed.r,
            began_at: Timestamp::from_millis(sealed.t),
        })
    }
}

fn seal(pending: &PendingSignIn) -> String {
    let sealed = Sealed {
        s: pending.state().to_owned(),
        v: pending.verifier.expose().to_owned(),
        i: pending.issuer.clone(),
        c: pending.client_id.clone(),
        u: pending.redirect_uri.clone(),
        e: pending.iss_due,
        r: pending.return_to.clone(),
        t: pending.began_at.as_millis(),
    };
    serde_json::to_string(&sealed).expect("strings and numbers are valid JSON")
}
