//! The one way to change the record of a session that exists: decide on what this node knows, swap, and decide anew on what the store
//! holds instead, until the store takes it.

use std::sync::Arc;
use std::time::Duration;

use super::record::{Ending, Record};
use super::sealed::{self, Content, Granted, Unreadable};
use super::stored::{Base, Read};
use super::{Session, Sessions};
use crate::clock::Timestamp;
use crate::store::{Found, StoreError, Swap, Swapped, Version};

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

/// The result of a look at the store.
#[derive(Clone, Copy)]
pub(super) struct Absorbed {
    /// The store's time.
    now: Timestamp,
    is_set_back: bool,
}

/// The result of a change.
pub(super) enum Changed<W, L> {
    /// The store holds the record that was decided on. Contains the store's time.
    Written(W, Timestamp),
    Left(L),
    /// There is no such record any more, so the session is over.
    Gone,
}

/// The result of [`Sessions::put`].
pub(super) enum Put {
    /// The record is in the store. Contains the store's time.
    Done(Timestamp),
    /// The store holds something else.
    Conflict(Option<Box<Read>>),
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
        let mut found = exact.map(|now| Absorbed { now, is_set_back: false });
        loop {
            let (Some(backing), Some(Base { version: expected, content })) =
                (&self.backing, session.base(self))
            else {
                return Ok(Changed::Gone);
            };
            let circumstances = match found {
                Some(Absorbed { now, is_set_back }) => Circumstances { now, is_exact: true, is_set_back },
                None => {
                    let now = backing.about_now().await?;
                    Circumstances { now, is_exact: false, is_set_back: false }
                }
            };
            match decide(&content.record, circumstances) {
                Decision::Leave(result) => return Ok(Changed::Left(result)),
                Decision::Read => {
                    found = self.reread(session).await?;
                    if found.is_none() {
                        return Ok(Changed::Gone);
                    }
                }
                Decision::Write(record, result) => {
                    let content = Content { record, facts: content.facts };
                    match self.put(session, Some(expected), version, &content, None).await? {
                        Put::Done(now) => {
                            session.adopt(self, version, content, now);
                            return Ok(Changed::Written(result, now));
                        }
                        Put::Conflict(read) => {
                            found = self.absorb(session, read.map(|read| *read));
                            if found.is_none() {
                                return Ok(Changed::Gone);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Reads the record and adopts it. `None` if there is no record.
    pub(super) async fn reread(self: &Arc<Self>, session: &Session) -> Result<Option<Absorbed>, ChangeError> {
        let Some((backing, stored)) = self.record_of(session) else { return Ok(None) };
        let found = backing.get(&stored.key.name).await?;
        let read = found.entry.map(|entry| self.open(&stored.key, entry, found.now)).transpose()?;
        Ok(self.absorb(session, read))
    }

    /// Adopts what the store holds. If the store was set back to an older state, writes the newer one again, because the store may
    /// hold a refresh token that is spent. `None` if there is no record.
    pub(super) fn absorb(self: &Arc<Self>, session: &Session, read: Option<Read>) -> Option<Absorbed> {
        let Some(read) = read else {
            session.end(&self.table, Ending::Dropped);
            self.table.remove(session.id());
            return None;
        };
        let now = read.now();
        let is_set_back = session.adopt_read(self, read);
        if is_set_back {
            let (sessions, session) = (self.clone(), session.clone());
            self.beside(async move {
                let Some(Base { version, content }) = session.base(&sessions) else { return };
                let newer = Version::random();
                if let Ok(Put::Done(now)) = sessions.put(&session, Some(version), newer, &content, None).await
                {
                    session.adopt(&sessions, newer, content, now);
                }
            });
        }
        Some(Absorbed { now, is_set_back })
    }

    /// Swaps a record into the store.
    pub(super) async fn put(
        &self,
        session: &Session,
        expected: Option<Version>,
        version: Version,
        content: &Content,
        expires_in: Option<Duration>,
    ) -> Result<Put, ChangeError> {
        let Some((backing, stored)) = self.record_of(session) else { return Ok(Put::Conflict(None)) };
        let is_registered = !self.provider.has_static_client();
        let value = sealed::seal(content, &stored.key, backing.namespace(), version, is_registered);
        let swap = Swap { expected, version, value: &value, expires_in };
        Ok(match backing.swap(&stored.key.name, swap).await? {
            Swapped::Done { now } => Put::Done(now.into()),
            Swapped::Conflict(Found { entry: None, .. }) => Put::Conflict(None),
            Swapped::Conflict(Found { entry: Some(entry), now }) => {
                Put::Conflict(Some(Box::new(self.open(&stored.key, entry, now)?)))
            }
        })
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
