//! A session whose record is in a store: read there, kept in the process's table, and never replaced by an older state.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use super::claims::Claims;
use super::layout::Unreadable;
use super::record::{Ending, Owner, Record, Standing};
use super::sealed::{self, Content, Facts, Granted};
use super::session::{Life, touch_step};
use super::state::{InStore, Particulars, SessionState};
use super::token::Issue;
use super::{Session, SessionId, Sessions, Timing};
use crate::clock::Timestamp;
use crate::oauth::{Credentials, Tokens};
use crate::store::{Backing, Entry, RecordKey, StoreError, Swapped, Version};

/// An estimate of the store's time that is off by more than this is not written into a record.
const TIME_TOLERANCE: Duration = Duration::from_secs(1);

/// The place of a session in the store, and its lease.
pub(super) struct Stored {
    pub(super) key: RecordKey,
    /// See [`Coherence::stamp`](crate::store::Coherence::stamp).
    pub(super) stamp: AtomicU64,
    /// The name under which the lease was taken. It is kept until the lease is released, so that the run that follows a dead one
    /// need not wait for the lease to end.
    pub(super) owner: Mutex<Option<Owner>>,
}

impl Stored {
    pub(super) fn new(id: &SessionId) -> Self {
        Self { key: RecordKey::of(id.as_bytes()), stamp: AtomicU64::new(0), owner: Mutex::default() }
    }
}

/// A record that was read from the store.
pub(super) struct Read {
    pub(super) version: Version,
    pub(super) content: Content,
    pub(super) expires_at: Timestamp,
    pub(super) now: Timestamp,
}

impl Session {
    /// Returns the record that this node believes to be in the store. `None` if there is no store or nothing is known.
    pub(super) fn base(&self, sessions: &Sessions) -> Option<(Version, Content)> {
        let state = self.lock();
        let particulars = state.particulars();
        let InStore { version, lease, issued_at, facts } = particulars.in_store.as_deref()?.clone();
        let standing = match particulars.standing {
            Standing::Refused => Standing::Refused,
            Standing::Ended(ending) => Standing::Ended(ending),
            Standing::Live(()) => {
                let grant = state.grant(&sessions.provider)?;
                let token = sessions.table.current(self).or_else(|| self.token())?;
                let lifetime = token.issue().lifetime();
                let tokens = Tokens { bearer: token.bearer(), refresh_token: grant.refresh_token, lifetime };
                let user = particulars.known.clone();
                Standing::Live(Granted { tokens, credentials: grant.credentials, issued_at, user })
            }
        };
        let record = Record { rotation: particulars.rotation, standing, lease };
        Some((version, Content::new(record, facts)))
    }

    /// Notes when the session was last used, on any node.
    pub(super) fn note_use(&self, read: &Read, local_now: Timestamp) {
        let last_used = read.expires_at.minus(read.content.facts.kept_for);
        let last_seen = local_now.minus(read.now.since(last_used));
        self.life().last_seen.fetch_max(last_seen.as_millis(), Ordering::Relaxed);
    }

    /// Takes over a record that the store holds, unless this process knows a newer one. `now` is the store's time. Returns true if
    /// the store is behind.
    pub(super) fn adopt(
        &self,
        sessions: &Sessions,
        version: Version,
        content: Content,
        now: Timestamp,
    ) -> bool {
        let Content { record, facts, .. } = content;
        if let Standing::Ended(ending) = record.standing {
            self.end(&sessions.table, ending);
            return false;
        }
        let local_now = sessions.now();
        let mut state = self.lock();
        let Particulars { rotation, standing, ref in_store, .. } = *state.particulars();
        let own = Record { rotation, standing, lease: None };
        if own.standing.ending().is_some() {
            return false;
        }
        let known = in_store.as_ref().map(|in_store| in_store.issued_at);
        let outline = record.outline();
        let is_behind = own.is_newer_than(&outline);
        let issued_at = match &record.standing {
            Standing::Live(granted) if known.is_none() || !is_behind => granted.issued_at,
            _ => known.unwrap_or_default(),
        };
        if outline.is_newer_than(&own) {
            match record.standing {
                Standing::Live(Granted { tokens, credentials, issued_at, user }) => {
                    let issue = Issue::new(tokens.lifetime, local_now.minus(now.since(issued_at)));
                    let token = self.with_token(&tokens.bearer, issue);
                    let registered = sessions.provider.registered(credentials);
                    state.renew(tokens.refresh_token, registered, record.rotation);
                    self.note_user(user.clone().or_else(|| Claims::of(token.access_token())));
                    state.know(user);
                    sessions.table.show(self, Some(token));
                }
                Standing::Refused | Standing::Ended(_) => {
                    state.renew(None, None, record.rotation);
                    state.enter(outline.standing);
                    sessions.table.show(self, None);
                }
            }
        }
        let in_store = InStore { version, lease: record.lease, issued_at, facts };
        state.particulars_mut().in_store = Some(Box::new(in_store));
        is_behind
    }

    /// Writes the session's first record.
    pub(super) async fn create_record(
        &self,
        sessions: &Sessions,
        tokens: Tokens,
        credentials: Arc<Credentials>,
    ) -> Result<(), StoreError> {
        let Some((backing, _)) = sessions.record_of(self) else { return Ok(()) };
        let (mut now, mut expected) = (backing.about_now().await?, None);
        loop {
            let granted = Granted {
                tokens: tokens.clone(),
                credentials: credentials.clone(),
                issued_at: backing.time_of(self.issue().issued_at()),
                user: None,
            };
            let facts = Facts {
                issuer: sessions.provider.issuer.shared().clone(),
                began: now,
                device: self.device(),
                ends_at: now.plus(sessions.timing.absolute_timeout),
                kept_for: kept_for(&sessions.timing),
                unknown: None,
            };
            let content = Content::new(Record::new(granted), facts);
            let version = Version::random();
            let put = sessions.put(self, expected, version, &content, Some(content.facts.kept_for));
            let Swapped::Done { now: answered } = put.await? else {
                return Err(StoreError::new("it already holds a session with this new id"));
            };
            // Corrected once. A store whose answers take a second would be off every time.
            if expected.is_some() || !is_off(now, answered.into()) {
                self.adopt(sessions, version, content, answered.into());
                return Ok(());
            }
            (now, expected) = (answered.into(), Some(version));
        }
    }

    /// A session that this process does not know yet. It has no token before it adopts what was read.
    pub(super) fn unread(id: SessionId, engine: Weak<Sessions>, read: &Read, now: Timestamp) -> Self {
        let facts = &read.content.facts;
        let (ends_at, device) = (now.plus(facts.ends_at.since(read.now)), facts.device);
        let stored = Some(Box::new(Stored::new(&id)));
        let never = Timestamp::default();
        let life = Life::new(engine, ends_at, never, SessionState::default(), stored, device);
        Self::bare(id, life)
    }
}

/// Returns true if an estimate of the store's time was off.
pub(super) fn is_off(estimated: Timestamp, answered: Timestamp) -> bool {
    estimated.since(answered).max(answered.since(estimated)) > TIME_TOLERANCE
}

/// How long the store keeps a record after its last use. Nodes report a use only now and then.
pub(super) fn kept_for(timing: &Timing) -> Duration {
    timing.idle_timeout.saturating_add(2 * touch_step(timing))
}

impl Sessions {
    /// A session's record and its store, if there is one.
    pub(super) fn record_of<'s>(&'s self, session: &'s Session) -> Option<(&'s Backing, &'s Stored)> {
        Some((self.backing.as_deref()?, session.stored()?))
    }

    /// Returns true if the process knows what the store holds of this session.
    pub(crate) fn is_current(&self, session: &Session) -> bool {
        self.record_of(session).is_none_or(|(backing, stored)| {
            backing.coherence().trusts(&stored.stamp, &stored.key.name, Instant::now())
        })
    }

    /// Returns true if the store has to be asked before this session is used.
    pub(crate) fn must_read(&self, session: &Session) -> bool {
        let timed_out = || session.has_expired(&self.timing, self.now());
        self.record_of(session).is_some() && (!self.is_current(session) || timed_out()) && !session.is_over()
    }

    /// Returns the session: from the table if that is known to be current, else from the store.
    pub(crate) async fn find(self: &Arc<Self>, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let known = self.table.find(id);
        let must_read = known.as_ref().is_none_or(|known| self.must_read(known));
        match &self.backing {
            Some(backing) if must_read => self.reads.share(id, || self.read(backing, id, known)).await,
            _ => Ok(known),
        }
    }

    async fn read(
        self: &Arc<Self>,
        backing: &Backing,
        id: &SessionId,
        known: Option<Session>,
    ) -> Result<Option<Session>, StoreError> {
        let (entry, mut derived) = (known.clone(), None);
        let key: &RecordKey = match entry.as_ref().and_then(Session::stored) {
            Some(stored) => &stored.key,
            None => derived.insert(RecordKey::of(id.as_bytes())),
        };
        if backing.is_ending(&key.name) {
            return Ok(None);
        }
        let before = backing.before_read(&key.name);
        let found = backing.get(&key.name).await?;
        // Others may have read it meanwhile: one session, one entry.
        let known = known.or_else(|| self.table.find(id));
        let Some(entry) = found.entry else {
            if let Some(session) = known.and_then(|_| self.table.remove(id)) {
                let user = self.user_to_tell(&session);
                if session.end(&self.table, Ending::Dropped) {
                    self.tell_of_gone(id, user);
                }
            }
            return Ok(None);
        };
        let read = match self.open(key, entry, found.now) {
            Ok(read) => read,
            Err(Unreadable::Altered) => return Ok(None),
            Err(Unreadable::Newer) => return Err(Unreadable::Newer.into()),
        };
        match &read.content.record.standing {
            Standing::Ended(ending) => {
                known.inspect(|session| _ = session.end(&self.table, *ending));
                self.heed_mark(id, &read);
                return Ok(None);
            }
            Standing::Live(granted) if !self.admits(&granted.tokens, granted.user.clone()) => {
                // The session does not end: a mistake in the setting must not sign everybody out for good.
                tracing::debug!("the user of a session in the store may not use the app");
                return Ok(None);
            }
            Standing::Live(_) | Standing::Refused => {}
        }
        let session = match known {
            Some(session) => session,
            None => {
                let engine = Arc::downgrade(self);
                self.keep(Session::unread(id.clone(), engine, &read, self.now()))
            }
        };
        self.adopt(&session, read);
        if backing.is_ending(&key.name) {
            // Signed out here since the read began. The store may not know yet.
            session.end(&self.table, Ending::SignedOut);
            return Ok(None);
        }
        if let Some(stored) = session.stored() {
            backing.coherence().stamp(&stored.stamp, before);
        }
        Ok(Some(session))
    }

    /// Opens a record of this app. Logs if it was altered or belongs to another app.
    pub(super) fn open(&self, key: &RecordKey, entry: Entry, now: SystemTime) -> Result<Read, Unreadable> {
        let namespace = self.backing.as_ref().map_or("", |backing| backing.namespace());
        let opened = sealed::open(&entry.value, key, namespace, entry.version);
        if opened.as_ref().is_err_and(|error| *error == Unreadable::Altered) {
            tracing::error!(
                "A session record in the store was altered, or another app wrote it. The session is refused. Check who \
                 writes to the store."
            );
        }
        let mut content = opened?;
        let standing = &mut content.record.standing;
        let to_revoke = content.to_revoke.as_mut();
        if let Some(granted) = standing.grant_mut().or(to_revoke) {
            if *content.facts.issuer != *self.provider.issuer.as_str() {
                tracing::debug!("a session record in the store belongs to another provider");
                return Err(Unreadable::Altered);
            }
            if let Some(client) = self.provider.static_client() {
                if client.id != granted.credentials.id {
                    tracing::debug!("a session record in the store belongs to another client");
                    return Err(Unreadable::Altered);
                }
                granted.credentials = client;
            }
        }
        Ok(Read { version: entry.version, content, expires_at: entry.expires_at.into(), now: now.into() })
    }

    /// Notes that a session was used, here and, now and then, in the store.
    pub(crate) fn touch(self: &Arc<Self>, session: &Session, now: Timestamp) {
        if session.touch(&self.timing, now) && session.stored().is_some() {
            let (sessions, session) = (self.clone(), session.clone());
            self.beside(async move {
                let Some((backing, stored)) = sessions.record_of(&session) else { return };
                let Some(version) = session.version() else { return };
                // If this fails, a later use reports again. The store keeps the record for longer than that.
                let _ = backing.touch(&stored.key.name, version, kept_for(&sessions.timing)).await;
            });
        }
    }
}
