//! The client's one handle.

use super::source::TokenSource;
use crate::session::{OscSession, OscToken};

/// A workspace in Open Source Cloud: its services and their instances, created, watched and removed for a user.
///
/// It comes from a signed-in user's [`OscToken`] or [`OscSession`], or is [built](Self::builder) with a personal access token. It
/// clones cheaply and outlives the request it came from. The context of a session always uses a fresh token; after sign-out its
/// calls return [`SessionEnded`](super::ContextErrorKind::SessionEnded). The session keeps the subscriptions and service access
/// tokens that the context fetched, in this process only. A second call therefore costs one request.
///
/// The [module](crate::client) lists the calls, their names in OSC's own client, and which of them are safe to repeat. Any call
/// can fail in these ways; each method's *Errors* says what there is beyond them:
/// - before anything is sent: [`InvalidInput`](super::ContextErrorKind::InvalidInput),
///   [`NotConfigured`](super::ContextErrorKind::NotConfigured);
/// - for want of a token: [`SessionEnded`](super::ContextErrorKind::SessionEnded),
///   [`InvalidToken`](super::ContextErrorKind::InvalidToken);
/// - by the platform: [`Unavailable`](super::ContextErrorKind::Unavailable),
///   [`Refused`](super::ContextErrorKind::Refused), [`PlanRequired`](super::ContextErrorKind::PlanRequired),
///   [`UnexpectedAnswer`](super::ContextErrorKind::UnexpectedAnswer).
///
/// A request waits 30 seconds for its answer, and reads at most 4 MiB of it.
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
    /// Returns the workspace of the user whose token this is.
    #[must_use]
    pub fn context(&self) -> OscContext {
        self.session().context()
    }
}

impl OscSession {
    /// Returns the workspace of the user whose session this is.
    #[must_use]
    pub fn context(&self) -> OscContext {
        OscContext { source: TokenSource::Session(self.clone()) }
    }
}

impl OscContext {
    /// Returns the session it belongs to; `None` for one that was [built](Self::builder) with a token.
    #[must_use]
    pub fn session(&self) -> Option<&OscSession> {
        match &self.source {
            TokenSource::Session(session) => Some(session),
            TokenSource::Bare(_) => None,
        }
    }
}
