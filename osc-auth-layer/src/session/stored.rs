//! A session whose record is in a store: read there, kept in the process's table, and never taken back to what is older.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Grant, Issue, Life, OscToken, Phase, Session, SessionId, touch_step};
use crate::clock::Timestamp;
use crate::config::Timing;
use crate::provider::{Credentials, Tokens};
use crate::secret::Secret;
use crate::shared::Shared;
use crate::store::{Backing, Ending, Expiry, Found, Record, RecordKey, Sealed, StoreError, Stored};

/// What a record holds.
pub(super) struct Opened {
    pub(super) tokens: Tokens,
    pub(super) credentials: Arc<Credentials>,
    pub(super) issued_at: Timestamp,
}

impl From<Ending> for Phase {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::SignedOut => Self::SignedOut,
            Ending::Replaced => Self::Dropped,
        }
    }
}

impl Session {
    /// Takes over what the store holds, unless this process has seen newer. Tells whether the store is behind.
    pub(super) fn adopt(&self, shared: &Shared, record: &Record, opened: Opened) -> bool {
        let now = shared.now();
        self.life().last_seen.fetch_max(seen_at(record, now).as_millis(), Ordering::Relaxed);
        let mut state = self.lock();
        if state.phase().is_over() {
            return false;
        }
        if record.version > state.version() {
            let Opened { tokens, credentials, issued_at } = opened;
            let issue = Issue::new(tokens.lifetime, issued_at);
            let token = self.with_token(&tokens.bearer, issue);
            state.renew(tokens.refresh_token, shared.provider.registered(credentials), record.version);
            shared.sessions.show(&mut state, self, Some(token));
        }
        if record.refused && record.version == state.version() {
            state.enter(Phase::Refused);
            shared.sessions.show(&mut state, self, None);
        }
        record.version < state.version()
    }

    /// Writes the first version of its record.
    pub(crate) async fn create_record(&self, shared: &Shared, token: &OscToken) -> Result<(), StoreError> {
        let Some((backing, stored)) = shared.record_of(self) else {
            return Ok(());
        };
        let Some((version, sealed)) = self.sealed(shared, token) else {
            return Ok(());
        };
        let sealed = backing.seal(&stored.key, version, &sealed);
        match backing.create(&stored.key, &sealed, expiry(&shared.config.timing)).await? {
            true => Ok(()),
            false => Err(StoreError::new("it already holds a session with this new id")),
        }
    }

    /// A session this process does not know yet: it has nothing before it adopts what was read.
    pub(super) fn unread(id: SessionId, layer: Weak<Shared>, record: &Record, now: Timestamp) -> Self {
        let life = Life {
            layer,
            ends_at: now.plus(record.ends_in),
            last_seen: AtomicU64::new(seen_at(record, now).as_millis()),
            state: Mutex::default(),
            stored: Some(Box::new(Stored::new(RecordKey::of(&id)))),
        };
        Self::bare(id, life)
    }

    /// What its record is to hold. `None` once it ended.
    fn sealed(&self, shared: &Shared, token: &OscToken) -> Option<(u64, Sealed)> {
        let state = self.lock();
        if state.phase() != Phase::Live {
            return None;
        }
        let Grant { refresh_token, credentials } = state.grant(&shared.provider)?;
        Some((state.version(), sealed(shared, &credentials, token, refresh_token.as_ref())))
    }
}

/// What a record is to hold.
pub(super) fn sealed(
    shared: &Shared,
    credentials: &Credentials,
    token: &OscToken,
    refresh_token: Option<&Secret>,
) -> Sealed {
    let (issue, provider) = (token.issue(), &shared.provider);
    let times = (issue.lifetime(), issue.age(shared.now()));
    let is_registered = !provider.has_static_client();
    Sealed::new(provider.issuer.as_str(), credentials, is_registered, &token.bearer(), refresh_token, times)
}

fn seen_at(record: &Record, now: Timestamp) -> Timestamp {
    now.minus(record.idle)
}

/// When a record goes by itself. Nodes tell the store of a session's use only now and then.
pub(super) fn expiry(timing: &Timing) -> Expiry {
    Expiry {
        idle: timing.idle_timeout.saturating_add(2 * touch_step(timing)),
        absolute: timing.absolute_timeout,
    }
}

impl Shared {
    /// A session's record and the store it is in, when there is one.
    pub(super) fn record_of<'s>(&'s self, session: &'s Session) -> Option<(&'s Backing, &'s Stored)> {
        Some((self.backing.as_deref()?, session.stored()?))
    }

    /// Whether what is known of this session is what the store holds.
    pub(crate) fn is_current(&self, session: &Session) -> bool {
        self.record_of(session).is_none_or(|(backing, stored)| backing.trusts(stored))
    }

    /// Whether the store has to be asked before this session is used.
    pub(crate) fn must_read(&self, session: &Session) -> bool {
        let timed_out = || session.has_expired(&self.config.timing, self.now());
        self.record_of(session).is_some() && (!self.is_current(session) || timed_out()) && !session.is_over()
    }

    /// The session as it is: from the table when that is known to be current, else from the store.
    pub(crate) async fn find(self: &Arc<Self>, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let known = self.sessions.find(id);
        match (&self.backing, known) {
            (None, known) => Ok(known),
            (Some(_), Some(known)) if !self.must_read(&known) => Ok(Some(known)),
            (Some(backing), known) => self.read(backing, id, known).await,
        }
    }

    async fn read(
        self: &Arc<Self>,
        backing: &Backing,
        id: &SessionId,
        known: Option<Session>,
    ) -> Result<Option<Session>, StoreError> {
        let entry = known.clone();
        let derived;
        let key = match entry.as_ref().and_then(Session::stored) {
            Some(stored) => &stored.key,
            None => {
                derived = RecordKey::of(id);
                &derived
            }
        };
        if backing.is_ending(&key.name) {
            return Ok(None);
        }
        let before = backing.before_read(&key.name);
        let found = backing.read(key).await?;
        // Others may have read it meanwhile: one session, one entry.
        let known = known.or_else(|| self.sessions.find(id));
        let session = match found {
            Found::Live(record) => {
                let Some(opened) = self.open(backing, key, &record) else {
                    return Ok(None);
                };
                if !self.config.admission.admits(opened.tokens.user(&self.provider.issuer).as_ref()) {
                    // Not ended: a mistake in the setting must not sign everybody out for good.
                    tracing::debug!("the user of a session in the store may not use the app");
                    return Ok(None);
                }
                let session = match known {
                    Some(session) => session,
                    None => {
                        let layer = Arc::downgrade(self);
                        self.keep(Session::unread(id.clone(), layer, &record, self.now()))
                    }
                };
                self.absorb(&session, &record, opened);
                session
            }
            Found::Ended(ending) => {
                known.inspect(|session| session.end(&self.sessions, ending.into()));
                return Ok(None);
            }
            Found::Absent => {
                if let Some(session) = known.and_then(|_| self.sessions.remove(id)) {
                    session.drop_out(&self.sessions);
                }
                return Ok(None);
            }
        };
        if backing.is_ending(&key.name) {
            // Signed out here since the read began; the store may not know yet.
            session.end(&self.sessions, Phase::SignedOut);
            return Ok(None);
        }
        if let Some(stored) = session.stored() {
            backing.coherence().stamp(&stored.stamp, before);
        }
        Ok(Some(session))
    }

    /// Adopts what was read. A store that went back to what was before is brought forward again: what it holds may name a
    /// refresh token that is spent.
    pub(super) fn absorb(self: &Arc<Self>, session: &Session, record: &Record, opened: Opened) {
        if !session.adopt(self, record, opened) {
            return;
        }
        let (shared, session, behind) = (self.clone(), session.clone(), record.version);
        self.beside(async move {
            let Some((backing, stored)) = shared.record_of(&session) else {
                return;
            };
            let sealed = shared.sessions.current(&session).and_then(|token| session.sealed(&shared, &token));
            if let Some((version, sealed)) = sealed.filter(|(version, _)| *version > behind) {
                let _ = backing.replace(&stored.key, behind, version, &sealed).await;
            }
        });
    }

    /// Opens a record of ours. `None`, and a word in the log, for one that was altered or belongs to another app.
    pub(super) fn open(&self, backing: &Backing, key: &RecordKey, record: &Record) -> Option<Opened> {
        let Some(sealed) = backing.open(key, record) else {
            tracing::error!(
                "A session record in the store was altered, or another app wrote it. The session is refused. Check who \
                 writes to the store."
            );
            return None;
        };
        if sealed.issuer() != self.provider.issuer.as_str() {
            tracing::debug!("a session record in the store belongs to another provider");
            return None;
        }
        let credentials = match self.provider.static_client() {
            None => sealed.registered_client(),
            Some(client) if client.id == sealed.client_id() => client,
            Some(_) => {
                tracing::debug!("a session record in the store belongs to another client");
                return None;
            }
        };
        let issued_at = self.now().minus(record.age.saturating_add(sealed.age()));
        Some(Opened { tokens: sealed.tokens()?, credentials, issued_at })
    }

    /// Notes that a session was used, here and, now and then, in the store.
    pub(crate) fn touch(self: &Arc<Self>, session: &Session, now: Timestamp) {
        if session.touch(&self.config.timing, now) && session.stored().is_some() {
            let (shared, session) = (self.clone(), session.clone());
            self.beside(async move {
                if let Some((backing, stored)) = shared.record_of(&session) {
                    // Missed, it is told again a little later; the store waits for longer than that.
                    let _ = backing.touch(&stored.key).await;
                }
            });
        }
    }
}
