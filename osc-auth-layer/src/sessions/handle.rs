//! The handle that outlives a request.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::refresh::RETRY_AFTER;
use super::refreshed::Refreshed;
use super::token::{Freshness, OscToken};
use super::{Session, SessionEventKind, SessionId, Sessions};
use crate::clock::Timestamp;
use crate::meter::Cause;
use crate::store::StoreError;

/// How long a job waits for the provider before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// An API that refuses every token costs one grant in this time.
const FORCE_AGAIN: Duration = Duration::from_secs(10);

/// Gives long jobs, streams and sockets fresh tokens of a user's session, also after the request has ended.
///
/// - Cloning is cheap. A handle does not keep the layer alive.
/// - Every [`token`](Self::token) counts as use, so the idle timeout starts anew. The absolute timeout still ends the session.
///
/// ```
/// use osc_auth_layer::{OscSession, SessionError, SessionErrorKind};
/// # async fn call_osc(_: &osc_auth_layer::OscToken) -> u16 { 200 }
///
/// async fn job(session: OscSession) -> Result<(), SessionError> {
///     let token = session.token().await?; // always a fresh one
///     if call_osc(&token).await == 401 {
///         let newer = session.refresh(&token).await?; // refused all the same: get another
///         call_osc(&newer).await;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct OscSession {
    pub(super) id: SessionId,
    pub(super) engine: Weak<Sessions>,
}

impl OscSession {
    pub(crate) fn new(id: SessionId, engine: Weak<Sessions>) -> Self {
        Self { id, engine }
    }

    /// Returns a name of this session for logs and for data that ends with the session: 22 characters of base64url.
    ///
    /// It stays the same until sign-out. It is a hash of the cookie and no secret. For a user's own data use
    /// [`OscUser::key`](crate::OscUser::key), which outlives the session.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.public()
    }

    /// Returns a fresh token. If it is about to expire, the layer refreshes it first, which takes 30 seconds at most.
    ///
    /// # Errors
    /// - [`Ended`](SessionErrorKind::Ended) if the user signed out, the session expired or the provider refused the refresh;
    /// - [`Unavailable`](SessionErrorKind::Unavailable) if the token expired and the provider is unreachable, or if the session
    ///   store is.
    pub async fn token(&self) -> Result<OscToken, SessionError> {
        let (sessions, session) = self.live().await?;
        let token = sessions.table.current(&session).ok_or(SessionError::ended())?;
        match token.freshness(sessions.now(), &sessions.timing) {
            Freshness::Fresh => Ok(token),
            Freshness::Ahead => {
                session.refresh_beside(&sessions, &token);
                Ok(token)
            }
            Freshness::Due => {
                let refreshed = session.refreshed(&sessions, &token, Cause::Expiry, PATIENCE).await;
                refreshed.or_current(&sessions, &session, |_| true)
            }
        }
    }

    /// Returns a newer token than `rejected`, which an API refused although it had not expired.
    ///
    /// If the session already has a newer token, this returns it. Any number of callers cause one refresh. The layer refreshes
    /// a session in this way at most once in ten seconds, so an API that refuses every token causes no flood of refreshes.
    ///
    /// # Errors
    /// Those of [`token`](Self::token), and:
    ///
    /// - [`FreshTokenRejected`](SessionErrorKind::FreshTokenRejected) if `rejected` itself is the result of such a refresh, less
    ///   than ten seconds ago;
    /// - [`Unavailable`](SessionErrorKind::Unavailable) if the provider failed a moment ago, so that the layer waits before it
    ///   retries;
    /// - [`NotRefreshable`](SessionErrorKind::NotRefreshable) if the provider issues no newer token.
    pub async fn refresh(&self, rejected: &OscToken) -> Result<OscToken, SessionError> {
        let (sessions, session) = self.live().await?;
        let is_newer = |token: &OscToken| !token.is_same(rejected);
        let current = sessions.table.current(&session).ok_or(SessionError::ended())?;
        if let Some(left) = session.forced_lately(sessions.now()).filter(|_| !is_newer(&current)) {
            let kind = SessionErrorKind::FreshTokenRejected;
            return Err(SessionError { kind, retry_after: Some(left) });
        }
        // A run begun for an older token may come back with the rejected one.
        for _ in 0..2 {
            let refreshed = session.refreshed(&sessions, rejected, Cause::Rejection, PATIENCE).await;
            let token = refreshed.or_current(&sessions, &session, is_newer)?;
            if is_newer(&token) {
                return Ok(token);
            }
        }
        Err(SessionError { kind: SessionErrorKind::NotRefreshable, retry_after: None })
    }

    /// Signs the user out, as the sign-out path does. Does nothing if the session has already ended.
    ///
    /// The session ends at once. The layer revokes its grant at the provider in the background. The browser keeps a cookie that
    /// opens nothing. If the session store is unreachable, this process tells it when it returns.
    pub async fn sign_out(&self) {
        if let Some(sessions) = self.engine.upgrade() {
            sessions.sign_out(&self.id, SessionEventKind::SignedOut).await;
        }
    }

    /// Returns the token if it needs no check now. Asks nobody.
    #[cfg(feature = "outbound")]
    pub(crate) fn token_now(&self) -> Option<OscToken> {
        let sessions = self.engine.upgrade()?;
        let now = sessions.now();
        sessions.table.look(&self.id, |session| {
            let is_good = session.issue().needs_no_check(now) && sessions.is_current(session);
            is_good.then(|| session.token()).flatten()
        })?
    }

    pub(crate) fn engine(&self) -> Result<Arc<Sessions>, SessionError> {
        self.engine.upgrade().ok_or(SessionError::ended())
    }

    pub(crate) async fn live(&self) -> Result<(Arc<Sessions>, Session), SessionError> {
        let sessions = self.engine()?;
        let session = sessions.live(&self.id).await?;
        Ok((sessions, session.ok_or(SessionError::ended())?))
    }
}

impl From<StoreError> for SessionError {
    fn from(_: StoreError) -> Self {
        Self::unavailable(RETRY_AFTER)
    }
}

impl Session {
    /// Returns the time until another refresh may be forced. `None` if it may be forced now.
    fn forced_lately(&self, now: Timestamp) -> Option<Duration> {
        let forced_at = self.lock().particulars().forced_at.filter(|forced_at| *forced_at <= now)?;
        FORCE_AGAIN.checked_sub(now.since(forced_at)).filter(|left| !left.is_zero())
    }
}

impl fmt::Debug for OscSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OscSession").field(&self.id()).finish()
    }
}

impl Refreshed {
    /// Returns the refreshed token, or in an outage the current token if that is still good.
    fn or_current(
        self,
        sessions: &Sessions,
        session: &Session,
        will_do: impl Fn(&OscToken) -> bool,
    ) -> Result<OscToken, SessionError> {
        match self {
            Self::Token(token) => Ok(token),
            Self::Refused | Self::Ended => Err(SessionError::ended()),
            Self::Unavailable { retry_after } => {
                // The visitor may have signed out meanwhile.
                let current = sessions.table.current(session).ok_or(SessionError::ended())?;
                let is_good = will_do(&current) && !current.issue().has_expired(sessions.now());
                is_good.then_some(current).ok_or(SessionError::unavailable(retry_after))
            }
        }
    }
}

/// Says why an [`OscSession`] has no token.
#[derive(Clone, Debug)]
pub struct SessionError {
    kind: SessionErrorKind,
    retry_after: Option<Duration>,
}

/// The kind of a [`SessionError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionErrorKind {
    /// The session has ended: the user signed out, it expired, or the provider refused to refresh it. The user has to sign in
    /// again.
    Ended,
    /// The token has expired and the provider is unreachable, or the session store is. The session is kept. Try again.
    Unavailable,
    /// The provider issued no refresh token, or returned the same access token again. The session goes on with its token.
    NotRefreshable,
    /// The API refused a token, and less than ten seconds later the fresh one too. The session goes on. The token is not the
    /// reason: the user may not be allowed to make this call.
    FreshTokenRejected,
}

impl SessionErrorKind {
    /// Returns true if there is no other token to try with.
    #[cfg(feature = "client")]
    pub(crate) fn is_about_the_token(self) -> bool {
        matches!(self, Self::NotRefreshable | Self::FreshTokenRejected)
    }
}

impl SessionError {
    pub(super) fn ended() -> Self {
        Self { kind: SessionErrorKind::Ended, retry_after: None }
    }

    fn unavailable(retry_after: Duration) -> Self {
        Self { kind: SessionErrorKind::Unavailable, retry_after: Some(retry_after) }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> SessionErrorKind {
        self.kind
    }

    /// Returns how long to wait before a retry, if a retry makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SessionErrorKind::Ended => "the session has ended; the user has to sign in again",
            SessionErrorKind::NotRefreshable => "the provider issued no newer token",
            SessionErrorKind::FreshTokenRejected => {
                "the API refused a token that was refreshed a moment ago; the user may not be allowed to make this call"
            }
            SessionErrorKind::Unavailable => {
                "the provider or the session store is unreachable; the session is kept, so try again later"
            }
        })
    }
}

impl std::error::Error for SessionError {}
