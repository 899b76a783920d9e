//! The sessions of one user, at this node and in the store: listing them, and ending those of other browsers.
//!
//! In the store, the records of a user belong to a group. Its name is a hash of the user under the cookie key, because the names of
//! users can be guessed. The node that lists or ends the sessions of a group does not need their ids, so it need not open their
//! records. A list shows their summaries, and a mark ends a session (see `layout`).

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::device::Device;
use super::layout::{self, Layout};
use super::sealed::{self, Facts};
use super::{OscUser, Session, SessionId, SessionInfo, Sessions};
use crate::clock::Timestamp;
use crate::store::{
    Backing, Entry, Found, Keyring, RecordKey, RecordName, StoreError, Swap, Swapped, Version,
};

/// Limits the records of a user that are read or marked at the same time.
const AT_ONCE: usize = 16;

/// The keys for what the store knows of a user's sessions.
pub(crate) struct GroupKeys {
    names: Keyring,
    summaries: Keyring,
}

/// The part of a session that a list of the user's sessions shows.
#[derive(Clone, Serialize, Deserialize)]
struct Summary {
    id: String,
    began: Timestamp,
    device: Device,
}

/// A record of a user's session in the store.
struct Member {
    name: RecordName,
    entry: Entry,
    now: Timestamp,
}

impl GroupKeys {
    pub(crate) fn derive(secrets: &[Vec<u8>]) -> Self {
        Self {
            names: Keyring::derive(secrets, b"osc-auth-layer/v1 group"),
            summaries: Keyring::derive(secrets, b"osc-auth-layer/v1 session summary"),
        }
    }

    /// Returns the names that a user's group may have: one for each key, and the one to use first.
    fn names(&self, namespace: &str, user: &str) -> Vec<String> {
        self.names.names(&[namespace, user])
    }

    /// Returns the group of a user. `None` for an unknown user.
    pub(super) fn group(&self, namespace: &str, user: Option<OscUser>) -> Option<String> {
        self.names(namespace, &user?.key()?).into_iter().next()
    }

    pub(super) fn seal(&self, id: &SessionId, facts: &Facts, place: &[u8]) -> Vec<u8> {
        let summary = Summary { id: id.public(), began: facts.began, device: facts.device };
        self.summaries.seal(&summary, place)
    }

    fn open(&self, summary: &[u8], place: &[u8]) -> Option<Summary> {
        self.summaries.open(summary, place)
    }
}

/// The place of a summary, which it is sealed to.
pub(super) fn place(namespace: &str, name: &RecordName) -> Vec<u8> {
    format!("{} {namespace}", name.text()).into_bytes()
}

impl Sessions {
    /// Lists the live sessions of the user with this [key](OscUser::key), the last used first.
    pub(crate) async fn of_user(
        &self,
        user: &str,
        this: Option<&SessionId>,
    ) -> Result<Vec<SessionInfo>, StoreError> {
        let this = this.map(SessionId::public);
        let mut infos: Vec<_> = match &self.backing {
            None => self.held_of(user).iter().filter_map(|session| self.info(session)).collect(),
            Some(backing) => {
                let members = self.members(backing, user).await?;
                members.iter().filter_map(|member| self.read_summary(backing, member)).collect()
            }
        };
        for info in &mut infos {
            info.is_this = this.as_ref() == Some(&info.id);
        }
        infos.sort_by_key(|info| std::cmp::Reverse((info.last_used, info.began)));
        Ok(infos)
    }

    /// Describes a session of this process. `None` if it has no token any more, or has expired.
    pub(super) fn info(&self, session: &Session) -> Option<SessionInfo> {
        self.table.current(session)?;
        let (began, device) = session.origin(&self.timing);
        let is_live = !session.has_expired(&self.timing, self.now());
        let (id, last_used) = (session.id().public(), session.last_seen());
        is_live.then_some(SessionInfo { id, began, last_used, device, is_this: false })
    }

    /// Ends one session of a user. Returns false if the user has no such session.
    pub(crate) async fn end_of_user(self: &Arc<Self>, user: &str, id: &str) -> Result<bool, StoreError> {
        let Some(backing) = &self.backing else {
            let session = self.held_of(user).into_iter().find(|session| session.id().public() == id);
            let Some(session) = session.filter(|session| self.info(session).is_some()) else {
                return Ok(false);
            };
            return Ok(self.sign_out(session.id()).await);
        };
        let members = self.members(backing, user).await?;
        let is_meant = |member: &Member| self.read_summary(backing, member).is_some_and(|info| info.id == id);
        let Some(member) = members.into_iter().find(is_meant) else { return Ok(false) };
        let is_ended = mark(backing, member).await?;
        self.revoke_held(backing, user).await;
        Ok(is_ended)
    }

    /// Ends all sessions of a user but one, even if the caller goes away. If the store fails, some may remain.
    pub(crate) async fn end_all_of_user(
        self: &Arc<Self>,
        user: String,
        except: Option<SessionId>,
    ) -> Result<(), StoreError> {
        let (sender, result) = oneshot::channel();
        let sessions = self.clone();
        self.beside(async move {
            // The caller may have gone.
            let _ = sender.send(sessions.end_all(&user, except.as_ref()).await);
        });
        result.await.unwrap_or_else(|_| Err(StoreError::new("its task ended")))
    }

    async fn end_all(self: &Arc<Self>, user: &str, except: Option<&SessionId>) -> Result<(), StoreError> {
        let Some(backing) = &self.backing else {
            for session in self.held_of(user).iter().filter(|session| Some(session.id()) != except) {
                self.sign_out(session.id()).await;
            }
            return Ok(());
        };
        let except = except.map(|id| RecordKey::of(id.as_bytes()).name);
        let members = self.members(backing, user).await?.into_iter();
        let members = stream::iter(members.filter(|member| Some(&member.name) != except.as_ref()));
        let marked = members.map(|member| mark(backing, member)).buffer_unordered(AT_ONCE);
        let result = marked.try_fold((), |(), _| async { Ok(()) }).await;
        self.revoke_held(backing, user).await;
        result
    }

    /// Reads the sessions that this process knows again. That finds the marks on them, and revokes their grants.
    async fn revoke_held(self: &Arc<Self>, backing: &Backing, user: &str) {
        for session in self.held_of(user) {
            // If this fails, the next request of the session's browser tries again.
            let _ = self.read(backing, &session.id().clone(), Some(session)).await;
        }
    }

    /// Returns the sessions of a user that this process holds.
    fn held_of(&self, user: &str) -> Vec<Session> {
        let mut sessions = self.table.of_user(Session::user_tag(user));
        sessions.retain(|session| session.token().is_some_and(|token| token.is_of(user)));
        sessions
    }

    async fn members(&self, backing: &Backing, user: &str) -> Result<Vec<Member>, StoreError> {
        let mut names = Vec::new();
        for group in self.group_keys.names(backing.namespace(), user) {
            names.extend(backing.members(&group).await?);
        }
        let found = stream::iter(names).map(|name| async move {
            let Found { entry, now } = backing.get(&name).await?;
            Ok(entry.map(|entry| Member { name, entry, now: now.into() }))
        });
        found.buffer_unordered(AT_ONCE).try_filter_map(|member| async { Ok(member) }).try_collect().await
    }

    /// Reads what a list shows of a record. `None` if the session has ended, or if a node with other cookie keys wrote it.
    fn read_summary(&self, backing: &Backing, Member { name, entry, now }: &Member) -> Option<SessionInfo> {
        let Ok(Layout::Held(parts)) = layout::split(&entry.value) else { return None };
        let span = sealed::span(parts.header)?;
        if parts.marked.is_some() || *now >= span.ends_at {
            return None;
        }
        let Summary { id, began, device } =
            self.group_keys.open(parts.summary, &place(backing.namespace(), name))?;
        let last_used = Timestamp::from(entry.expires_at).minus(span.kept_for);
        Some(SessionInfo { id, began, last_used, device, is_this: false })
    }
}

/// Marks a record as ended, and tries again after each conflict. Returns false if the session had ended.
async fn mark(backing: &Backing, Member { name, mut entry, .. }: Member) -> Result<bool, StoreError> {
    loop {
        let Some(value) = layout::marked(&entry.value, entry.version) else { return Ok(false) };
        let (expected, version) = (Some(entry.version), Version::random());
        let swap = Swap { expected, version, value: &value, expires_in: None, group: None };
        entry = match backing.swap(&name, swap).await? {
            Swapped::Done { .. } => return Ok(true),
            Swapped::Conflict(Found { entry: Some(held), .. }) if Some(held.version) == expected => {
                return Err(StoreError::new("it reported a conflict with the expected version"));
            }
            Swapped::Conflict(Found { entry: Some(held), .. }) => held,
            Swapped::Conflict(Found { entry: None, .. }) => return Ok(false),
        };
    }
}

impl std::fmt::Debug for GroupKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
