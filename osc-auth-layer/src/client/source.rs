//! Where a context's personal access token comes from: a user's session, or a token that somebody handed over. All that the
//! client needs of the layer is asked for here.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use super::answer::Doing;
use super::error::{ContextError, ContextErrorKind};
use super::platform::Platform;
use super::workspace::Workspace;
use crate::clock::Clock;
use crate::network::HttpClient;
use crate::session::{OscSession, OscToken};

#[derive(Clone)]
pub(super) enum TokenSource {
    /// Refreshes its token, and is over when the user signs out.
    Session(OscSession),
    /// Has this one token, which nobody here can refresh.
    Bare(Arc<BareToken>),
}

pub(super) struct BareToken {
    pub(super) bearer: HeaderValue,
    pub(super) platform: Platform,
    pub(super) http: HttpClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) workspace: Arc<Workspace>,
}

/// A personal access token as it is sent.
#[derive(Clone)]
pub(super) struct PersonalToken {
    bearer: HeaderValue,
    /// The session's own, which a refresh replaces.
    of_session: Option<OscToken>,
}

impl PersonalToken {
    pub(super) fn bearer(&self) -> HeaderValue {
        self.bearer.clone()
    }

    fn of(token: OscToken) -> Self {
        Self { bearer: token.bearer(), of_session: Some(token) }
    }
}

impl TokenSource {
    /// Returns a token that has not expired, as far as the source can know.
    pub(super) async fn token(&self, doing: Doing<'_>) -> Result<PersonalToken, ContextError> {
        match self {
            Self::Session(session) => {
                let token = session.token().await.map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(PersonalToken::of(token))
            }
            Self::Bare(bare) => Ok(PersonalToken { bearer: bare.bearer.clone(), of_session: None }),
        }
    }

    /// Returns a newer token than one that was refused, or `None` if there is none to be had.
    pub(super) async fn newer(
        &self,
        doing: Doing<'_>,
        refused: &PersonalToken,
    ) -> Result<Option<PersonalToken>, ContextError> {
        let (Self::Session(session), Some(refused)) = (self, &refused.of_session) else {
            return Ok(None);
        };
        match session.refresh(refused).await {
            Ok(newer) => Ok(Some(PersonalToken::of(newer))),
            Err(error) if error.kind().is_about_the_token() => Ok(None),
            Err(error) => Err(ContextError::of_session(doing, &error)),
        }
    }

    /// Returns what was learnt of the workspace so far. Fails when the session is over.
    pub(super) async fn workspace(&self, doing: Doing<'_>) -> Result<Arc<Workspace>, ContextError> {
        match self {
            Self::Session(session) => {
                let live = session.live().await;
                let (_, session) = live.map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(session.workspace())
            }
            Self::Bare(bare) => Ok(bare.workspace.clone()),
        }
    }

    pub(super) fn platform(&self, doing: Doing<'_>) -> Result<Platform, ContextError> {
        let platform = match self {
            Self::Session(session) => {
                let layer = session.layer().map_err(|error| ContextError::of_session(doing, &error))?;
                layer.config.platform.clone()
            }
            Self::Bare(bare) => Some(bare.platform.clone()),
        };
        platform.ok_or_else(|| {
            let why = "no platform is known for this issuer; set OSC_PLATFORM (or Builder::platform) to its base URL";
            doing.error(ContextErrorKind::NotConfigured, why)
        })
    }

    pub(super) fn http(&self, doing: Doing<'_>) -> Result<HttpClient, ContextError> {
        match self {
            Self::Session(session) => {
                let layer = session.layer().map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(layer.platform_http.clone())
            }
            Self::Bare(bare) => Ok(bare.http.clone()),
        }
    }

    /// The clock alone, so that a sleeper keeps no layer alive.
    pub(super) fn clock(&self, doing: Doing<'_>) -> Result<Arc<dyn Clock>, ContextError> {
        match self {
            Self::Session(session) => {
                let layer = session.layer().map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(layer.clock.clone())
            }
            Self::Bare(bare) => Ok(bare.clock.clone()),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(session) => session.fmt(f),
            Self::Bare(bare) => {
                f.debug_struct("BareToken").field("platform", &bare.platform).finish_non_exhaustive()
            }
        }
    }
}
