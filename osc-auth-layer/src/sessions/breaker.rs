//! Tells an outage of the provider from one account's trouble, and spares the provider while the outage lasts.
//!
//! An outage means that refreshes of several accounts failed and none has succeeded since the first failure. While it
//! lasts, one refresh per back-off step asks whether it is over. The first success ends it.

use std::cell::LazyCell;
use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::backoff::{Backoff, Side};
use super::claims::Claims;
use super::{Session, SessionId, Sessions};
use crate::clock::Timestamp;
use crate::oauth::{GrantError, Tokens};

/// This many accounts that fail mean an outage. Fewer may have trouble of their own.
const SEVERAL: usize = 3;
/// More accounts than this tell nothing new about an outage.
const MOST_REMEMBERED: usize = 1000;
/// While an outage is only suspected, a probe without an answer after this long no longer keeps the next one waiting.
pub(super) const VERDICT_LIMIT: Duration = Duration::from_secs(2);
/// The same in a sure outage.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// In a sure outage, an account that has not failed may try this much earlier than the others, because its result tells more.
const HEAD_START: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(crate) struct Breaker {
    state: Mutex<Failures>,
    /// Changes when a probe ends.
    verdicts: watch::Sender<()>,
}

#[derive(Default)]
struct Failures {
    /// The accounts whose refreshes failed since the last success.
    failed: HashSet<Account>,
    /// True after another account failed too. Until then, the failures may be those accounts' own trouble.
    is_sure: bool,
    /// Gates the tries of accounts that have not failed, until the layer is sure. Failures of others do not close it, because an
    /// account that keeps failing must not stop others from showing that the provider works.
    first_try: Backoff,
    /// Gates all other tries.
    step: Backoff,
}

/// The owner of a refresh, as far as the layer can tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// All sessions of one user count once.
    User(Claims),
    /// The token names no user.
    Unknown(SessionId),
}

/// The account, which is read from the token only in an outage or after a failure.
pub(super) type Lazy = LazyCell<Account, Box<dyn FnOnce() -> Account + Send>>;

/// The account that wants to refresh, and its history.
pub(super) struct Caller {
    pub(super) account: Lazy,
    /// The last refresh of this session failed.
    pub(super) has_failed: bool,
}

/// Why a refresh may not be sent now.
pub(super) enum Closed {
    /// An outage: the provider is left alone for this long.
    For(Duration),
    /// An outage is suspected, and a probe is about to tell. The receiver changes when it has.
    UntilVerdict(watch::Receiver<()>),
}

impl Failures {
    fn is_outage(&self) -> bool {
        self.failed.len() >= SEVERAL
    }

    /// Returns true if the account has failed before.
    fn is_retry(&self, caller: &Caller) -> bool {
        caller.has_failed || self.failed.contains(&*caller.account)
    }

    fn gate(&mut self, is_retry: bool) -> &mut Backoff {
        if is_retry || self.is_sure { &mut self.step } else { &mut self.first_try }
    }

    fn wait(&mut self, is_retry: bool, now: Timestamp) -> Option<Duration> {
        let head_start = if is_retry && self.is_sure { HEAD_START } else { Duration::ZERO };
        self.gate(is_retry).wait_beyond(now, head_start)
    }
}

impl Sessions {
    /// Returns true if refreshes of several accounts failed, and none has succeeded since.
    pub(crate) fn is_outage(&self) -> bool {
        self.breaker.state.lock().is_outage()
    }
}

impl Breaker {
    /// Returns how long this caller has to leave the provider alone. `None` if it may start a refresh, which may then have to wait
    /// for a verdict.
    pub(super) fn wait(&self, now: Timestamp, caller: impl FnOnce() -> Caller) -> Option<Duration> {
        let is_outage = self.state.lock().is_outage();
        if !is_outage {
            return None;
        }
        let caller = caller();
        // Outside the lock, because it decodes the token.
        LazyCell::force(&caller.account);
        let mut state = self.state.lock();
        let is_retry = state.is_retry(&caller);
        if is_retry || state.is_sure { state.wait(is_retry, now) } else { None }
    }

    /// Lets a refresh through, during an outage as a probe.
    pub(super) fn admit(&self, now: Timestamp, caller: Caller) -> Result<Attempt<'_>, Closed> {
        let is_outage = self.state.lock().is_outage();
        if is_outage {
            // Outside the lock, because it decodes the token.
            LazyCell::force(&caller.account);
        }
        let mut state = self.state.lock();
        let is_retry = state.is_outage().then(|| state.is_retry(&caller));
        if let Some(is_retry) = is_retry {
            match state.wait(is_retry, now) {
                Some(wait) if is_retry || state.is_sure => return Err(Closed::For(wait)),
                Some(_) => return Err(Closed::UntilVerdict(self.verdicts.subscribe())),
                None => {}
            }
            let limit = if state.is_sure { PROBE_LIMIT } else { VERDICT_LIMIT };
            state.gate(is_retry).hold(now, limit);
        }
        Ok(Attempt { breaker: self, account: Some(caller.account), is_retry })
    }
}

/// A refresh that was let through, and has to report how it ended. If it is dropped before that, another may take its place.
pub(super) struct Attempt<'b> {
    breaker: &'b Breaker,
    /// Taken when it has ended.
    account: Option<Lazy>,
    /// `None` unless it is a probe. True if its account had failed before.
    is_retry: Option<bool>,
}

impl Attempt<'_> {
    /// Notes that the provider gave a valid answer, even if it was a refusal.
    pub(super) fn answered(mut self) {
        self.account = None;
        *self.breaker.state.lock() = Failures::default();
        self.breaker.verdicts.send_replace(());
    }

    /// Learns from the provider's answer whether the provider is healthy.
    pub(super) fn judge(self, answer: &Result<Tokens, GrantError>, now: Timestamp) {
        match answer {
            Ok(_) | Err(GrantError::Refused | GrantError::Misconfigured(_)) => self.answered(),
            Err(
                GrantError::NotSent { .. }
                | GrantError::PossiblyProcessed { .. }
                | GrantError::TimedOut
                | GrantError::NotShared,
            ) => {
                self.failed(now);
            }
        }
    }

    pub(super) fn failed(mut self, now: Timestamp) {
        let account = self.account.take().map(|account| LazyCell::force(&account).clone());
        let mut state = self.breaker.state.lock();
        let was_outage = state.is_outage();
        if let Some(account) = account.filter(|_| state.failed.len() < MOST_REMEMBERED) {
            state.failed.insert(account);
        }
        let begins = !was_outage && state.is_outage();
        if self.is_retry == Some(false) && !state.is_sure {
            (state.is_sure, state.step) = (true, Backoff::default());
        }
        // Failures that were under way together count for one step of the delay.
        if begins || self.is_retry.is_some() {
            state.step.fail(now, None, rand::random());
        }
        drop(state);
        self.breaker.verdicts.send_replace(());
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let (Some(_), Some(is_retry)) = (self.account.take(), self.is_retry) {
            self.breaker.state.lock().gate(is_retry).open();
            self.breaker.verdicts.send_replace(());
        }
    }
}

impl Session {
    /// Returns how long the provider is to be left alone, after it failed this session or all sessions.
    pub(crate) fn backing_off(&self, sessions: &Sessions) -> Option<Duration> {
        let now = sessions.now();
        let own = self.lock().particulars().backoff.as_ref().and_then(|backoff| backoff.wait(now));
        own.max(sessions.breaker.wait(now, || self.caller(sessions)))
    }

    /// Returns the side that failed this session's last refresh. If its last refresh did not fail, returns the provider.
    pub(crate) fn outage_side(&self) -> Side {
        self.lock().particulars().backoff.as_ref().map_or(Side::default(), |backoff| backoff.side)
    }

    pub(super) fn caller(&self, sessions: &Sessions) -> Caller {
        let (id, token) = (self.id().clone(), sessions.table.current(self));
        let account = LazyCell::new(Box::new(move || {
            let claims = token.and_then(|token| Claims::of(token.access_token()));
            // Without a user's name, colleagues would count as one account.
            match claims.filter(|claims| claims.user_id.is_some()) {
                Some(claims) => Account::User(claims),
                None => Account::Unknown(id),
            }
        }) as Box<_>);
        Caller { account, has_failed: self.lock().particulars().backoff.is_some() }
    }
}

#[cfg(test)]
mod tests;
