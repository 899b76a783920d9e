//! One session, as a request finds it.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use foldhash::quality::RandomState;
use http::HeaderValue;
use parking_lot::{Mutex, MutexGuard};
use triomphe::ThinArc;

use super::claims::Claims;
use super::device::Device;
use super::record::Ending;
use super::state::SessionState;
use super::stored::Stored;
use super::token::{Issue, LONGEST_UNCHECKED, OscToken};
use super::{OscUser, SessionId, Sessions, Timing};
use crate::clock::Timestamp;
use crate::oauth::{Credentials, Tokens};
use crate::store::Version;

/// One signed-in browser, with its token at the time of the look-up. It is one allocation, the only one that a request touches.
/// The bytes are those of the access token, and empty without one.
///
/// A refresh makes another value with the same [`Life`], and puts it into the table instead of this one.
#[derive(Clone)]
pub(crate) struct Session(ThinArc<Seen, u8>);

/// In this order, the members that a request reads share a line of the cache with the count of references.
#[repr(C)]
struct Seen {
    issue: Issue,
    id: SessionId,
    life: triomphe::Arc<Life>,
}

/// The parts of a session that outlast its tokens. There are many sessions, so this is kept small.
pub(super) struct Life {
    pub(super) engine: Weak<Sessions>,
    /// The absolute timeout.
    pub(super) ends_at: Timestamp,
    /// In milliseconds. Written when it would move by [`touch_step`], not at every request.
    pub(super) last_seen: AtomicU64,
    /// The tag of the user, to find the sessions of one. 0 for an unknown user.
    user: AtomicU64,
    device: Device,
    pub(super) state: Mutex<SessionState>,
    /// Its place in the store, if there is a store.
    pub(super) stored: Option<Box<Stored>>,
}

impl Life {
    pub(super) fn new(
        engine: Weak<Sessions>,
        ends_at: Timestamp,
        last_seen: Timestamp,
        state: SessionState,
        stored: Option<Box<Stored>>,
        device: Device,
    ) -> Self {
        let (last_seen, user) = (AtomicU64::new(last_seen.as_millis()), AtomicU64::default());
        Self { engine, ends_at, last_seen, user, device, state: Mutex::new(state), stored }
    }
}

impl Session {
    /// Begins a session with a new id. `registered` is its client, unless that is in the configuration.
    pub(crate) fn begin(
        tokens: Tokens,
        registered: Option<Arc<Credentials>>,
        timing: &Timing,
        now: Timestamp,
        engine: Weak<Sessions>,
        is_stored: bool,
        device: Device,
    ) -> OscToken {
        let id = SessionId::random();
        let issue = Issue::new(tokens.lifetime, now);
        let mut state = SessionState::default();
        state.renew(tokens.refresh_token, registered, u64::from(is_stored));
        let stored = is_stored.then(|| Box::new(Stored::new(&id)));
        let life = Life::new(engine, now.plus(timing.absolute_timeout), now, state, stored, device);
        let session = Self::bare(id, life);
        let token = session.with_token(&tokens.bearer, issue);
        session.note_user(Claims::of(token.access_token()));
        token.skip_checks(timing);
        token
    }

    /// Makes a session without a token.
    pub(super) fn bare(id: SessionId, life: Life) -> Self {
        let life = triomphe::Arc::new(life);
        Self(ThinArc::from_header_and_slice(Seen { issue: Issue::default(), id, life }, &[]))
    }

    /// Returns the same session with another token. The caller [notes](Self::note_user) the user that the token names.
    pub(super) fn with_token(&self, bearer: &HeaderValue, issue: Issue) -> OscToken {
        let access_token = bearer.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default();
        OscToken::of(self.seen_anew(issue, access_token))
    }

    /// Notes the user that a token names. One that names nobody changes nothing.
    pub(super) fn note_user(&self, claims: Option<Claims>) {
        let user = claims.zip(self.life().engine.upgrade());
        let user = user.map(|(claims, sessions)| OscUser::new(claims, sessions.provider.issuer.shared()));
        if let Some(key) = user.and_then(|user| user.key()) {
            self.life().user.store(Self::user_tag(&key), Ordering::Relaxed);
        }
    }

    /// Returns a number that stands for the user with this key. Two users may have the same.
    pub(super) fn user_tag(key: &str) -> u64 {
        hasher().hash_one(key)
    }

    pub(super) fn is_tagged(&self, user: u64) -> bool {
        self.life().user.load(Ordering::Relaxed) == user
    }

    /// Returns the time of the sign-in and the device that it came from.
    pub(super) fn origin(&self, timing: &Timing) -> (Timestamp, Device) {
        let in_store = self.lock().particulars().in_store.as_ref().map(|in_store| in_store.facts.began);
        let began = in_store.unwrap_or_else(|| self.life().ends_at.minus(timing.absolute_timeout));
        (began, self.life().device)
    }

    pub(super) fn device(&self) -> Device {
        self.life().device
    }

    pub(super) fn without_token(&self) -> Self {
        self.seen_anew(Issue::default(), &[])
    }

    fn seen_anew(&self, issue: Issue, access_token: &[u8]) -> Self {
        let seen = Seen { issue, id: self.id().clone(), life: self.seen().life.clone() };
        Self(ThinArc::from_header_and_slice(seen, access_token))
    }

    /// Returns its token at the time of the look-up.
    pub(crate) fn token(&self) -> Option<OscToken> {
        (!self.access_token().is_empty()).then(|| OscToken::of(self.clone()))
    }

    pub(super) fn access_token(&self) -> &[u8] {
        &self.0.slice
    }

    fn seen(&self) -> &Seen {
        &self.0.header.header
    }

    pub(super) fn life(&self) -> &Life {
        &self.seen().life
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.life().state.lock()
    }

    /// Returns true if both are the same session. Their tokens may differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        triomphe::Arc::ptr_eq(&self.seen().life, &other.seen().life)
    }

    /// Returns true if anybody but the caller holds the session, with this or another token.
    pub(super) fn is_shared(&self) -> bool {
        ThinArc::strong_count(&self.0) > 1 || triomphe::Arc::strong_count(&self.seen().life) > 1
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.seen().id
    }

    pub(crate) fn issue(&self) -> &Issue {
        &self.seen().issue
    }

    /// Returns a number in 0..1 that differs for each token. The hash is keyed at random, so that the times of refreshes reveal
    /// nothing about the id.
    pub(super) fn jitter(&self) -> f64 {
        let hash = hasher().hash_one((self.id(), self.issue().issued_at().as_millis()));
        f64::from((hash >> 32) as u32) / f64::from(u32::MAX)
    }

    pub(super) fn last_seen(&self) -> Timestamp {
        Timestamp::from_millis(self.life().last_seen.load(Ordering::Relaxed))
    }

    /// Returns the time at which it ends if nobody uses it again.
    pub(crate) fn ends_at(&self, timing: &Timing) -> Timestamp {
        self.life().ends_at.min(self.last_seen().plus(timing.idle_timeout))
    }

    /// Returns true after the idle or the absolute timeout. A clock that went back expires nothing.
    pub(crate) fn has_expired(&self, timing: &Timing, now: Timestamp) -> bool {
        now >= self.life().ends_at || now.since(self.last_seen()) >= timing.idle_timeout
    }

    /// Notes a use of the session. Returns true if that moved the time of the last use.
    pub(crate) fn touch(&self, timing: &Timing, now: Timestamp) -> bool {
        let last_seen = self.last_seen();
        // A clock that went back is believed at once, or the session would seem seen in the future.
        let is_news = now < last_seen || now.since(last_seen) >= touch_step(timing);
        if is_news {
            self.life().last_seen.store(now.as_millis(), Ordering::Relaxed);
        }
        is_news
    }

    pub(super) fn stored(&self) -> Option<&Stored> {
        self.life().stored.as_deref()
    }

    /// Returns a value that a module above keeps with the session, until that ends.
    #[cfg(feature = "client")]
    pub(crate) fn extension<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.lock().extension()
    }

    /// Returns the version of the record that the store holds, as far as this node knows.
    pub(super) fn version(&self) -> Option<Version> {
        self.lock().particulars().in_store.as_ref().map(|in_store| in_store.version)
    }

    /// Returns how it ended for good. `None` if it has not.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.lock().particulars().standing.ending()
    }

    /// Returns true if it ended for good, by the user or otherwise.
    pub(crate) fn is_over(&self) -> bool {
        self.ending().is_some()
    }
}

/// Hashes are keyed at random in each process.
fn hasher() -> &'static RandomState {
    static HASHER: LazyLock<RandomState> = LazyLock::new(Default::default);
    &HASHER
}

/// Returns how far the noted time of the last use may be off. A write at every request would cost too much.
pub(super) fn touch_step(timing: &Timing) -> Duration {
    (timing.idle_timeout / 32).min(LONGEST_UNCHECKED)
}
