//! Changes the record of a session that exists. A change is decided by the record that this node knows, and swapped into the store.
//! If the store holds another record, the change is decided again by that one, until the store takes it.

use std::sync::Arc;
use std::time::Duration;

use super::claims::Claims;
use super::expiry::MARKED_FOR;
use super::layout::Unreadable;
use super::record::{Ending, Record, Standing};
use super::sealed::{self, Content, Granted};
use super::stored::{Read, Stored};
use super::{OscUser, Session, Sessions, group};
use crate::clock::Timestamp;
use crate::store::{Found, RecordKey, StoreError, Swap, Swapped, Version};

/// The decision about a record.
pub(super) enum Decision<W, L> {
    /// Write this one in its place.
    Write(Record<Granted>, W),
    Leave(L),
    /// Decide anew, by the store's exact time and by what it holds.
    Read,
}

/// The circumstances of a decision, besides the record.
#[derive(Clone, Copy)]
pub(super) struct Circumstances {
    /// The store's time.
    pub(super) now: Timestamp,
    /// The store has just told its time. An estimate may be late after a jump of this machine's clock.
    pub(super) is_exact: bool,
    /// The store was found to be set back to an older state.
    pub(super) is_set_back: bool,
}

/// The result of a change.
pub(super) enum Changed<W, L> {
    /// The store holds the record that was decided on. Contains the store's time.
    Written(W, Timestamp),
    Left(L),
    /// There is no such record any more, so the session is over.
    Gone,
}

/// Why a change failed.
pub(super) enum ChangeError {
    /// It may have taken effect all the same.
    Store,
    /// The store holds something that this node cannot read.
    Unreadable,
}

impl From<ChangeError> for StoreError {
    fn from(error: ChangeError) -> Self {
        Self::new(match error {
            ChangeError::Store => "the store failed",
            ChangeError::Unreadable => "it holds a session record that this node cannot read",
        })
    }
}

impl Sessions {
    /// Changes a record. `exact` is the store's time if it has just told it. All tries write the same version, so a try whose answer
    /// was lost is found to have succeeded.
    pub(super) async fn change<W, L>(
        self: &Arc<Self>,
        session: &Session,
        version: Version,
        exact: Option<Timestamp>,
        mut decide: impl FnMut(&Record<Granted>, Circumstances) -> Decision<W, L>,
    ) -> Result<Changed<W, L>, ChangeError> {
        let Some((backing, Stored { key, .. })) = self.record_of(session) else {
            return Ok(Changed::Gone);
        };
        let mut told = exact.map(|now| Circumstances { now, is_exact: true, is_set_back: false });
        loop {
            let Some((expected, content)) = session.base(self) else { return Ok(Changed::Gone) };
            let circumstances = match told {
                Some(told) => told,
                None => {
                    let now = backing.about_now().await?;
                    Circumstances { now, is_exact: false, is_set_back: false }
                }
            };
            told = match decide(&content.record, circumstances) {
                Decision::Leave(result) => return Ok(Changed::Left(result)),
                Decision::Read => self.reread(session).await?,
                Decision::Write(record, result) => {
                    let content = Content::new(record, content.facts);
                    // A node that had the session must not find its record gone, and tell of its end again.
                    let is_refused = matches!(content.record.standing, Standing::Refused);
                    let lasts = is_refused.then(|| content.facts.kept_for.saturating_add(MARKED_FOR));
                    match self.put(session, Some(expected), version, &content, lasts).await? {
                        Swapped::Done { now } => {
                            session.adopt(self, version, content, now.into());
                            return Ok(Changed::Written(result, now.into()));
                        }
                        Swapped::Conflict(found) => self.absorb(session, key, found)?,
                    }
                }
            };
            if told.is_none() {
                return Ok(Changed::Gone);
            }
        }
    }

    /// Reads the record and adopts it. `None` if there is no record.
    pub(super) async fn reread(
        self: &Arc<Self>,
        session: &Session,
    ) -> Result<Option<Circumstances>, ChangeError> {
        let Some((backing, Stored { key, .. })) = self.record_of(session) else { return Ok(None) };
        Ok(self.absorb(session, key, backing.get(&key.name).await?)?)
    }

    /// Adopts what the store holds. `None` if there is no record.
    fn absorb(
        self: &Arc<Self>,
        session: &Session,
        key: &RecordKey,
        found: Found,
    ) -> Result<Option<Circumstances>, Unreadable> {
        let Some(entry) = found.entry else {
            let user = self.user_to_tell(session);
            if session.end(&self.table, Ending::Dropped) {
                self.tell_of_gone(session.id(), user);
            }
            self.table.remove(session.id());
            return Ok(None);
        };
        let read = self.open(key, entry, found.now)?;
        let (now, is_exact) = (read.now, true);
        Ok(Some(Circumstances { now, is_exact, is_set_back: self.adopt(session, read) }))
    }

    /// Adopts a record that was read. If the store was set back to an older state, writes the newer one again, because the store may
    /// hold a refresh token that is spent. Returns true in that case.
    pub(super) fn adopt(self: &Arc<Self>, session: &Session, read: Read) -> bool {
        session.note_use(&read, self.now());
        self.heed_mark(session.id(), &read);
        let is_set_back = session.adopt(self, read.version, read.content, read.now);
        if is_set_back {
            let (sessions, session) = (self.clone(), session.clone());
            self.beside(async move {
                let Some((known, content)) = session.base(&sessions) else { return };
                let newer = Version::random();
                let put = sessions.put(&session, Some(known), newer, &content, None).await;
                if let Ok(Swapped::Done { now }) = put {
                    session.adopt(&sessions, newer, content, now.into());
                }
            });
        }
        is_set_back
    }

    /// Swaps the session's record into the store.
    pub(super) async fn put(
        &self,
        session: &Session,
        expected: Option<Version>,
        version: Version,
        content: &Content,
        expires_in: Option<Duration>,
    ) -> Result<Swapped, StoreError> {
        let Some((backing, Stored { key, .. })) = self.record_of(session) else {
            return Err(StoreError::new("the session has no record"));
        };
        let namespace = backing.namespace();
        let is_registered = !self.provider.has_static_client();
        let place = group::place(namespace, &key.name);
        let summary = self.group_keys.seal(session.id(), &content.facts, &place);
        let value = sealed::seal(content, key, namespace, version, is_registered, &summary);
        let group = self.group_keys.group(namespace, self.user_of(session, content));
        let swap = Swap { expected, version, value: &value, expires_in, group: group.as_deref() };
        backing.swap(&key.name, swap).await
    }

    /// Returns the user of a record. One without tokens still belongs to the user of its last ones.
    fn user_of(&self, session: &Session, content: &Content) -> Option<OscUser> {
        let known = || session.lock().particulars().known.clone();
        let claims = match &content.record.standing {
            Standing::Live(Granted { tokens, user, .. }) => {
                user.clone().or_else(|| Claims::of(tokens.access_token()))
            }
            Standing::Refused => known().or_else(|| Claims::of(self.table.current(session)?.access_token())),
            Standing::Ended(_) => None,
        };
        Some(OscUser::new(claims?, self.provider.issuer.shared()))
    }
}

impl From<StoreError> for ChangeError {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl From<Unreadable> for ChangeError {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}
