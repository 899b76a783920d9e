//! Sessions: what one is, the table of them, when its token is fresh, and how it is refreshed.

mod backoff;
mod breaker;
mod ending;
mod handle;
mod lease;
mod refresh;
mod settle;
mod stored;
mod table;
mod token;

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use self::backoff::Backoff;
pub(crate) use self::breaker::Breaker;
pub use self::handle::{OscSession, SessionError, SessionErrorKind};
pub(crate) use self::refresh::{RETRY_AFTER, Refreshed};
pub(crate) use self::table::Table;
use self::token::LONGEST_QUIET;
pub use self::token::OscToken;
pub(crate) use self::token::{Freshness, Issue};
#[cfg(feature = "client")]
use crate::client::Workspace;
use crate::clock::Timestamp;
use crate::config::Timing;
use crate::provider::{Credentials, Tokens};
use crate::secret::{Secret, random_bytes};
use crate::shared::Shared;
use crate::store::{RecordKey, Stored};

/// The 256 random bits in the cookie. Whoever has them is the visitor, so they are never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId([u8; 32]);

/// Every part of an id is as random as the whole, so a part is enough for a table keyed at random.
impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, ..] = self.0.as_chunks::<8>().0 else { return };
        state.write_u64(u64::from_ne_bytes(*first));
    }
}

impl SessionId {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn random() -> Self {
        Self(random_bytes())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What may be shown of it: a hash, which leads nowhere near the id.
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

/// What the next refresh spends, and in whose name.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) credentials: Arc<Credentials>,
}

/// One signed-in browser.
pub(crate) struct Session {
    id: SessionId,
    layer: Weak<Shared>,
    /// The absolute time-out.
    ends_at: Timestamp,
    /// Milliseconds; written only when it would move by [`touch_step`], not at every request.
    last_seen: AtomicU64,
    state: Mutex<State>,
    /// Its record in the store, when there is one.
    stored: Option<Box<Stored>>,
}

struct State {
    phase: Phase,
    grant: Grant,
    /// The newest version of the record that this process has seen; 0 without a store.
    version: u64,
    /// Of what failed since the last answer.
    backoff: Option<Box<Backoff>>,
    #[cfg(feature = "client")]
    workspace: Option<Arc<Workspace>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    Live,
    /// The provider said `invalid_grant`.
    Refused,
    /// By the visitor: what a refresh under way brings back is revoked.
    SignedOut,
    /// Expired, replaced or pushed out: a refresh under way must not revive it, and revokes nothing.
    Dropped,
}

impl Phase {
    fn is_over(self) -> bool {
        matches!(self, Self::SignedOut | Self::Dropped)
    }
}

impl State {
    /// Nobody has a use for it, and for the service access tokens in it, once the session has ended.
    fn forget_workspace(&mut self) {
        #[cfg(feature = "client")]
        self.workspace.take();
    }
}

impl Session {
    /// A session that begins `now`, with a fresh id; its token holds it.
    pub(crate) fn begin(
        tokens: Tokens,
        credentials: Arc<Credentials>,
        timing: &Timing,
        now: Timestamp,
        layer: Weak<Shared>,
        is_stored: bool,
    ) -> OscToken {
        let id = SessionId::random();
        let issue = Issue::new(&tokens, timing, now);
        let stored = is_stored.then(|| Box::new(Stored::new(RecordKey::of(&id))));
        let session = Arc::new(Self {
            id,
            layer,
            ends_at: now.plus(timing.absolute_timeout),
            last_seen: AtomicU64::new(now.as_millis()),
            state: Mutex::new(State {
                phase: Phase::Live,
                grant: Grant { refresh_token: tokens.refresh_token, credentials },
                version: u64::from(is_stored),
                backoff: None,
                #[cfg(feature = "client")]
                workspace: None,
            }),
            stored,
        });
        let token = OscToken::new(&tokens.bearer, issue, session.clone());
        token.be_quiet_until(session.quiet_until(&token, timing));
        token
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.id
    }

    fn layer(&self) -> &Weak<Shared> {
        &self.layer
    }

    /// Until when requests just get `token`: until it is due to be refreshed, the session ends, or its use is news again.
    pub(crate) fn quiet_until(&self, token: &OscToken, timing: &Timing) -> Timestamp {
        let news_at = self.last_seen().plus(touch_step(timing));
        news_at.min(self.ends_at).min(token.issue().ahead_at())
    }

    fn last_seen(&self) -> Timestamp {
        Timestamp::from_millis(self.last_seen.load(Ordering::Relaxed))
    }

    /// Idle or absolute time-out. A clock that went back expires nothing.
    pub(crate) fn has_expired(&self, timing: &Timing, now: Timestamp) -> bool {
        now >= self.ends_at || now.since(self.last_seen()) >= timing.idle_timeout
    }

    /// Notes that the session was used; tells whether that was news.
    pub(crate) fn touch(&self, timing: &Timing, now: Timestamp) -> bool {
        let last_seen = self.last_seen();
        // A clock that went back is believed at once, or the session would seem seen in the future.
        let is_news = now < last_seen || now.since(last_seen) >= touch_step(timing);
        if is_news {
            self.last_seen.store(now.as_millis(), Ordering::Relaxed);
        }
        is_news
    }

    pub(crate) fn stored(&self) -> Option<&Stored> {
        self.stored.as_deref()
    }

    /// What the session has learnt of the user's workspace.
    #[cfg(feature = "client")]
    pub(crate) fn workspace(&self) -> Arc<Workspace> {
        self.state.lock().workspace.get_or_insert_default().clone()
    }

    /// Ended for good, by the visitor or otherwise.
    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().phase.is_over()
    }
}

/// The idle time may be off by this much: a write per request would cost more than it is worth.
fn touch_step(timing: &Timing) -> Duration {
    (timing.idle_timeout / 32).min(LONGEST_QUIET)
}
