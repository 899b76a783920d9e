//! Refreshing a session's token: once for all who wait, in a task that belongs to the session and not to a request.
//!
//! ```text
//!           a newer token, an ending, a refusal or a back-off is known
//!          ┌──────────────────────────────────────────────────────────► the result
//!          │
//!        plan ──► take the lease ──► wait for a last write ──► confirm ──► send ──► settle ──► the result
//!          ▲            │              (after a takeover)         │        │  ▲        │
//!          │            │                                         │        └──┘        │
//!          │            │ another node has it:                    │   a lost answer:   │
//!          │            │ wait for its result                     │   once more        │
//!          └────────────┴─────────────────────────────────────────┴────────────────────┘
//!                                the lease was lost, or another node was faster
//! ```
//!
//! The lease is released by the record that `settle` writes, or else when the run ends. Without a store there is no lease.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::SemaphorePermit;
use tracing::Instrument;

use super::breaker::{Account, Admission, Caller, Closed, VERDICT_LIMIT};
use super::claims::Claims;
use super::lease::{Lease, Taken, their_refresh};
use super::settle::settle;
use super::{Freshness, OscToken, Phase, Session, Sessions};
use crate::clock::Timestamp;
use crate::oauth::{ErrorCode, GRANT_TIME, Grant, GrantError, Misconfiguration, Tokens};

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
    pub(crate) fn backing_off(&self, sessions: &Sessions) -> Option<Duration> {
        let now = sessions.now();
        let own = self.lock().backoff().and_then(|backoff| backoff.wait(now));
        own.max(sessions.breaker.wait(now, || self.caller(sessions)))
    }

    /// How long no other refresh is forced, after a fresh token was refused too.
    pub(super) fn forced_lately(&self, now: Timestamp) -> Option<Duration> {
        let forced_at = self.lock().forced_at().filter(|forced_at| *forced_at <= now)?;
        FORCE_AGAIN.checked_sub(now.since(forced_at)).filter(|left| !left.is_zero())
    }

    fn caller(&self, sessions: &Sessions) -> Caller {
        let token = sessions.table.current(self);
        // Without a user's name, colleagues would count as one account.
        let claims = token.and_then(|token| Claims::of(token.access_token()));
        let account = match claims.filter(|claims| claims.user_id.is_some()) {
            Some(claims) => Account::User(claims),
            None => Account::Unknown(self.id().clone()),
        };
        Caller { account, has_failed: self.lock().backoff().is_some() }
    }

    /// Starts a refresh beside the request, unless one is under way, fruitless or too early.
    pub(crate) fn refresh_beside(&self, sessions: &Arc<Sessions>, stale: &OscToken) {
        let has_none = self.lock().refresh_token.is_none();
        if !has_none && self.backing_off(sessions).is_none() && !sessions.is_shutting_down() {
            let run = || run(sessions.clone(), self.clone(), stale.clone(), Cause::Expiry);
            sessions.refreshing.start(self.id(), &sessions.tasks, run);
        }
    }

    /// Waits for a token other than `stale`, for at most `patience`.
    pub(crate) async fn refreshed(
        &self,
        sessions: &Arc<Sessions>,
        stale: &OscToken,
        cause: Cause,
        patience: Duration,
    ) -> Refreshed {
        let run = || run(sessions.clone(), self.clone(), stale.clone(), cause);
        let refreshed = sessions.refreshing.join(self.id(), &sessions.tasks, run);
        match select(Box::pin(refreshed), sessions.clock.sleep(patience)).await {
            Either::Left((Some(refreshed), _)) => refreshed,
            Either::Left((None, _)) | Either::Right(_) => Refreshed::Unavailable { retry_after: RETRY_AFTER },
        }
    }
}

async fn run(sessions: Arc<Sessions>, session: Session, stale: OscToken, cause: Cause) -> Refreshed {
    let span = tracing::debug_span!("refresh", session = %session.id().public());
    let is_current = sessions.table.current(&session).is_some_and(|current| current.is_same(&stale));
    let is_forced = cause == Cause::Rejection && is_current && session.lock().refresh_token.is_some();
    let refreshed = refresh(&sessions, &session, &stale).instrument(span).await;
    if is_forced && matches!(refreshed, Refreshed::Token(_)) {
        session.lock().note_forced(sessions.now());
    }
    refreshed
}

/// What to spend, and the rotation in which it was found.
pub(super) struct Plan {
    pub(super) grant: Grant,
    pub(super) rotation: u64,
}

fn plan(sessions: &Arc<Sessions>, session: &Session, stale: &OscToken) -> Result<Plan, Refreshed> {
    let now = sessions.now();
    let plan = {
        let state = session.lock();
        match (state.phase(), state.grant(&sessions.provider)) {
            (Phase::SignedOut | Phase::Dropped, _) | (Phase::Live, None) => return Err(Refreshed::Ended),
            (Phase::Refused, _) => return Err(Refreshed::Refused),
            (Phase::Live, Some(grant)) => Plan { grant, rotation: state.rotation() },
        }
    };
    // Somebody else refreshed meanwhile; a caller that comes late may find even that token due.
    let newer = sessions.table.current(session).filter(|current| !current.is_same(stale));
    if let Some(newer) = newer.filter(|newer| newer.freshness(now, &sessions.timing) != Freshness::Due) {
        return Err(Refreshed::Token(newer));
    }
    // It stays so: without a refresh token no node can get another.
    if plan.grant.refresh_token.is_none() {
        if !stale.issue().has_expired(now) {
            return Err(Refreshed::Token(stale.clone()));
        }
        tracing::debug!("the token expired, and the provider gave no refresh token");
        session.refuse(&sessions.table);
        return Err(Refreshed::Refused);
    }
    if let Some(retry_after) = session.backing_off(sessions) {
        return Err(Refreshed::Unavailable { retry_after });
    }
    if sessions.is_shutting_down() {
        return Err(Refreshed::Unavailable { retry_after: RETRY_AFTER });
    }
    Ok(plan)
}

async fn refresh(sessions: &Arc<Sessions>, session: &Session, stale: &OscToken) -> Refreshed {
    loop {
        if let Err(settled) = plan(sessions, session, stale) {
            return settled;
        }
        // Bounds what the end of an outage lets loose on the provider. Closed at shutdown.
        let Ok(permit) = sessions.permits.acquire().await else {
            return Refreshed::Unavailable { retry_after: RETRY_AFTER };
        };
        let mut lease = match Lease::take(sessions, session).await {
            Ok(Taken::Needless) => None,
            Ok(Taken::Mine(lease)) => Some(lease),
            Ok(Taken::Theirs(left, before)) => {
                drop(permit);
                // It may be over already, and the record have shown it.
                if plan(sessions, session, stale).is_ok() {
                    their_refresh(sessions, session, left, before).await;
                }
                continue;
            }
            Ok(Taken::Changed) => continue,
            Ok(Taken::Over) => return Refreshed::Ended,
            Err(_) => return session.fail(sessions, None),
        };
        let mut permit = Some(permit);
        let refreshed = under_lease(sessions, session, stale, &mut lease, &mut permit).await;
        // Held until the answer is stored: while the store takes none, few refresh tokens are at stake.
        drop(permit);
        if let Some(lease) = lease {
            lease.give_back();
        }
        match refreshed {
            Ok(refreshed) => return refreshed,
            Err(Unsent::LeaseLost) => tracing::debug!("another node took over the refresh"),
            Err(Unsent::StoreFailed) => return session.fail(sessions, None),
            Err(Unsent::ProviderLeftAlone(Closed::For(retry_after))) => {
                return Refreshed::Unavailable { retry_after };
            }
            Err(Unsent::ProviderLeftAlone(Closed::UntilVerdict(mut verdict))) => {
                let changed = Box::pin(verdict.changed());
                select(changed, sessions.clock.sleep(VERDICT_LIMIT)).await;
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
    sessions: &Arc<Sessions>,
    session: &Session,
    stale: &OscToken,
    lease: &mut Option<Lease>,
    permit: &mut Option<SemaphorePermit<'_>>,
) -> Result<Refreshed, Unsent> {
    // Things may have changed in the queue, and on other nodes.
    let plan = match plan(sessions, session, stale) {
        Ok(planned) => planned,
        Err(settled) => return Ok(settled),
    };
    if let Some(lease) = lease {
        lease.await_last_write().await;
    }
    let admission = sessions.breaker.admit(sessions.now(), session.caller(sessions));
    let admission = admission.map_err(Unsent::ProviderLeftAlone)?;
    let mut sent = Sent::nothing(sessions, session);
    let answer = spend(&mut sent, &plan, lease, permit).await;
    let refreshed = match answer {
        Ok(answer) => {
            sent.stage = Stage::Answered;
            judge(sessions, admission, &answer);
            let settled = settle(sessions, session, plan, answer, lease.as_mut()).await;
            settled.ok_or(Unsent::LeaseLost)
        }
        Err(unsent) => Err(unsent),
    };
    sent.stage = Stage::Settled;
    refreshed
}

/// Tells the breaker whether the provider is healthy.
fn judge(sessions: &Sessions, admission: Admission<'_>, answer: &Result<Tokens, GrantError>) {
    match answer {
        Ok(_) | Err(GrantError::Refused | GrantError::Misconfigured(_)) => admission.answered(),
        Err(GrantError::NotSent { .. } | GrantError::PossiblyProcessed { .. } | GrantError::TimedOut) => {
            admission.failed(sessions.now());
        }
    }
}

/// How far a grant got. A run may die with it, by a panic or with its runtime, and another may follow at once.
struct Sent<'s> {
    sessions: &'s Arc<Sessions>,
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
    fn nothing(sessions: &'s Arc<Sessions>, session: &'s Session) -> Self {
        Self { sessions, session, stage: Stage::Settled }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Settled => {}
            // The connection died with the run, so the answer is lost: the next run makes the second try.
            Stage::Unanswered => self.session.lock().lose_answer(),
            // The refresh token may be spent: the next run must not send it at once.
            Stage::Answered => drop(self.session.fail(self.sessions, None)),
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
    let (sessions, session) = (sent.sessions, sent.session);
    let mut is_second = session.lock().take_lost_answer();
    loop {
        let prepared = sessions.provider.prepare_refresh(&plan.grant).await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let mut time = GRANT_TIME;
        if let Some(lease) = lease {
            let is_confirmed = lease.confirm().await.map_err(|_| Unsent::StoreFailed)?;
            if !is_confirmed || session.lock().rotation() != plan.rotation {
                return Err(Unsent::LeaseLost);
            }
            time = lease.grant_time();
        }
        sent.stage = Stage::Unanswered;
        let answer = Box::pin(sessions.provider.send_refresh(prepared, &plan.grant, time));
        let answer = match select(answer, sessions.clock.sleep(SLOW)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), answer)) => {
                permit.take();
                answer.await
            }
        };
        if is_second || !is_to_be_asked_again(sessions, &answer) {
            return Ok(answer);
        }
        is_second = true;
        let pause = SECOND_TRY + SECOND_TRY_JITTER.mul_f64(rand::random());
        sessions.clock.sleep(pause).await;
    }
}

/// A lost answer can be had again within the provider's grace. An answer that only takes too long may still come, so
/// sending the grant again could spend it twice. A provider that does not know a registration may know it in a moment.
fn is_to_be_asked_again(sessions: &Sessions, answer: &Result<Tokens, GrantError>) -> bool {
    match answer {
        Err(GrantError::PossiblyProcessed { .. }) => true,
        Err(GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient))) => {
            !sessions.provider.has_static_client()
        }
        Ok(_) | Err(_) => false,
    }
}
