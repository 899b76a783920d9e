//! The source of a context's personal access token: a user's session, or a token that your code gave.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::access::LIMITS;
use super::answer::Doing;
use super::cache::Workspace;
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::platform::Platform;
use crate::clock::{Clock, Timestamp};
use crate::network::HttpClient;
use crate::sessions::{OscSession, Sessions};

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

impl OscContext {
    /// Returns the cached knowledge about the workspace. Fails if the session has ended.
    pub(super) async fn workspace(&self, doing: Doing<'_>) -> Result<Arc<Workspace>, ContextError> {
        match &self.source {
            TokenSource::Session(session) => {
                let live = session.live().await;
                let (_, session) = live.map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(session.extension())
            }
            TokenSource::Bare(bare) => Ok(bare.workspace.clone()),
        }
    }

    pub(super) fn platform(&self, doing: Doing<'_>) -> Result<Platform, ContextError> {
        let of_engine = |engine: &Sessions| engine.extensions.get::<Platform>().cloned();
        let platform = self.part(doing, of_engine, |bare| Some(bare.platform.clone()))?;
        platform.ok_or_else(|| {
            let why = "no platform is known for this issuer; set OSC_PLATFORM (or Builder::platform) to its base URL";
            doing.error(ContextErrorKind::NotConfigured, why)
        })
    }

    pub(super) fn http(&self, doing: Doing<'_>) -> Result<HttpClient, ContextError> {
        self.part(doing, |engine| engine.provider.http().with_limits(LIMITS), |bare| bare.http.clone())
    }

    pub(super) fn now(&self, doing: Doing<'_>) -> Result<Timestamp, ContextError> {
        self.part(doing, |engine| engine.clock.now().into(), |bare| bare.clock.now().into())
    }

    /// Sleeps. Holds nothing of the engine meanwhile, so that a sleeping task does not keep the layer alive.
    pub(super) async fn sleep(&self, doing: Doing<'_>, duration: Duration) -> Result<(), ContextError> {
        let sleep =
            self.part(doing, |engine| engine.clock.sleep(duration), |bare| bare.clock.sleep(duration))?;
        sleep.await;
        Ok(())
    }

    fn part<T>(
        &self,
        doing: Doing<'_>,
        of_engine: impl FnOnce(&Sessions) -> T,
        of_bare: impl FnOnce(&BareToken) -> T,
    ) -> Result<T, ContextError> {
        match &self.source {
            TokenSource::Session(session) => {
                let engine = session.engine().map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(of_engine(&engine))
            }
            TokenSource::Bare(bare) => Ok(of_bare(bare)),
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
