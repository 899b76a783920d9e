//! Refreshing a session's token: once for all who wait, in a task that belongs to the session and not to a request.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::SemaphorePermit;
use tracing::Instrument;

use super::breaker::{Account, Admission, Caller, Closed, VERDICT_LIMIT};
use super::claims::Claims;
use super::lease::{Lease, Taken, their_refresh};
use super::settle::settle;
use super::{Freshness, Grant, OscToken, Phase, Session};
use crate::clock::Timestamp;
use crate::provider::{ErrorCode, GRANT_TIME, GrantError, Misconfiguration, Tokens};
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

/// Why a token is to be refreshed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cause {
    /// It expires, or is about to.
    Expiry,
    /// An API refused it before its time.
    Rejection,
}

/// An API that refuses every token costs one grant in this time.
const FORCE_AGAIN: Duration = Duration::from_secs(10);

/// A second try after a lost answer comes within the seconds of grace that rotating providers give.
const SECOND_TRY: Duration = Duration::from_millis(500);
const SECOND_TRY_JITTER: Duration = Duration::from_secs(1);

/// A refresh that has had no answer for this long gives its permit to another: refreshes that hang must not keep the
/// others waiting.
const SLOW: Duration = Duration::from_secs(2);

/// The delay named in the answer to a request that meets an outage, when nothing better is known.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Session {
    /// How long the provider is to be left alone, after it failed this session or all of them.
    pub(crate) fn backing_off(&self, shared: &Shared) -> Option<Duration> {
        let now = shared.now();
        let own = self.lock().backoff().and_then(|backoff| backoff.wait(now));
        own.max(shared.breaker.wait(now, || self.caller(shared)))
    }

    /// How long no other refresh is forced, after a fresh token was refused too.
    pub(super) fn forced_lately(&self, now: Timestamp) -> Option<Duration> {
        let forced_at = self.lock().forced_at().filter(|forced_at| *forced_at <= now)?;
        FORCE_AGAIN.checked_sub(now.since(forced_at)).filter(|left| !left.is_zero())
    }

    fn caller(&self, shared: &Shared) -> Caller {
        let token = shared.sessions.current(self);
        // Without a user's name, colleagues would count as one account.
        let claims = token.and_then(|token| Claims::of(token.access_token()));
        let account = match claims.filter(|claims| claims.user_id.is_some()) {
            Some(claims) => Account::User(claims),
            None => Account::Unknown(self.id().clone()),
        };
        Caller { account, has_failed: self.lock().backoff().is_some() }
    }

    /// Starts a refresh beside the request, unless one is under way, fruitless or too early.
    pub(crate) fn refresh_beside(&self, shared: &Arc<Shared>, stale: &OscToken) {
        let has_none = self.lock().refresh_token.is_none();
        if !has_none && self.backing_off(shared).is_none() && !shared.is_shutting_down() {
            let run = || run(shared.clone(), self.clone(), stale.clone(), Cause::Expiry);
            shared.refreshing.start(self.id(), &shared.tasks, run);
        }
    }

    /// Waits for a token other than `stale`, for at most `patience`.
    pub(crate) async fn refreshed(
        &self,
        shared: &Arc<Shared>,
        stale: &OscToken,
        cause: Cause,
        patience: Duration,
    ) -> Refreshed {
        let run = || run(shared.clone(), self.clone(), stale.clone(), cause);
        let refreshed = shared.refreshing.join(self.id(), &shared.tasks, run);
        match select(Box::pin(refreshed), shared.clock.sleep(patience)).await {
            Either::Left((Some(refreshed), _)) => refreshed,
            Either::Left((None, _)) | Either::Right(_) => Refreshed::Unavailable { retry_after: RETRY_AFTER },
        }
    }
}

async fn run(shared: Arc<Shared>, session: Session, stale: OscToken, cause: Cause) -> Refreshed {
    let span = tracing::debug_span!("refresh", session = %session.id().public());
    let is_current = shared.sessions.current(&session).is_some_and(|current| current.is_same(&stale));
    let is_forced = cause == Cause::Rejection && is_current && session.lock().refresh_token.is_some();
    let refreshed = refresh(&shared, &session, &stale).instrument(span).await;
    if is_forced && matches!(refreshed, Refreshed::Token(_)) {
        session.lock().note_forced(shared.now());
    }
    refreshed
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
        let mut permit = Some(permit);
        let refreshed = under_lease(shared, session, stale, &mut lease, &mut permit).await;
        // Held until the answer is stored: while the store takes none, few refresh tokens are at stake.
        drop(permit);
        if let Some(lease) = lease {
            lease.give_back();
        }
        match refreshed {
            Ok(refreshed) => return refreshed,
            Err(Unsent::LeaseLost) => tracing::debug!("another node took over the refresh"),
            Err(Unsent::StoreFailed) => return session.fail(shared, None),
            Err(Unsent::ProviderLeftAlone(Closed::For(retry_after))) => {
                return Refreshed::Unavailable { retry_after };
            }
            Err(Unsent::ProviderLeftAlone(Closed::UntilVerdict(mut verdict))) => {
                let changed = Box::pin(verdict.changed());
                select(changed, shared.clock.sleep(VERDICT_LIMIT)).await;
            }
        }
    }
}

/// Why a grant was not sent (again), or what it brought is not used.
enum Unsent {
    /// Another node took over: what it did is to be looked at.
    LeaseLost,
    StoreFailed,
    ProviderLeftAlone(Closed),
}

async fn under_lease(
    shared: &Arc<Shared>,
    session: &Session,
    stale: &OscToken,
    lease: &mut Option<Lease>,
    permit: &mut Option<SemaphorePermit<'_>>,
) -> Result<Refreshed, Unsent> {
    // Things may have changed in the queue, and on other nodes.
    let plan = match plan(shared, session, stale) {
        Ok(planned) => planned,
        Err(settled) => return Ok(settled),
    };
    if let Some(lease) = lease {
        lease.hear_last_word().await;
    }
    let admission = shared.breaker.admit(shared.now(), session.caller(shared));
    let admission = admission.map_err(Unsent::ProviderLeftAlone)?;
    let mut sent = Sent::nothing(shared, session);
    let answer = spend(&mut sent, &plan, lease, permit).await;
    let refreshed = match answer {
        Ok(answer) => {
            sent.stage = Stage::Answered;
            judge(shared, admission, &answer);
            let settled = settle(shared, session, plan, answer, lease.as_mut()).await;
            settled.ok_or(Unsent::LeaseLost)
        }
        Err(unsent) => Err(unsent),
    };
    sent.stage = Stage::Settled;
    refreshed
}

/// Tells the breaker whether the provider is healthy.
fn judge(shared: &Shared, admission: Admission<'_>, answer: &Result<Tokens, GrantError>) {
    match answer {
        Ok(_) | Err(GrantError::Refused | GrantError::Misconfigured(_)) => admission.answered(),
        Err(GrantError::NotSent { .. } | GrantError::PossiblyProcessed { .. } | GrantError::TimedOut) => {
            admission.failed(shared.now());
        }
    }
}

/// How far a grant got. A run may die with it, by a panic or with its runtime, and another may follow at once.
struct Sent<'s> {
    shared: &'s Arc<Shared>,
    session: &'s Session,
    stage: Stage,
}

enum Stage {
    /// Nothing was sent, or all is said and done.
    Settled,
    Unanswered,
    Answered,
}

impl<'s> Sent<'s> {
    fn nothing(shared: &'s Arc<Shared>, session: &'s Session) -> Self {
        Self { shared, session, stage: Stage::Settled }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Settled => {}
            // The connection died with the run, so the answer is lost: the next run makes the second try.
            Stage::Unanswered => self.session.lock().lose_answer(),
            // The refresh token may be spent: the next run must not send it at once.
            Stage::Answered => drop(self.session.fail(self.shared, None)),
        }
    }
}

/// Sends the grant, and once more when its answer cannot come any more or is not to be believed at once.
async fn spend(
    sent: &mut Sent<'_>,
    plan: &Plan,
    lease: &mut Option<Lease>,
    permit: &mut Option<SemaphorePermit<'_>>,
) -> Result<Result<Tokens, GrantError>, Unsent> {
    let (shared, session) = (sent.shared, sent.session);
    let mut is_second = session.lock().take_lost_answer();
    loop {
        let prepared = shared.provider.prepare_refresh(&plan.grant).await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let mut time = GRANT_TIME;
        if let Some(lease) = lease {
            let is_confirmed = lease.confirm().await.map_err(|_| Unsent::StoreFailed)?;
            if !is_confirmed || session.lock().version() != plan.version {
                return Err(Unsent::LeaseLost);
            }
            time = lease.grant_time();
        }
        sent.stage = Stage::Unanswered;
        let answer = Box::pin(shared.provider.send_refresh(prepared, &plan.grant, time));
        let answer = match select(answer, shared.clock.sleep(SLOW)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), answer)) => {
                permit.take();
                answer.await
            }
        };
        if is_second || !is_to_be_asked_again(shared, &answer) {
            return Ok(answer);
        }
        is_second = true;
        let pause = SECOND_TRY + SECOND_TRY_JITTER.mul_f64(rand::random());
        shared.clock.sleep(pause).await;
    }
}

/// A lost answer can be had again within the provider's grace. An answer that only takes too long may still come, so
/// sending the grant again could spend it twice. A provider that does not know a registration may know it in a moment.
fn is_to_be_asked_again(shared: &Shared, answer: &Result<Tokens, GrantError>) -> bool {
    match answer {
        Err(GrantError::PossiblyProcessed { .. }) => true,
        Err(GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient))) => {
            !shared.provider.has_static_client()
        }
        Ok(_) | Err(_) => false,
    }
}
