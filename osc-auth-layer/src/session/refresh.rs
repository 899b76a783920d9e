//! Refreshing a session's token: once for all who wait, in a task that belongs to the session and not to a request.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tracing::Instrument;

use super::{Freshness, Grant, Issue, OscToken, Phase, Session};
use crate::provider::{GrantError, Tokens};
use crate::secret::Secret;
use crate::shared::Shared;

/// What a refresh came to.
#[derive(Clone, Debug)]
pub(crate) enum Refreshed {
    Token(OscToken),
    /// The provider refused the refresh token.
    Refused,
    /// Signed out or dropped meanwhile.
    Ended,
    Unavailable {
        retry_after: Duration,
    },
}

/// A second try after a lost answer comes within the seconds of grace that rotating providers give.
const SECOND_TRY: Duration = Duration::from_millis(500);
const SECOND_TRY_JITTER: Duration = Duration::from_secs(1);

/// What a request that meets an outage is told when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Session {
    /// How long the provider is to be left alone, after it failed this session or all of them.
    pub(crate) fn backing_off(&self, shared: &Shared) -> Option<Duration> {
        let now = shared.now();
        self.state.lock().backoff.wait(now).max(shared.breaker.wait(now))
    }

    /// Starts a refresh beside the request, unless one is under way, fruitless or too early.
    pub(crate) fn refresh_beside(self: &Arc<Self>, shared: &Arc<Shared>, stale: &OscToken) {
        let has_none = self.state.lock().grant.refresh_token.is_none();
        if !has_none && self.backing_off(shared).is_none() && !shared.is_shutting_down() {
            self.refresh.start(&shared.tasks, || run(shared.clone(), self.clone(), stale.clone()));
        }
    }

    /// Waits for a token other than `stale`, for at most `patience`.
    pub(crate) async fn refreshed(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        stale: &OscToken,
        patience: Duration,
    ) -> Refreshed {
        let refreshed = self.refresh.join(&shared.tasks, || run(shared.clone(), self.clone(), stale.clone()));
        match select(Box::pin(refreshed), shared.clock.sleep(patience)).await {
            Either::Left((Some(refreshed), _)) => refreshed,
            Either::Left((None, _)) | Either::Right(_) => Refreshed::Unavailable { retry_after: RETRY_AFTER },
        }
    }

    /// Stores what a refresh brought, before anybody gets to use it; unless the session has ended meanwhile.
    fn rotate(&self, tokens: Tokens, shared: &Arc<Shared>) -> Result<OscToken, Ended> {
        let issue = Issue::new(&tokens, &shared.config.timing, shared.now());
        let token = OscToken::new(tokens.bearer, issue, self.id.clone(), Arc::downgrade(shared));
        let mut state = self.state.lock();
        match state.phase {
            Phase::SignedOut => return Err(Ended::SignedOut),
            Phase::Dropped => return Err(Ended::Dropped),
            Phase::Live | Phase::Refused => state.phase = Phase::Live,
        }
        state.backoff = Default::default();
        // RFC 6749 §6: without a new refresh token the old one stays.
        if tokens.refresh_token.is_some() {
            state.grant.refresh_token = tokens.refresh_token;
        }
        *self.current.write() = Some(token.clone());
        Ok(token)
    }

    fn refuse(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Live {
            state.phase = Phase::Refused;
            *self.current.write() = None;
        }
    }

    fn fail(&self, shared: &Shared, retry_after: Option<Duration>) -> Refreshed {
        let now = shared.now();
        let mut state = self.state.lock();
        state.backoff.fail(now, retry_after, rand::random());
        Refreshed::Unavailable { retry_after: state.backoff.wait(now).unwrap_or(RETRY_AFTER) }
    }
}

/// How a session ended under its refresh.
enum Ended {
    SignedOut,
    /// Replaced by another sign-in, say: the provider may have answered that one with the same grant.
    Dropped,
}

async fn run(shared: Arc<Shared>, session: Arc<Session>, stale: OscToken) -> Refreshed {
    let span = tracing::debug_span!("refresh", session = %session.id.public());
    refresh(&shared, &session, &stale).instrument(span).await
}

/// What to spend, or why nothing needs to be sent.
fn plan(shared: &Arc<Shared>, session: &Session, stale: &OscToken) -> Result<(Grant, Secret), Refreshed> {
    let now = shared.now();
    let grant = {
        let state = session.state.lock();
        match state.phase {
            Phase::SignedOut | Phase::Dropped => return Err(Refreshed::Ended),
            Phase::Refused => return Err(Refreshed::Refused),
            Phase::Live => state.grant.clone(),
        }
    };
    // Somebody else refreshed meanwhile; a caller that comes late may find even that token due.
    let newer = session.current().filter(|current| !current.is_same(stale));
    if let Some(newer) = newer.filter(|newer| newer.issue().freshness(now) != Freshness::Due) {
        return Err(Refreshed::Token(newer));
    }
    let Some(refresh_token) = grant.refresh_token.clone() else {
        if !stale.issue().has_expired(now) {
            return Err(Refreshed::Token(stale.clone()));
        }
        tracing::debug!("the token expired, and the provider gave no refresh token");
        session.refuse();
        return Err(Refreshed::Refused);
    };
    if let Some(retry_after) = session.backing_off(shared) {
        return Err(Refreshed::Unavailable { retry_after });
    }
    if shared.is_shutting_down() {
        return Err(Refreshed::Unavailable { retry_after: RETRY_AFTER });
    }
    Ok((grant, refresh_token))
}

async fn refresh(shared: &Arc<Shared>, session: &Arc<Session>, stale: &OscToken) -> Refreshed {
    if let Err(settled) = plan(shared, session, stale) {
        return settled;
    }
    // Bounds what the end of an outage lets loose on the provider. Closed at shutdown.
    let Ok(_permit) = shared.refreshes.acquire().await else {
        return Refreshed::Unavailable { retry_after: RETRY_AFTER };
    };
    // Things may have changed in the queue.
    let (grant, refresh_token) = match plan(shared, session, stale) {
        Ok(planned) => planned,
        Err(settled) => return settled,
    };
    let admission = match shared.breaker.admit(shared.now()) {
        Ok(admission) => admission,
        Err(retry_after) => return Refreshed::Unavailable { retry_after },
    };
    let mut answer = shared.provider.refresh(&grant.credentials, &refresh_token).await;
    if matches!(answer, Err(GrantError::PossiblyProcessed { .. })) {
        let pause = SECOND_TRY + SECOND_TRY_JITTER.mul_f64(rand::random());
        shared.clock.sleep(pause).await;
        answer = shared.provider.refresh(&grant.credentials, &refresh_token).await;
    }
    match &answer {
        Err(GrantError::NotSent { retry_after } | GrantError::PossiblyProcessed { retry_after }) => {
            admission.failed(shared.now(), *retry_after);
        }
        Ok(_) | Err(GrantError::Refused | GrantError::Misconfigured(_)) => admission.answered(),
    }
    settle(shared, session, grant, answer)
}

/// Makes the answer the session's, before anybody gets to see it.
fn settle(
    shared: &Arc<Shared>,
    session: &Session,
    grant: Grant,
    answer: Result<Tokens, GrantError>,
) -> Refreshed {
    match answer {
        Ok(tokens) => {
            let (orphan, hint) = tokens.revocable();
            match session.rotate(tokens, shared) {
                Ok(token) => {
                    tracing::debug!("refreshed");
                    Refreshed::Token(token)
                }
                Err(Ended::SignedOut) => {
                    tracing::debug!("signed out under the refresh; revoking what came back");
                    shared.provider.revoke(grant.credentials, orphan, hint);
                    Refreshed::Ended
                }
                Err(Ended::Dropped) => Refreshed::Ended,
            }
        }
        Err(GrantError::Refused) => {
            tracing::info!("the provider refused the refresh token: the session is over");
            session.refuse();
            Refreshed::Refused
        }
        // Those credentials will never work again, and nobody can correct them.
        Err(GrantError::Misconfigured(error))
            if error == "invalid_client" && shared.provider.forget_registration(&grant.credentials.id) =>
        {
            tracing::warn!("the provider no longer knows this registration: the session is over");
            session.refuse();
            Refreshed::Refused
        }
        Err(GrantError::Misconfigured(error)) => {
            tracing::error!(%error, "the provider refuses this client; check CLIENT_ID and CLIENT_SECRET");
            session.fail(shared, None)
        }
        Err(GrantError::NotSent { retry_after } | GrantError::PossiblyProcessed { retry_after }) => {
            tracing::warn!("the provider is out of reach; the session is kept");
            session.fail(shared, retry_after)
        }
    }
}
