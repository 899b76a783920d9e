//! The sessions of a user, as the app sees them.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

#[cfg(doc)]
use super::SessionErrorKind;
use super::device::Device;
use super::{EndReason, OscSession, Session, SessionError, SessionEventKind, Sessions};
use crate::clock::Timestamp;

/// Describes one of a user's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    pub(super) id: String,
    pub(super) began: Timestamp,
    pub(super) last_used: Timestamp,
    pub(super) device: Device,
    pub(super) is_this: bool,
}

impl SessionInfo {
    /// Returns the session's name in logs, as [`OscSession::id`](crate::OscSession::id) does. It is no secret, and it authorises
    /// nothing.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the time of the sign-in.
    #[must_use]
    pub fn began(&self) -> SystemTime {
        self.began.into()
    }

    /// Returns the time of the last request, on any node. Nodes note a use at most once a minute, so the time may be up to a minute
    /// too early.
    #[must_use]
    pub fn last_used(&self) -> SystemTime {
        self.last_used.into()
    }

    /// Returns the browser and system, such as `Firefox on Linux`, or `Unknown device`. They come from the `User-Agent` header of the
    /// sign-in, and a user agent may claim anything.
    #[must_use]
    pub fn label(&self) -> String {
        self.device.to_string()
    }

    pub(super) fn this(mut self) -> Self {
        self.is_this = true;
        self
    }

    /// Returns true for the session that asked for the list.
    #[must_use]
    pub fn is_this(&self) -> bool {
        self.is_this
    }
}

impl OscSession {
    /// Lists the sessions of this session's user, on any node and in any browser, the last used first.
    ///
    /// The user is that of [`OscUser::key`](crate::OscUser::key). If the token names no user, the list contains this session only.
    ///
    /// # Errors
    /// [`Ended`](SessionErrorKind::Ended) if this session has ended, or [`Unavailable`](SessionErrorKind::Unavailable) if the session
    /// store is unreachable.
    pub async fn list(&self) -> Result<Vec<SessionInfo>, SessionError> {
        let (sessions, session) = self.live().await?;
        let mut infos = match user_key(&sessions, &session) {
            Some(user) => sessions.of_user(&user, Some(&self.id)).await?,
            None => Vec::new(),
        };
        // The list lacks it if the token names no user, or if the cookie keys have changed since its last refresh.
        if !infos.iter().any(SessionInfo::is_this) {
            infos.splice(..0, sessions.info(&session).map(SessionInfo::this));
        }
        Ok(infos)
    }

    /// Ends one of the user's sessions, as [`sign_out`](Self::sign_out) ends this one. Returns false, and ends nothing, if
    /// [`list`](Self::list) has no session with this [`id`](SessionInfo::id).
    ///
    /// Other nodes refuse the session as fast as after a sign-out. With a store, a node can revoke the session's grant
    /// only if it knows the session already. Otherwise the grant is revoked when the session's browser makes its next request.
    ///
    /// # Errors
    /// Those of [`list`](Self::list).
    pub async fn end(&self, id: &str) -> Result<bool, SessionError> {
        let (sessions, session) = self.live().await?;
        if id == self.id() {
            return Ok(sessions.sign_out(&self.id, SessionEventKind::SignedOut).await);
        }
        match user_key(&sessions, &session) {
            Some(user) => Ok(sessions.end_of_user(&user, id, EndReason::ByUser).await?),
            None => Ok(false),
        }
    }

    /// Ends all sessions of the user, this one last. For their grants, see [`end`](Self::end).
    ///
    /// # Errors
    /// Those of [`list`](Self::list). Then some of the other sessions may have ended, and this one has not, so the user can try again.
    pub async fn sign_out_everywhere(&self) -> Result<(), SessionError> {
        let (sessions, session) = self.live().await?;
        let user = user_key(&sessions, &session);
        Ok(sessions.end_all_of_user(user, Some(self.id.clone()), EndReason::ByUser).await?)
    }
}

fn user_key(sessions: &Sessions, session: &Session) -> Option<String> {
    sessions.table.current(session)?.user()?.key()
}

/// Lists and ends the sessions of one user, for an administrator. Made by
/// [`OscAuthLayer::sessions_of`](crate::OscAuthLayer::sessions_of).
#[derive(Clone)]
pub struct UserSessions {
    user: String,
    engine: Weak<Sessions>,
}

impl UserSessions {
    pub(crate) fn new(user: String, engine: Weak<Sessions>) -> Self {
        Self { user, engine }
    }

    /// Lists the sessions, as [`OscSession::list`] does. None of them [is this](SessionInfo::is_this).
    ///
    /// # Errors
    /// [`Unavailable`](SessionErrorKind::Unavailable) if the session store is unreachable, or [`Ended`](SessionErrorKind::Ended) if the
    /// layer was dropped.
    pub async fn list(&self) -> Result<Vec<SessionInfo>, SessionError> {
        Ok(self.engine()?.of_user(&self.user, None).await?)
    }

    /// Ends one session, as [`OscSession::end`] does. Returns false if the user has no session with this id.
    ///
    /// # Errors
    /// Those of [`list`](Self::list).
    pub async fn end(&self, id: &str) -> Result<bool, SessionError> {
        Ok(self.engine()?.end_of_user(&self.user, id, EndReason::ByApp).await?)
    }

    /// Ends all sessions of the user. The user may sign in again; to prevent that, see
    /// [`OscAuthLayerBuilder::authorize`](crate::OscAuthLayerBuilder::authorize).
    ///
    /// # Errors
    /// Those of [`list`](Self::list). Some sessions may have ended then.
    pub async fn end_all(&self) -> Result<(), SessionError> {
        Ok(self.engine()?.end_all_of_user(Some(self.user.clone()), None, EndReason::ByApp).await?)
    }

    fn engine(&self) -> Result<Arc<Sessions>, SessionError> {
        self.engine.upgrade().ok_or(SessionError::ended())
    }
}

impl fmt::Debug for UserSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserSessions").field(&self.user).finish()
    }
}
