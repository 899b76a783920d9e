//! The source of a context's personal access token: a user's session, or a token that your code gave.
//!
//! This module is the client's only access to the engine.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use super::access::LIMITS;
use super::answer::Doing;
use super::cache::Workspace;
use super::error::{ContextError, ContextErrorKind};
use super::platform::Platform;
use crate::clock::Clock;
use crate::network::HttpClient;
use crate::sessions::{OscSession, OscToken};

#[derive(Clone)]
pub(super) enum TokenSource {
    /// Refreshes its token, and ends when the user signs out.
    Session(OscSession),
    /// A single token, which the client cannot refresh.
    Bare(Arc<BareToken>),
}

pub(super) struct BareToken {
    pub(super) bearer: HeaderValue,
    pub(super) platform: Platform,
    pub(super) http: HttpClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) workspace: Arc<Workspace>,
}

/// A personal access token in the form in which it is sent.
#[derive(Clone)]
pub(super) struct PersonalToken {
    bearer: HeaderValue,
    /// The session's token, which a refresh replaces.
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
    /// Returns a token. A session's token has not expired.
    pub(super) async fn token(&self, doing: Doing<'_>) -> Result<PersonalToken, ContextError> {
        match self {
            Self::Session(session) => {
                let token = session.token().await.map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(PersonalToken::of(token))
            }
            Self::Bare(bare) => Ok(PersonalToken { bearer: bare.bearer.clone(), of_session: None }),
        }
    }

    /// Returns a newer token than the refused one, or `None` if the source cannot get one.
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

    /// Returns the cached knowledge about the workspace. Fails if the session has ended.
    pub(super) async fn workspace(&self, doing: Doing<'_>) -> Result<Arc<Workspace>, ContextError> {
        match self {
            Self::Session(session) => {
                let live = session.live().await;
                let (_, session) = live.map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(session.extension())
            }
            Self::Bare(bare) => Ok(bare.workspace.clone()),
        }
    }

    pub(super) fn platform(&self, doing: Doing<'_>) -> Result<Platform, ContextError> {
        let platform = match self {
            Self::Session(session) => {
                let engine = session.engine().map_err(|error| ContextError::of_session(doing, &error))?;
                engine.extensions.get::<Platform>().cloned()
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
                let engine = session.engine().map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(engine.provider.http.with_limits(LIMITS))
            }
            Self::Bare(bare) => Ok(bare.http.clone()),
        }
    }

    /// Returns only the clock, so that a sleeping task does not keep the layer alive.
    pub(super) fn clock(&self, doing: Doing<'_>) -> Result<Arc<dyn Clock>, ContextError> {
        match self {
            Self::Session(session) => {
                let engine = session.engine().map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(engine.clock.clone())
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
