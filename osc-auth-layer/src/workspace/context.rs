//! The handle that all calls start from.

use super::source::TokenSource;
use crate::sessions::{OscSession, OscToken};

/// Acts in a user's workspace in Open Source Cloud: creates, watches and removes instances of services.
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
///     let osc = token.context();
///     let options = json!({ "RootUser": "admin", "RootPassword": "{{secrets.password}}" });
///     osc.save_secret("minio-minio", "password", "correct horse").await?;
///     let ten_minutes = Duration::from_secs(600);
///     let store = osc.create_or_adopt_instance("minio-minio", "store", &options, ten_minutes).await?.into_instance();
///     osc.wait_until_ready("minio-minio", &store, ten_minutes, |health| println!("store is {}", health.status)).await?;
///     Ok(store.url)
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

impl OscContext {
    /// Returns the session that this context belongs to, or `None` if it was [built](Self::builder) with a token.
    #[must_use]
    pub fn session(&self) -> Option<&OscSession> {
        match &self.source {
            TokenSource::Session(session) => Some(session),
            TokenSource::Bare(_) => None,
        }
    }
}
