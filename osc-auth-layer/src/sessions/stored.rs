//! A session whose record is in a store: read there, kept in the process's table, and never taken back to what is older.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::sealed::Sealed;
use super::session::{Life, touch_step};
use super::token::Issue;
use super::{OscToken, Phase, Session, SessionId, Sessions, Timing};
use crate::clock::Timestamp;
use crate::oauth::{Credentials, Grant, Tokens};
use crate::secret::Secret;
use crate::store::{Backing, Ending, Expiry, Found, Record, RecordKey, StoreError, Stored};

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
    pub(super) fn adopt(&self, sessions: &Sessions, record: &Record, opened: Opened) -> bool {
        let now = sessions.now();
        self.life().last_seen.fetch_max(seen_at(record, now).as_millis(), Ordering::Relaxed);
        let mut state = self.lock();
        if state.phase().is_over() {
            return false;
        }
        if record.version > state.version() {
            let Opened { tokens, credentials, issued_at } = opened;
            let issue = Issue::new(tokens.lifetime, issued_at);
            let token = self.with_token(&tokens.bearer, issue);
            state.renew(tokens.refresh_token, sessions.provider.registered(credentials), record.version);
            sessions.table.show(&mut state, self, Some(token));
        }
        if record.refused && record.version == state.version() {
            state.enter(Phase::Refused);
            sessions.table.show(&mut state, self, None);
        }
        record.version < state.version()
    }

    /// Writes the first version of its record.
    pub(crate) async fn create_record(
        &self,
        sessions: &Sessions,
        token: &OscToken,
    ) -> Result<(), StoreError> {
        let Some((backing, stored)) = sessions.record_of(self) else {
            return Ok(());
        };
        let Some((version, sealed)) = self.sealed(sessions, token) else {
            return Ok(());
        };
        let sealed = backing.seal(&stored.key, version, &sealed);
        match backing.create(&stored.key, &sealed, expiry(&sessions.timing)).await? {
            true => Ok(()),
            false => Err(StoreError::new("it already holds a session with this new id")),
        }
    }

    /// A session this process does not know yet: it has nothing before it adopts what was read.
    pub(super) fn unread(id: SessionId, engine: Weak<Sessions>, record: &Record, now: Timestamp) -> Self {
        let life = Life {
            engine,
            ends_at: now.plus(record.ends_in),
            last_seen: AtomicU64::new(seen_at(record, now).as_millis()),
            state: Mutex::default(),
            stored: Some(Box::new(Stored::new(RecordKey::of(id.as_bytes())))),
        };
        Self::bare(id, life)
    }

    /// What its record is to hold. `None` once it ended.
    fn sealed(&self, sessions: &Sessions, token: &OscToken) -> Option<(u64, Vec<u8>)> {
        let state = self.lock();
        if state.phase() != Phase::Live {
            return None;
        }
        let Grant { refresh_token, credentials } = state.grant(&sessions.provider)?;
        Some((state.version(), sealed(sessions, &credentials, token, refresh_token.as_ref())))
    }
}

/// What a record is to hold.
pub(super) fn sealed(
    sessions: &Sessions,
    credentials: &Credentials,
    token: &OscToken,
    refresh_token: Option<&Secret>,
) -> Vec<u8> {
    let (issue, provider) = (token.issue(), &sessions.provider);
    let times = (issue.lifetime(), issue.age(sessions.now()));
    let is_registered = !provider.has_static_client();
    Sealed::new(provider.issuer.as_str(), credentials, is_registered, &token.bearer(), refresh_token, times)
        .to_bytes()
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

impl Sessions {
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
        let timed_out = || session.has_expired(&self.timing, self.now());
        self.record_of(session).is_some() && (!self.is_current(session) || timed_out()) && !session.is_over()
    }

    /// The session as it is: from the table when that is known to be current, else from the store.
    pub(crate) async fn find(self: &Arc<Self>, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let known = self.table.find(id);
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
                derived = RecordKey::of(id.as_bytes());
                &derived
            }
        };
        if backing.is_ending(&key.name) {
            return Ok(None);
        }
        let before = backing.before_read(&key.name);
        let found = backing.read(key).await?;
        // Others may have read it meanwhile: one session, one entry.
        let known = known.or_else(|| self.table.find(id));
        let session = match found {
            Found::Live(record) => {
                let Some(opened) = self.open(backing, key, &record) else {
                    return Ok(None);
                };
                if !self.admits(&opened.tokens) {
                    // Not ended: a mistake in the setting must not sign everybody out for good.
                    tracing::debug!("the user of a session in the store may not use the app");
                    return Ok(None);
                }
                let session = match known {
                    Some(session) => session,
                    None => {
                        let engine = Arc::downgrade(self);
                        self.keep(Session::unread(id.clone(), engine, &record, self.now()))
                    }
                };
                self.absorb(&session, &record, opened);
                session
            }
            Found::Ended(ending) => {
                known.inspect(|session| session.end(&self.table, ending.into()));
                return Ok(None);
            }
            Found::Absent => {
                if let Some(session) = known.and_then(|_| self.table.remove(id)) {
                    session.drop_out(&self.table);
                }
                return Ok(None);
            }
        };
        if backing.is_ending(&key.name) {
            // Signed out here since the read began; the store may not know yet.
            session.end(&self.table, Phase::SignedOut);
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
        let (sessions, session, behind) = (self.clone(), session.clone(), record.version);
        self.beside(async move {
            let Some((backing, stored)) = sessions.record_of(&session) else {
                return;
            };
            let sealed = sessions.table.current(&session).and_then(|token| session.sealed(&sessions, &token));
            if let Some((version, sealed)) = sealed.filter(|(version, _)| *version > behind) {
                let _ = backing.replace(&stored.key, behind, version, &sealed).await;
            }
        });
    }

    /// Opens a record of ours. `None`, and a word in the log, for one that was altered or belongs to another app.
    pub(super) fn open(&self, backing: &Backing, key: &RecordKey, record: &Record) -> Option<Opened> {
        let Some(sealed) = backing.open(key, record).as_deref().and_then(Sealed::of_bytes) else {
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
        if session.touch(&self.timing, now) && session.stored().is_some() {
            let (sessions, session) = (self.clone(), session.clone());
            self.beside(async move {
                if let Some((backing, stored)) = sessions.record_of(&session) {
                    // Missed, it is told again a little later; the store waits for longer than that.
                    let _ = backing.touch(&stored.key).await;
                }
            });
        }
    }
}
