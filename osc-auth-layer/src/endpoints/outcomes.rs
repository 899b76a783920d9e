//! The outcomes of sign-ins, each kept for the browser that began it: a second click on the provider's *Allow* joins the
//! exchange under way, or gets its result for a minute.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::pending::PendingSignIn;
use super::query::Query;
use crate::clock::Timestamp;
use crate::response::Refusal;
use crate::secret::Secret;
use crate::session::SessionId;
use crate::store::SealingKey;

/// How long a browser can ask for an outcome again.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Each of these costs a request to the provider, so this many in a minute are an attack.
const MOST: usize = 100_000;

/// How a sign-in ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    SignedIn(SealedId),
    Refused(Refusal),
    /// The state was used before.
    Used,
}

/// A session's id, sealed under the verifier: only the browser with the pending sign-in can open it.
#[derive(Clone, Debug)]
pub(super) struct SealedId(Vec<u8>);

impl SealedId {
    pub(super) fn seal(id: &SessionId, pending: &PendingSignIn) -> Self {
        Self(key(&pending.verifier).seal(id.as_bytes(), pending.state().as_bytes()))
    }

    pub(super) fn open(&self, pending: &PendingSignIn) -> Option<SessionId> {
        let id = key(&pending.verifier).open(&self.0, pending.state().as_bytes())?;
        Some(SessionId::new(id.try_into().ok()?))
    }
}

fn key(verifier: &Secret) -> SealingKey {
    SealingKey::derive(verifier.expose().as_bytes(), b"osc-auth-layer/v1 outcome of a sign-in")
}

/// A hash of the provider's answer. Two deliveries of one sign-in share an outcome only if their hashes are equal.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(query: &Query) -> Self {
        let mut hash = Sha256::new();
        for name in ["code", "iss", "error"] {
            let value = query.get(name).unwrap_or_default();
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
        }
        Self(hash.finalize().into())
    }
}

/// Outcomes by state.
#[derive(Default)]
pub(crate) struct Outcomes(Mutex<HashMap<Box<str>, Kept>>);

struct Kept {
    fingerprint: Fingerprint,
    outcome: watch::Receiver<Option<Outcome>>,
    /// The requests that wait for the outcome, or have it and did not answer yet.
    waiting: usize,
    /// The session, while no browser has it.
    unclaimed: Option<SessionId>,
    /// `None` until there is an outcome.
    until: Option<Timestamp>,
}

/// What there is for a delivery.
pub(super) enum Place {
    /// An exchange is under way, or has ended lately.
    Joined(watch::Receiver<Option<Outcome>>),
    /// This delivery is the first: its outcome is to be sent.
    First(watch::Sender<Option<Outcome>>),
    /// The first delivery said something else.
    Differs,
    Full,
}

impl Outcomes {
    /// Takes a place for a request, which has to be given back with [`leave`](Self::leave).
    pub(super) fn enter(&self, state: &str, fingerprint: Fingerprint, now: Timestamp) -> Place {
        let mut all = self.0.lock();
        if let Some(kept) = all.get_mut(state).filter(|kept| kept.is_good(now)) {
            if kept.fingerprint != fingerprint {
                return Place::Differs;
            }
            kept.waiting += 1;
            return Place::Joined(kept.outcome.clone());
        }
        if all.len() >= MOST {
            return Place::Full;
        }
        let (sender, outcome) = watch::channel(None);
        let kept = Kept { fingerprint, outcome, waiting: 1, unclaimed: None, until: None };
        all.insert(state.into(), kept);
        Place::First(sender)
    }

    /// A browser gets the session.
    pub(super) fn claim(&self, state: &str) {
        if let Some(kept) = self.0.lock().get_mut(state) {
            kept.unclaimed = None;
        }
    }

    /// A request is over. Returns true if it was the last one, and no browser has the session.
    pub(super) fn leave(&self, state: &str) -> bool {
        let mut all = self.0.lock();
        let Some(kept) = all.get_mut(state) else { return false };
        kept.waiting = kept.waiting.saturating_sub(1);
        kept.is_forsaken()
    }

    /// The exchange has ended. Returns true if no request waits for the session that began.
    pub(super) fn end(&self, state: &str, unclaimed: Option<SessionId>, now: Timestamp) -> bool {
        let mut all = self.0.lock();
        let Some(kept) = all.get_mut(state) else { return false };
        (kept.unclaimed, kept.until) = (unclaimed, Some(now.plus(KEPT_FOR)));
        kept.is_forsaken()
    }

    /// The session that no browser has and no request waits for; it is forgotten.
    pub(super) fn take_unclaimed(&self, state: &str) -> Option<SessionId> {
        let mut all = self.0.lock();
        let unclaimed = all.get_mut(state).filter(|kept| kept.is_forsaken())?.unclaimed.take();
        all.remove(state);
        unclaimed
    }

    pub(crate) fn sweep(&self, now: Timestamp) {
        // Without an outcome, the exchange may have died with its runtime.
        let is_dead = |kept: &Kept| kept.until.is_none() && kept.outcome.has_changed().is_err();
        self.0.lock().retain(|_, kept| kept.is_good(now) && !is_dead(kept));
    }
}

impl Kept {
    fn is_good(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until) || self.unclaimed.is_some()
    }

    fn is_forsaken(&self) -> bool {
        self.waiting == 0 && self.unclaimed.is_some()
    }
}
