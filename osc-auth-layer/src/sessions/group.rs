//! The sessions of one user, at this node and in the store: listing them, and ending those of other browsers.
//!
//! In the store, the records of a user belong to a group. Its name is a hash of the user under the cookie key, because the names of
//! users can be guessed. The node that lists or ends the sessions of a group does not need their ids, so it need not open their
//! records. A list shows their summaries, and a mark ends a session (see `layout`).

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::device::Device;
use super::layout::{self, Layout};
use super::sealed::{self, Facts, Outline};
use super::{EndReason, OscUser, Session, SessionEventKind, SessionId, SessionInfo, Sessions};
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
#[derive(Serialize, Deserialize)]
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
            None => self.held_of(user).await.iter().filter_map(|session| self.info(session)).collect(),
            Some(backing) => {
                let summary = |member| async move { self.read_summary(backing, &member) };
                let (infos, failed) = self.each_member(backing, user, None, summary).await?;
                // A record that cannot be read must not hide the others.
                match failed.filter(|_| infos.is_empty()) {
                    Some(failed) => return Err(failed),
                    None => infos,
                }
            }
        };
        for info in &mut infos {
            info.is_this = this.as_ref() == Some(&info.id);
        }
        infos.sort_by_key(|info| std::cmp::Reverse((info.last_used, info.began)));
        Ok(infos)
    }

    /// Describes a session of this process. `None` if it has no token any more.
    pub(super) fn info(&self, session: &Session) -> Option<SessionInfo> {
        self.table.current(session)?;
        let (began, device) = session.origin(&self.timing);
        let is_live = !session.has_expired(&self.timing, self.now());
        // Estimated by the store's clock, so it may be some milliseconds earlier.
        let (id, last_used) = (session.id().public(), session.last_seen().max(began));
        is_live.then_some(SessionInfo { id, began, last_used, device, is_this: false })
    }

    /// Ends one session of a user. Returns false if the user has no such session.
    pub(crate) async fn end_of_user(
        self: &Arc<Self>,
        user: &str,
        id: &str,
        reason: EndReason,
    ) -> Result<bool, StoreError> {
        let kind = SessionEventKind::Ended(reason);
        let held = self.held_of(user).await.into_iter().find(|session| session.id().public() == id);
        if let Some(session) = held.filter(|session| self.info(session).is_some()) {
            return Ok(self.sign_out(session.id(), kind).await);
        }
        let Some(backing) = &self.backing else { return Ok(false) };
        let mark = |member: Member| async move {
            let is_meant = self.read_summary(backing, &member).is_some_and(|info| info.id == id);
            if is_meant { Some(self.mark(backing, member, user, kind).await) } else { None }
        };
        let (marked, failed) = self.each_member(backing, user, None, mark).await?;
        match (marked.into_iter().next(), failed) {
            (Some(marked), _) => marked,
            (None, Some(failed)) => Err(failed),
            (None, None) => Ok(false),
        }
    }

    /// Ends all sessions of a user, `last` after the others, even if the caller goes away. If the store fails, some remain, and
    /// `last` is one of them.
    pub(crate) async fn end_all_of_user(
        self: &Arc<Self>,
        user: Option<String>,
        last: Option<SessionId>,
        reason: EndReason,
    ) -> Result<(), StoreError> {
        let (sender, result) = oneshot::channel();
        let sessions = self.clone();
        self.beside(async move {
            let ended = match user {
                Some(user) => sessions.end_all(&user, last.as_ref(), SessionEventKind::Ended(reason)).await,
                None => Ok(()),
            };
            if let Some(last) = last.filter(|_| ended.is_ok()) {
                sessions.sign_out(&last, SessionEventKind::SignedOut).await;
            }
            // The caller may have gone.
            let _ = sender.send(ended);
        });
        result.await.unwrap_or_else(|_| Err(StoreError::new("its task ended")))
    }

    async fn end_all(
        self: &Arc<Self>,
        user: &str,
        except: Option<&SessionId>,
        kind: SessionEventKind,
    ) -> Result<(), StoreError> {
        let mut result = Ok(());
        if let Some(backing) = &self.backing {
            let mark = |member| async move { self.mark(backing, member, user, kind).await.err() };
            let (failures, failed) = self.each_member(backing, user, except, mark).await?;
            result = failures.into_iter().chain(failed).next().map_or(Ok(()), Err);
        }
        // Revokes the grants of the marked ones that this node can open. Ends those that the group lacks.
        let held = self.held_of(user).await;
        for session in held.iter().filter(|session| Some(session.id()) != except) {
            self.sign_out(session.id(), kind).await;
        }
        result
    }

    /// Marks a record as ended, and tells the app. Returns false if the session had ended.
    async fn mark(
        self: &Arc<Self>,
        backing: &Backing,
        member: Member,
        user: &str,
        kind: SessionEventKind,
    ) -> Result<bool, StoreError> {
        let Some(marked) = mark(backing, member).await? else { return Ok(false) };
        // One whose refresh was refused is told of already.
        if let Some(info) = self.read_summary(backing, &marked) {
            let user = OscUser::of_key(user, self.provider.issuer.shared());
            self.tell_of(kind, info.id, user);
        }
        Ok(true)
    }

    /// Returns the sessions of a user that this process holds.
    async fn held_of(&self, user: &str) -> Vec<Session> {
        let mut sessions = self.table.of_user(Session::user_tag(user)).await;
        sessions.retain(|session| session.token().is_some_and(|token| token.is_of(user)));
        sessions
    }

    /// Reads the records of a user's sessions, and collects the results of `work` on them. Also returns the first failure, if there
    /// was one.
    async fn each_member<T, F>(
        &self,
        backing: &Backing,
        user: &str,
        except: Option<&SessionId>,
        work: impl Fn(Member) -> F,
    ) -> Result<(Vec<T>, Option<StoreError>), StoreError>
    where
        F: Future<Output = Option<T>>,
    {
        let except = except.map(|id| RecordKey::of(id.as_bytes()).name);
        let mut names = Vec::new();
        for group in self.group_keys.names(backing.namespace(), user) {
            names.extend(backing.members(&group).await?);
        }
        names.retain(|name| Some(name) != except.as_ref());
        let work = &work;
        let results = stream::iter(names).map(|name| async move {
            let Found { entry, now } = backing.get(&name).await?;
            match entry {
                Some(entry) => Ok(work(Member { name, entry, now: now.into() }).await),
                None => Ok(None),
            }
        });
        let mut results = results.buffer_unordered(AT_ONCE);
        let (mut collected, mut failed) = (Vec::new(), None);
        while let Some(result) = results.next().await {
            match result {
                Ok(result) => collected.extend(result),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        Ok((collected, failed))
    }

    /// Reads what a list shows of a record. `None` if the session has ended, or if a node with other cookie keys wrote it.
    fn read_summary(&self, backing: &Backing, Member { name, entry, now }: &Member) -> Option<SessionInfo> {
        let Ok(Layout::Held(parts)) = layout::split(&entry.value) else { return None };
        let Outline { ends_at, kept_for, is_refused } = sealed::outline(parts.header)?;
        if parts.marked.is_some() || is_refused || *now >= ends_at {
            return None;
        }
        let Summary { id, began, device } =
            self.group_keys.open(parts.summary, &place(backing.namespace(), name))?;
        // The store's clock and the clock of the node that began it differ by some milliseconds.
        let last_used = Timestamp::from(entry.expires_at).minus(kept_for).max(began);
        Some(SessionInfo { id, began, last_used, device, is_this: false })
    }
}

/// Marks a record as ended, and tries again after each conflict. Returns the record that it marked. `None` if the session had ended.
async fn mark(backing: &Backing, mut member: Member) -> Result<Option<Member>, StoreError> {
    loop {
        let entry = &member.entry;
        let Some(value) = layout::marked(&entry.value, entry.version) else { return Ok(None) };
        let (expected, version) = (Some(entry.version), Version::random());
        let swap = Swap { expected, version, value: &value, expires_in: None, group: None };
        member.entry = match backing.swap(&member.name, swap).await? {
            Swapped::Done { .. } => return Ok(Some(member)),
            Swapped::Conflict(Found { entry: Some(held), .. }) if Some(held.version) == expected => {
                return Err(StoreError::new("it reported a conflict with the expected version"));
            }
            Swapped::Conflict(Found { entry: Some(held), .. }) => held,
            Swapped::Conflict(Found { entry: None, .. }) => return Ok(None),
        };
    }
}

impl std::fmt::Debug for GroupKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
