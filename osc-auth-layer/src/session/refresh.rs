//! Refreshing a session's token: once for all who wait, in a task that belongs to the session and not to a request.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tracing::Instrument;

use super::lease::{Lease, Taken, their_refresh};
use super::settle::settle;
use super::{Freshness, Grant, OscToken, Phase, Session};
use crate::provider::{GrantError, Tokens};
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
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Session {
    /// How long the provider is to be left alone, after it failed this session or all of them.
    pub(crate) fn backing_off(&self, shared: &Shared) -> Option<Duration> {
        let now = shared.now();
        let own = self.lock().backoff().and_then(|backoff| backoff.wait(now));
        own.max(shared.breaker.wait(now))
    }

    /// Starts a refresh beside the request, unless one is under way, fruitless or too early.
    pub(crate) fn refresh_beside(&self, shared: &Arc<Shared>, stale: &OscToken) {
        let has_none = self.lock().refresh_token.is_none();
        if !has_none && self.backing_off(shared).is_none() && !shared.is_shutting_down() {
            let run = || run(shared.clone(), self.clone(), stale.clone());
            shared.refreshing.start(self.id(), &shared.tasks, run);
        }
    }

    /// Waits for a token other than `stale`, for at most `patience`.
    pub(crate) async fn refreshed(
        &self,
        shared: &Arc<Shared>,
        stale: &OscToken,
        patience: Duration,
    ) -> Refreshed {
        let run = || run(shared.clone(), self.clone(), stale.clone());
        let refreshed = shared.refreshing.join(self.id(), &shared.tasks, run);
        match select(Box::pin(refreshed), shared.clock.sleep(patience)).await {
            Either::Left((Some(refreshed), _)) => refreshed,
            Either::Left((None, _)) | Either::Right(_) => Refreshed::Unavailable { retry_after: RETRY_AFTER },
        }
    }
}

async fn run(shared: Arc<Shared>, session: Session, stale: OscToken) -> Refreshed {
    let span = tracing::debug_span!("refresh", session = %session.id().public());
    refresh(&shared, &session, &stale).instrument(span).await
}

/// What to spend, and the version it was found in; or why nothing needs to be sent.
pub(super) struct Plan {
    pub(super) grant: Grant,
    pub(super) version: u64,
}

fn plan(shared: &Arc<Shared>, session: &Session, stale: &OscToken) -> Result<Plan, Refreshed> {
    let now = shared.now();
    let plan = {
        let state = session.lock();
        match (state.phase(), state.grant(&shared.provider)) {
            (Phase::SignedOut | Phase::Dropped, _) | (Phase::Live, None) => return Err(Refreshed::Ended),
            (Phase::Refused, _) => return Err(Refreshed::Refused),
            (Phase::Live, Some(grant)) => Plan { grant, version: state.version() },
        }
    };
    // Somebody else refreshed meanwhile; a caller that comes late may find even that token due.
    let newer = shared.sessions.current(session).filter(|current| !current.is_same(stale));
    if let Some(newer) = newer.filter(|newer| newer.freshness(now, &shared.config.timing) != Freshness::Due) {
        return Err(Refreshed::Token(newer));
    }
    // It stays so: without a refresh token no node can get another.
    if plan.grant.refresh_token.is_none() {
        if !stale.issue().has_expired(now) {
            return Err(Refreshed::Token(stale.clone()));
        }
        tracing::debug!("the token expired, and the provider gave no refresh token");
        session.refuse(&shared.sessions);
        return Err(Refreshed::Refused);
    }
    if let Some(retry_after) = session.backing_off(shared) {
        return Err(Refreshed::Unavailable { retry_after });
    }
    if shared.is_shutting_down() {
        return Err(Refreshed::Unavailable { retry_after: RETRY_AFTER });
    }
    Ok(plan)
}

async fn refresh(shared: &Arc<Shared>, session: &Session, stale: &OscToken) -> Refreshed {
    loop {
        if let Err(settled) = plan(shared, session, stale) {
            return settled;
        }
        // Bounds what the end of an outage lets loose on the provider. Closed at shutdown.
        let Ok(permit) = shared.refreshes.acquire().await else {
            return Refreshed::Unavailable { retry_after: RETRY_AFTER };
        };
        let mut lease = match Lease::take(shared, session).await {
            Ok(Taken::Needless) => None,
            Ok(Taken::Mine(lease)) => Some(lease),
            Ok(Taken::Theirs(left, before)) => {
                drop(permit);
                // It may be over already, and the record have shown it.
                if plan(shared, session, stale).is_ok() {
                    their_refresh(shared, session, left, before).await;
                }
                continue;
            }
            Ok(Taken::Over) => return Refreshed::Ended,
            Err(_) => return session.fail(shared, None),
        };
        let refreshed = under_lease(shared, session, stale, &mut lease).await;
        // Held until the answer is stored: while the store takes none, few refresh tokens are at stake.
        drop(permit);
        if let Some(lease) = lease {
            lease.give_back();
        }
        match refreshed {
            Some(refreshed) => return refreshed,
            None => tracing::debug!("another node took over the refresh"),
        }
    }
}

/// `None` when another node took over: what it did is to be looked at.
async fn under_lease(
    shared: &Arc<Shared>,
    session: &Session,
    stale: &OscToken,
    lease: &mut Option<Lease>,
) -> Option<Refreshed> {
    // Things may have changed in the queue, and on other nodes.
    let plan = match plan(shared, session, stale) {
        Ok(planned) => planned,
        Err(settled) => return Some(settled),
    };
    if let Some(lease) = lease {
        lease.hear_last_word().await;
    }
    let admission = match shared.breaker.admit(shared.now()) {
        Ok(admission) => admission,
        Err(retry_after) => return Some(Refreshed::Unavailable { retry_after }),
    };
    let answer = match spend(shared, session, &plan, lease).await {
        Ok(answer) => answer,
        Err(Unsent::LeaseLost) => return None,
        Err(Unsent::StoreFailed) => return Some(session.fail(shared, None)),
    };
    match &answer {
        Err(GrantError::NotSent { retry_after } | GrantError::PossiblyProcessed { retry_after }) => {
            admission.failed(shared.now(), *retry_after);
        }
        Ok(_) | Err(GrantError::Refused | GrantError::Misconfigured(_)) => admission.answered(),
    }
    settle(shared, session, plan, answer, lease.as_mut()).await
}

/// Why a grant was not sent (again).
enum Unsent {
    LeaseLost,
    StoreFailed,
}

/// Sends the grant, and once more when its answer was lost.
async fn spend(
    shared: &Arc<Shared>,
    session: &Session,
    plan: &Plan,
    lease: &mut Option<Lease>,
) -> Result<Result<Tokens, GrantError>, Unsent> {
    let mut was_sent = false;
    loop {
        let prepared = shared.provider.prepare_refresh(&plan.grant).await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(lease) = lease {
            let is_confirmed = lease.confirm().await.map_err(|_| Unsent::StoreFailed)?;
            if !is_confirmed || session.lock().version() != plan.version {
                return Err(Unsent::LeaseLost);
            }
        }
        let answer = shared.provider.send_refresh(prepared, &plan.grant).await;
        if was_sent || !matches!(answer, Err(GrantError::PossiblyProcessed { .. })) {
            return Ok(answer);
        }
        was_sent = true;
        let pause = SECOND_TRY + SECOND_TRY_JITTER.mul_f64(rand::random());
        shared.clock.sleep(pause).await;
    }
}
