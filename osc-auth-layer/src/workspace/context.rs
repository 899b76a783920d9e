//! The context that all calls start from, and what it gets from the session or from the token that it was built with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::answer::Doing;
use super::cache::Workspace;
use super::{ContextError, ContextErrorKind, Outcome, Platform};
use crate::clock::{Clock, Timestamp};
use crate::network::HttpClient;
use crate::sessions::{OscSession, OscToken, Sessions};

/// Acts in a user's workspace in Open Source Cloud: creates, watches and removes instances of services.
///
/// [`service`](Self::service) leads to a service and, from there, to its instances, jobs and secrets.
///
/// Get it from a signed-in user's [`OscToken`] or [`OscSession`], or [build](Self::builder) it with a personal access token.
/// It is cheap to clone and outlives the request that it came from. The context of a session always uses a fresh token. After
/// sign-out its calls return [`SessionEnded`](super::ContextErrorKind::SessionEnded).
///
/// The session caches subscriptions and service access tokens, in this process only. So the first call to a service sends
/// several requests, and most later calls send one.
///
/// The [module](crate::workspace) lists the calls, their names in OSC's own client, and which of them are safe to repeat.
///
/// # Errors of any call
///
/// Each method's *Errors* section names the kinds that it adds to these:
/// - before a request is sent: [`InvalidInput`](super::ContextErrorKind::InvalidInput),
///   [`NotConfigured`](super::ContextErrorKind::NotConfigured);
/// - there is no good token: [`SessionEnded`](super::ContextErrorKind::SessionEnded),
///   [`InvalidToken`](super::ContextErrorKind::InvalidToken);
/// - from the platform: [`Unavailable`](super::ContextErrorKind::Unavailable),
///   [`Refused`](super::ContextErrorKind::Refused), [`PlanRequired`](super::ContextErrorKind::PlanRequired),
///   [`UnexpectedAnswer`](super::ContextErrorKind::UnexpectedAnswer).
///
/// A request waits 30 seconds for its answer and reads at most 4 MiB of it.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use osc_auth_layer::{ContextError, OscToken};
/// use serde_json::json;
///
/// async fn store_for(token: OscToken) -> Result<Option<String>, ContextError> {
///     let minio = token.context().service("minio-minio");
///     let password = minio.secret("password");
///     password.save("correct horse").await?;
///     let options = json!({ "RootUser": "admin", "RootPassword": password.reference() });
///     let ten_minutes = Duration::from_secs(600);
///     let store = minio.instance("store");
///     let created = store.create_or_adopt(&options, ten_minutes).await?.into_instance();
///     store.wait_until_ready(ten_minutes, |health| println!("store is {}", health.status)).await?;
///     Ok(created.url)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OscContext {
    pub(super) source: TokenSource,
}

impl OscToken {
    /// Returns a context that acts in the workspace of this token's user.
    #[must_use]
    pub fn context(&self) -> OscContext {
        self.session().context()
    }
}

impl OscSession {
    /// Returns a context that acts in the workspace of this session's user.
    #[must_use]
    pub fn context(&self) -> OscContext {
        OscContext { source: TokenSource::Session(self.clone()) }
    }
}

/// The source of a context's personal access token: a user's session, or a token that your code gave.
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
    /// Returns the session that this context belongs to, or `None` if it was [built](Self::builder) with a token.
    #[must_use]
    pub fn session(&self) -> Option<&OscSession> {
        match &self.source {
            TokenSource::Session(session) => Some(session),
            TokenSource::Bare(_) => None,
        }
    }

    /// Returns the cached knowledge about the workspace. Fails if the session has ended.
    pub(super) async fn workspace(&self, doing: Doing<'_>) -> Outcome<Arc<Workspace>> {
        match &self.source {
            TokenSource::Session(session) => {
                let live = session.live().await;
                let (_, session) = live.map_err(|error| ContextError::of_session(doing, &error))?;
                Ok(session.extension())
            }
            TokenSource::Bare(bare) => Ok(bare.workspace.clone()),
        }
    }

    pub(super) fn platform(&self, doing: Doing<'_>) -> Outcome<Platform> {
        let of_engine = |engine: &Sessions| engine.extensions.get::<Platform>().cloned();
        let platform = self.part(doing, of_engine, |bare| Some(bare.platform.clone()))?;
        platform.ok_or_else(|| {
            let why = "no platform is known for this issuer; set OSC_PLATFORM (or platform on the builder) to its base URL";
            doing.error(ContextErrorKind::NotConfigured, why)
        })
    }

    pub(super) fn now(&self, doing: Doing<'_>) -> Outcome<Timestamp> {
        self.part(doing, |engine| engine.clock.now().into(), |bare| bare.clock.now().into())
    }

    /// Sleeps. Holds nothing of the engine meanwhile, so that a sleeping task does not keep the layer alive.
    pub(super) async fn sleep(&self, doing: Doing<'_>, duration: Duration) -> Outcome<()> {
        let sleep =
            self.part(doing, |engine| engine.clock.sleep(duration), |bare| bare.clock.sleep(duration))?;
        sleep.await;
        Ok(())
    }

    /// Returns what a call needs from the session's engine, or from the settings of a context without a session.
    pub(super) fn part<T>(
        &self,
        doing: Doing<'_>,
        of_engine: impl FnOnce(&Sessions) -> T,
        of_bare: impl FnOnce(&BareToken) -> T,
    ) -> Outcome<T> {
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
