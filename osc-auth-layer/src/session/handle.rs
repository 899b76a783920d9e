//! The handle that outlives a request.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::refresh::{Cause, RETRY_AFTER, Refreshed};
use super::token::{Freshness, OscToken};
use super::{Session, SessionId};
use crate::shared::Shared;

/// How long a job waits for the provider before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// A visitor's session, for what outlives a request: long jobs, streams, sockets.
///
/// It holds the layer weakly, clones cheaply, and counts as use of the session: the idle time-out starts anew at every
/// [`token`](Self::token). The absolute time-out still ends it.
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
    id: SessionId,
    layer: Weak<Shared>,
}

impl OscSession {
    pub(crate) fn new(id: SessionId, layer: Weak<Shared>) -> Self {
        Self { id, layer }
    }

    /// A name for this session that stays the same until sign-out and is no secret: 22 characters of base64url, a hash
    /// of the cookie. For the app's own data and logs.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.public()
    }

    /// A fresh token, refreshed first if it has to be.
    ///
    /// # Errors
    /// [`Ended`](SessionErrorKind::Ended) when the visitor signed out, the session expired or the provider refused the
    /// refresh; [`Unavailable`](SessionErrorKind::Unavailable) when the token expired and the provider is out of reach,
    /// or the session store is.
    pub async fn token(&self) -> Result<OscToken, SessionError> {
        let (shared, session) = self.live().await?;
        let token = shared.sessions.current(&session).ok_or(SessionError::ended())?;
        match token.freshness(shared.now(), &shared.config.timing) {
            Freshness::Fresh => Ok(token),
            Freshness::Ahead => {
                session.refresh_beside(&shared, &token);
                Ok(token)
            }
            Freshness::Due => match session.refreshed(&shared, &token, Cause::Expiry, PATIENCE).await {
                unavailable @ Refreshed::Unavailable { .. } => {
                    // The visitor may have signed out meanwhile.
                    let token = shared.sessions.current(&session).ok_or(SessionError::ended())?;
                    if token.issue().has_expired(shared.now()) {
                        unavailable.into_result()
                    } else {
                        Ok(token)
                    }
                }
                refreshed => refreshed.into_result(),
            },
        }
    }

    /// Returns a newer token than `rejected`, which an API refused although it had not expired.
    ///
    /// If the session has a newer token already, that one is returned. Any number of callers cause one refresh. A session is
    /// refreshed in this way once in ten seconds at most, so an API that refuses every token does not cause a flood of
    /// grants.
    ///
    /// # Errors
    /// As [`token`](Self::token), and:
    ///
    /// - [`FreshTokenRejected`](SessionErrorKind::FreshTokenRejected) when `rejected` itself is the result of such a
    ///   refresh, less than ten seconds ago;
    /// - [`Unavailable`](SessionErrorKind::Unavailable) when the provider failed a moment ago and is left alone;
    /// - [`NotRefreshable`](SessionErrorKind::NotRefreshable) when the provider has no newer token to give.
    pub async fn refresh(&self, rejected: &OscToken) -> Result<OscToken, SessionError> {
        let (shared, session) = self.live().await?;
        let is_newer = |token: &OscToken| !token.is_same(rejected);
        let current = shared.sessions.current(&session).ok_or(SessionError::ended())?;
        if let Some(left) = session.forced_lately(shared.now()).filter(|_| !is_newer(&current)) {
            let kind = SessionErrorKind::FreshTokenRejected;
            return Err(SessionError { kind, retry_after: Some(left) });
        }
        // A run begun for an older token may come back with the rejected one.
        for _ in 0..2 {
            match session.refreshed(&shared, rejected, Cause::Rejection, PATIENCE).await {
                Refreshed::Token(token) if is_newer(&token) => return Ok(token),
                Refreshed::Token(_) => {}
                unavailable @ Refreshed::Unavailable { .. } => {
                    // In an outage a newer token that is there already will do while it is good.
                    let current = shared.sessions.current(&session).ok_or(SessionError::ended())?;
                    let is_good = is_newer(&current) && !current.issue().has_expired(shared.now());
                    let good = is_good.then_some(current);
                    return good.map_or_else(|| unavailable.into_result(), Ok);
                }
                ended @ (Refreshed::Refused | Refreshed::Ended) => return ended.into_result(),
            }
        }
        Err(SessionError { kind: SessionErrorKind::NotRefreshable, retry_after: None })
    }

    /// Signs the visitor out, as the sign-out path does: the session ends now, its grant is revoked at the provider
    /// beside it. The browser keeps a cookie that opens nothing. Does nothing when the session has ended already.
    ///
    /// A session store that is out of reach is told when it is back, by this process while it lives.
    pub async fn sign_out(&self) {
        if let Some(shared) = self.layer.upgrade() {
            shared.sign_out(&self.id).await;
        }
    }

    pub(crate) fn layer(&self) -> Result<Arc<Shared>, SessionError> {
        self.layer.upgrade().ok_or(SessionError::ended())
    }

    pub(crate) async fn live(&self) -> Result<(Arc<Shared>, Session), SessionError> {
        let shared = self.layer()?;
        let session =
            shared.live_session(&self.id).await.map_err(|_| SessionError::unavailable(RETRY_AFTER))?;
        Ok((shared, session.ok_or(SessionError::ended())?))
    }
}

impl fmt::Debug for OscSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OscSession").field(&self.id()).finish()
    }
}

impl Refreshed {
    fn into_result(self) -> Result<OscToken, SessionError> {
        match self {
            Self::Token(token) => Ok(token),
            Self::Refused | Self::Ended => Err(SessionError::ended()),
            Self::Unavailable { retry_after } => Err(SessionError::unavailable(retry_after)),
        }
    }
}

/// Why an [`OscSession`] has no token.
#[derive(Clone, Debug)]
pub struct SessionError {
    kind: SessionErrorKind,
    retry_after: Option<Duration>,
}

/// The kinds of [`SessionError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionErrorKind {
    /// The session is over: signed out, expired, or refused by the provider. The visitor has to sign in again.
    Ended,
    /// The provider is out of reach and the token has expired, or the session store is out of reach. The session is kept;
    /// try again.
    Unavailable,
    /// The provider gives no refresh token, or the same access token again. The session lives on with what it has.
    NotRefreshable,
    /// The API refused a token, and less than ten seconds later the fresh one too. The session lives on. The token is not the
    /// reason: the user may have no right to the call.
    FreshTokenRejected,
}

impl SessionErrorKind {
    /// True if there is no other token to try with.
    #[cfg(feature = "client")]
    pub(crate) fn is_about_the_token(self) -> bool {
        matches!(self, Self::NotRefreshable | Self::FreshTokenRejected)
    }
}

impl SessionError {
    fn ended() -> Self {
        Self { kind: SessionErrorKind::Ended, retry_after: None }
    }

    fn unavailable(retry_after: Duration) -> Self {
        Self { kind: SessionErrorKind::Unavailable, retry_after: Some(retry_after) }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> SessionErrorKind {
        self.kind
    }

    /// How long to wait before another try, when one makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SessionErrorKind::Ended => "the session is over; the visitor has to sign in again",
            SessionErrorKind::NotRefreshable => "the provider has no newer token to give",
            SessionErrorKind::FreshTokenRejected => {
                "the API refused a token that was refreshed a moment ago; the user may have no right to the call"
            }
            SessionErrorKind::Unavailable => {
                "the provider or the session store is out of reach; the session is kept, try again"
            }
        })
    }
}

impl std::error::Error for SessionError {}
