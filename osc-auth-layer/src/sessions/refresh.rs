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
//! The record that `settle` writes releases the lease. Otherwise the run releases it at its end. Without a store there is no lease.
//! While an outage of the provider is suspected, a run waits for the answer to another one before it sends, and plans anew.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{SemaphorePermit, watch};
use tracing::Instrument;
use tracing::field::Empty;

use super::backoff::Side;
use super::breaker::{Closed, VERDICT_LIMIT};
use super::lease::{Lease, Noted, Taken, Written};
use super::record::{Ending, Standing};
use super::refreshed::{Refreshed, Settled};
use super::sealed::Granted;
use super::state::Particulars;
use super::token::Issue;
use super::{EndReason, Freshness, OscToken, Session, SessionEventKind, Sessions};
use crate::meter::{self, Cause, LeaseWait, Refresh, Timer};
use crate::oauth::{ErrorCode, Grant, GrantError, Misconfiguration, Tokens};

/// A second try after a lost answer comes within the seconds of grace that rotating providers give.
const SECOND_TRY: Duration = Duration::from_millis(500);
const SECOND_TRY_JITTER: Duration = Duration::from_secs(1);

/// A run that has had no answer for this long gives its permit to another. Answers that hang must not keep the others waiting.
const SLOW: Duration = Duration::from_secs(2);

const REFUSED: SessionEventKind = SessionEventKind::Ended(EndReason::RefreshRefused);

/// The delay named in the answer to a request that meets an outage, when nothing better is known.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Session {
    /// Starts a refresh beside the request, unless one is under way or none can bring a token now.
    pub(crate) fn refresh_beside(&self, sessions: &Arc<Sessions>, stale: &OscToken) {
        let has_none = self.lock().refresh_token.is_none();
        if !has_none && self.backing_off(sessions).is_none() && !sessions.is_shutting_down() {
            let run = || run(sessions.clone(), self.clone(), stale.clone(), Cause::Ahead);
            sessions.refreshing.start(self.id(), Some(&sessions.tasks), run);
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
        let refreshed = sessions.refreshing.join(self.id(), Some(&sessions.tasks), run);
        match select(Box::pin(refreshed), sessions.clock.sleep(patience)).await {
            Either::Left((Some(refreshed), _)) => refreshed,
            Either::Left((None, _)) | Either::Right(_) => Refreshed::Unavailable { retry_after: RETRY_AFTER },
        }
    }
}

async fn run(sessions: Arc<Sessions>, session: Session, stale: OscToken, cause: Cause) -> Refreshed {
    let timer = Timer::start();
    let span = tracing::debug_span!(
        "osc_auth.refresh",
        session = %session.id().public(),
        cause = cause.word(),
        outcome = Empty
    );
    let is_current = sessions.table.current(&session).is_some_and(|current| current.is_same(&stale));
    let is_forced = cause == Cause::Rejection && is_current && session.lock().refresh_token.is_some();
    let run = Run { sessions: &sessions, session: &session, stale: &stale };
    let Settled { refreshed, outcome } = run.refresh().instrument(span.clone()).await;
    span.record("outcome", outcome.word());
    meter::refreshed(cause, outcome, timer);
    if is_forced && matches!(refreshed, Refreshed::Token(_)) {
        session.lock().particulars_mut().forced_at = Some(sessions.now());
    }
    refreshed
}

/// One run of a refresh.
struct Run<'r> {
    sessions: &'r Arc<Sessions>,
    session: &'r Session,
    stale: &'r OscToken,
}

/// The grant to spend, and the rotation in which it was found.
struct Plan {
    grant: Grant,
    rotation: u64,
}

/// Why a run has no result yet.
enum Unsettled {
    /// Another node took over, so the plan has to be made again.
    Changed,
    StoreFailed,
    /// An outage of the provider is suspected. The receiver changes when another run has its answer.
    Suspected(watch::Receiver<()>),
}

impl Run<'_> {
    async fn refresh(&self) -> Settled {
        let (sessions, mut wait) = (self.sessions, LeaseWait::default());
        loop {
            if let Err(settled) = self.plan() {
                return settled;
            }
            // Limits the burst of refreshes at the end of an outage. Shutdown closes the semaphore.
            let Ok(permit) = sessions.permits.acquire().await else {
                return Refreshed::Unavailable { retry_after: RETRY_AFTER }.by(Refresh::ShuttingDown);
            };
            // Boxed, so that a refresh that waits for its permit takes little memory. After an outage, those of nearly all users wait.
            if let Some(settled) = Box::pin(self.with_permit(permit, &mut wait)).await {
                return settled;
            }
        }
    }

    /// Returns `None` if the plan has to be made anew.
    async fn with_permit(&self, permit: SemaphorePermit<'_>, wait: &mut LeaseWait) -> Option<Settled> {
        let Self { sessions, session, .. } = *self;
        let mut lease = match Lease::take(sessions, session).await {
            Ok(Taken::Mine(lease)) => lease,
            Ok(Taken::Theirs(theirs)) => {
                wait.begin();
                drop(permit);
                // The record may have shown that it is over already.
                if self.plan().is_ok() {
                    theirs.ends(sessions, session).await;
                }
                return None;
            }
            Ok(Taken::Changed) => return None,
            Err(_) => return Some(session.fail(sessions, Side::Store, None)),
        };
        wait.end();
        let mut permit = Some(permit);
        let settled = self.under_lease(&mut lease, &mut permit).await;
        // Unless the answer was slow, the permit is kept until it is stored. So few refresh tokens are at risk while the store fails.
        drop(permit);
        lease.give_back();
        match settled {
            Ok(settled) => return Some(settled),
            Err(Unsettled::Changed) => tracing::debug!("another node took over the refresh"),
            Err(Unsettled::StoreFailed) => return Some(session.fail(sessions, Side::Store, None)),
            Err(Unsettled::Suspected(mut verdict)) => {
                let changed = Box::pin(verdict.changed());
                select(changed, sessions.clock.sleep(VERDICT_LIMIT)).await;
            }
        }
        None
    }

    fn plan(&self) -> Result<Plan, Settled> {
        let Self { sessions, session, stale } = *self;
        let now = sessions.now();
        let plan = {
            let state = session.lock();
            match (state.particulars().standing, state.grant(&sessions.provider)) {
                (Standing::Ended(_), _) | (Standing::Live(()), None) => return Err(Settled::ended()),
                // Another run counted the refusal.
                (Standing::Refused, _) => return Err(Refreshed::Refused.by(Refresh::SessionEnded)),
                (Standing::Live(()), Some(grant)) => Plan { grant, rotation: state.particulars().rotation },
            }
        };
        // Another run refreshed it meanwhile. For a caller that comes late, even that token may be due.
        let newer = sessions.table.current(session).filter(|current| !current.is_same(stale));
        if let Some(newer) = newer.filter(|newer| newer.freshness(now, &sessions.timing) != Freshness::Due) {
            return Err(Refreshed::Token(newer).by(Refresh::NotNeeded));
        }
        // Without a refresh token, no node can get another token.
        if plan.grant.refresh_token.is_none() {
            if !stale.issue().has_expired(now) {
                return Err(Refreshed::Token(stale.clone()).by(Refresh::NoRefreshToken));
            }
            tracing::debug!("the token expired, and the provider gave no refresh token");
            let user = sessions.user_to_tell(session);
            // The record in the store does not change, so with a store every node gets here by itself.
            if session.refuse(&sessions.table) && session.stored().is_none() {
                sessions.tell(REFUSED, session.id(), user);
            }
            return Err(Refreshed::Refused.by(Refresh::NoRefreshToken));
        }
        if let Some(retry_after) = session.backing_off(sessions) {
            return Err(Refreshed::Unavailable { retry_after }.by(Refresh::BackingOff));
        }
        if sessions.is_shutting_down() {
            return Err(Refreshed::Unavailable { retry_after: RETRY_AFTER }.by(Refresh::ShuttingDown));
        }
        Ok(plan)
    }

    async fn under_lease(
        &self,
        lease: &mut Lease,
        permit: &mut Option<SemaphorePermit<'_>>,
    ) -> Result<Settled, Unsettled> {
        let Self { sessions, session, .. } = *self;
        // The session may have changed while this run waited for the permit and the lease.
        let plan = match self.plan() {
            Ok(plan) => plan,
            Err(settled) => return Ok(settled),
        };
        lease.await_last_write().await;
        let attempt = match sessions.breaker.admit(sessions.now(), session.caller(sessions)) {
            Ok(attempt) => attempt,
            Err(Closed::For(retry_after)) => {
                return Ok(Refreshed::Unavailable { retry_after }.by(Refresh::BackingOff));
            }
            Err(Closed::UntilVerdict(verdict)) => return Err(Unsettled::Suspected(verdict)),
        };
        let mut sent = Sent { sessions, session, stage: Stage::Settled };
        let spent = self.spend(&mut sent, &plan, lease, permit).await;
        let answer = spent.inspect_err(|_| sent.stage = Stage::Settled)?;
        sent.stage = Stage::Answered;
        attempt.judge(&answer, sessions.now());
        let settled = self.settle(plan, answer, lease).await;
        sent.stage = Stage::Settled;
        settled
    }

    /// Sends the grant. Sends it once more if the answer is lost, or may be another in a moment.
    async fn spend(
        &self,
        sent: &mut Sent<'_>,
        plan: &Plan,
        lease: &mut Lease,
        permit: &mut Option<SemaphorePermit<'_>>,
    ) -> Result<Result<Tokens, GrantError>, Unsettled> {
        let Self { sessions, session, .. } = *self;
        let mut is_second = session.lock().take_lost_answer();
        loop {
            let prepared = match sessions.provider.prepare_refresh(&plan.grant).await {
                Ok(prepared) => prepared,
                Err(error) => return Ok(Err(error)),
            };
            let is_confirmed = lease.confirm().await.map_err(|_| Unsettled::StoreFailed)?;
            if !is_confirmed || session.lock().particulars().rotation != plan.rotation {
                return Err(Unsettled::Changed);
            }
            sent.stage = Stage::Unanswered;
            let answer = sessions.provider.send_refresh(prepared, &plan.grant, lease.grant_time());
            let answer = match select(Box::pin(answer), sessions.clock.sleep(SLOW)).await {
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

    /// Applies the answer to the session before any caller sees it.
    async fn settle(
        &self,
        plan: Plan,
        answer: Result<Tokens, GrantError>,
        lease: &mut Lease,
    ) -> Result<Settled, Unsettled> {
        let Self { sessions, session, .. } = *self;
        match answer {
            Ok(tokens) => self.store(plan, tokens, lease).await,
            Err(GrantError::Refused) => {
                tracing::info!(
                    "The provider refused the refresh token. Unless another node has a newer one, the session ends."
                );
                self.refuse(&plan, lease).await
            }
            // Those credentials will never work again, and nobody can correct them.
            Err(GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient)))
                if !sessions.provider.has_static_client() =>
            {
                tracing::warn!(
                    "The provider no longer knows the app's registration. The session ends, and the next sign-in registers the \
                     app again."
                );
                sessions.provider.forget_registration(&plan.grant.credentials.id).await;
                self.refuse(&plan, lease).await
            }
            // Logged already, when the metadata arrived.
            Err(GrantError::Misconfigured(Misconfiguration::OtherIssuer)) => {
                Ok(session.fail(sessions, Side::Settings, None))
            }
            Err(GrantError::Misconfigured(error)) => {
                tracing::error!(%error, "The provider refuses this client. Check CLIENT_ID and CLIENT_SECRET.");
                Ok(session.fail(sessions, Side::Settings, None))
            }
            Err(error) => {
                tracing::warn!(
                    "The provider is unavailable. The session is kept, and the layer retries the refresh."
                );
                Ok(session.fail(sessions, Side::Provider, error.retry_after()))
            }
        }
    }

    async fn store(&self, plan: Plan, tokens: Tokens, lease: &mut Lease) -> Result<Settled, Unsettled> {
        let Self { sessions, session, .. } = *self;
        let (orphan, hint) = tokens.revocable();
        let identity = match sessions.identity(session, &tokens) {
            Ok(identity) => identity,
            Err(reason) => {
                sessions.provider.revoke(plan.grant.credentials, orphan, hint);
                sessions.sign_out(session.id(), SessionEventKind::Ended(reason)).await;
                return Ok(Refreshed::Refused.by(Refresh::NotAdmitted));
            }
        };
        let now = sessions.now();
        session.note_user(identity.claims.clone());
        let token = session.with_token(&tokens.bearer, Issue::new(tokens.lifetime, now));
        let issued_at = sessions.backing.as_ref().map_or(now, |backing| backing.time_of(now));
        let Grant { refresh_token, credentials } = plan.grant;
        // RFC 6749 §6: without a new refresh token the old one stays.
        let tokens = Tokens { refresh_token: tokens.refresh_token.or(refresh_token), ..tokens };
        let user = identity.remembered();
        let granted = Granted { tokens, credentials: credentials.clone(), issued_at, user };
        match lease.write(plan.rotation, &token, granted).await {
            Written::Ours => {
                tracing::debug!("refreshed");
                // This node may have read a newer one already.
                let token = sessions.table.current(session).unwrap_or(token);
                Ok(Refreshed::Token(token).by(Refresh::Refreshed))
            }
            Written::Theirs => {
                tracing::warn!(
                    "Another node refreshed the session at the same time. This node uses its token."
                );
                Err(Unsettled::Changed)
            }
            Written::Ended(ending) => {
                session.end(&sessions.table, ending);
                // The provider may have answered the sign-in that took its place with the same grant.
                if ending == Ending::SignedOut {
                    tracing::debug!(
                        "the user signed out during the refresh; the layer revokes the new token"
                    );
                    sessions.provider.revoke(credentials, orphan, hint);
                }
                Ok(Settled::ended())
            }
        }
    }

    async fn refuse(&self, plan: &Plan, lease: &mut Lease) -> Result<Settled, Unsettled> {
        let Self { sessions, session, .. } = *self;
        let user = sessions.user_to_tell(session);
        let Ok(noted) = lease.refuse(plan.rotation).await else {
            return Ok(session.fail(sessions, Side::Store, None));
        };
        if noted == Noted::Here {
            sessions.tell(REFUSED, session.id(), user);
        }
        let Particulars { rotation, standing, .. } = *session.lock().particulars();
        match standing {
            // Another node was faster, which explains the refusal, or it may be about to write.
            _ if noted == Noted::Undecided || rotation > plan.rotation => Err(Unsettled::Changed),
            // The store was set back to an older state, and the newer record is not there again yet.
            Standing::Live(()) => Ok(session.fail(sessions, Side::Store, None)),
            Standing::Refused => Ok(Refreshed::Refused.by(Refresh::Refused)),
            Standing::Ended(_) => Ok(Settled::ended()),
        }
    }
}

/// Returns true if the grant may be sent again. A provider repeats a lost answer within its grace period. A late answer may still
/// come, so a second try could spend the grant twice. A provider that does not know a registration may know it in a moment.
fn is_to_be_asked_again(sessions: &Sessions, answer: &Result<Tokens, GrantError>) -> bool {
    match answer {
        Err(GrantError::PossiblyProcessed { .. }) => true,
        Err(GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient))) => {
            !sessions.provider.has_static_client()
        }
        Ok(_) | Err(_) => false,
    }
}

/// The progress of a grant. A run may die before the end, by a panic or with its runtime, and another may follow at once.
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

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Settled => {}
            // The connection died with the run, so the answer is lost: the next run makes the second try.
            Stage::Unanswered => self.session.lock().particulars_mut().has_lost_answer = true,
            // The refresh token may be spent: the next run must not send it at once.
            Stage::Answered => drop(self.session.fail(self.sessions, Side::Provider, None)),
        }
    }
}

impl Session {
    /// Notes that one of the sides failed.
    fn fail(&self, sessions: &Sessions, side: Side, retry_after: Option<Duration>) -> Settled {
        let now = sessions.now();
        let mut state = self.lock();
        let backoff = state.particulars_mut().backoff.get_or_insert_default();
        backoff.fail(now, retry_after, rand::random());
        backoff.side = side;
        Settled::failed(side, backoff.wait(now).unwrap_or(RETRY_AFTER))
    }
}
