//! The outcome of a sign-in in the store, for a browser whose next request arrives at another node.
//!
//! The entry of a used state is empty until its sign-in has an outcome. Then it holds one byte that says who hands the session
//! over, and the outcome. That is sealed under the verifier, so that only the browser with the pending sign-in can open it.

use std::time::{Duration, Instant};

use futures_util::future::select;
use serde::{Deserialize, Serialize};

use super::outcomes::{Fingerprint, KEPT_FOR, Outcome};
use super::pending::PendingSignIn;
use super::state::GOOD_FOR;
use crate::clock::{Moment, Pauses, Timestamp};
use crate::response::{Refusal, StateProblem};
use crate::sessions::{SessionId, Sessions};
use crate::store::{Backing, Entry, Found, RecordName, SealingKey, StoreError, Swap, Swapped, Version};

/// No other node has handed the session over.
const UNCLAIMED: u8 = b'u';
/// Another node hands the session over, so the node that began it does not revoke its grant.
const CLAIMED: u8 = b'c';
/// The node that began the session revokes its grant. There is no outcome any more.
const WITHDRAWN: u8 = b'w';

/// How long to wait for the outcome of another node. An exchange and the writes around it take less, unless that node died.
const LONGEST: Duration = Duration::from_secs(40);
/// The pauses between two looks or tries.
const AGAIN: Pauses = Pauses::new(Duration::from_millis(100), LOOK_ANYWAY);
/// With notifications, the entry is read this often, in case one gets lost.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);
/// Tries to publish. Another node waits for longer than they take.
const TRIES: u32 = 6;

/// The refusals that keep their error codes on other nodes. Every other refusal becomes a failed sign-in there.
const TOLD: [Refusal; 6] = [
    Refusal::AccessDenied,
    Refusal::NotAllowed,
    Refusal::ProviderUnavailable,
    Refusal::StoreUnavailable,
    Refusal::Misconfigured,
    Refusal::InvalidState(StateProblem::Used),
];

#[derive(Serialize, Deserialize)]
struct Plain {
    fingerprint: Fingerprint,
    /// By the store's clock.
    ended_at: Timestamp,
    /// The id of the session, or the error code of the refusal.
    outcome: Result<String, String>,
}

fn name_of(id: &str) -> RecordName {
    RecordName::once(&["state", id])
}

/// Returns true if the `state` with this id was used.
pub(super) async fn is_used(backing: &Backing, id: &str) -> Result<bool, StoreError> {
    Ok(backing.get(&name_of(id)).await?.entry.is_some())
}

/// A sign-in's entry in the store.
pub(super) struct Relay<'r> {
    backing: &'r Backing,
    pending: &'r PendingSignIn,
    name: RecordName,
    /// The version of the entry that this node made.
    consumed: Option<Version>,
}

impl<'r> Relay<'r> {
    pub(super) fn new(backing: &'r Backing, pending: &'r PendingSignIn) -> Self {
        Self { backing, pending, name: name_of(pending.id()), consumed: None }
    }

    /// Uses up the state. Returns true for the first delivery on any node.
    pub(super) async fn consume_once(&mut self) -> Result<bool, StoreError> {
        let version = Version::random();
        let swap = Swap { expected: None, version, value: &[], expires_in: Some(GOOD_FOR), group: None };
        let swapped = self.backing.swap(&self.name, swap).await?;
        self.consumed = matches!(swapped, Swapped::Done { .. }).then_some(version);
        Ok(self.consumed.is_some())
    }

    /// Tells the other nodes. If this fails, they answer as in an outage.
    pub(super) async fn publish(&self, fingerprint: Fingerprint, outcome: &Outcome, sessions: &Sessions) {
        let Some(consumed) = self.consumed else { return };
        let ended_at = self.backing.time_of(sessions.now());
        let outcome = match outcome {
            Outcome::SignedIn { id, .. } => Ok(id.cookie_value()),
            Outcome::Refused(refusal) => Err(refusal.error().to_owned()),
            Outcome::Used => return,
        };
        let plain = Plain { fingerprint, ended_at, outcome };
        let sealed = self.key().seal_json(&plain, self.pending.id().as_bytes());
        let value = [&[UNCLAIMED], &sealed[..]].concat();
        let (mut pauses, version) = (AGAIN, Version::random());
        for _ in 0..TRIES {
            if self.put(consumed, version, &value).await.is_ok() {
                return;
            }
            sessions.clock.sleep(pauses.next()).await;
        }
    }

    /// Waits for the outcome of the node that used up the state. `None` if nobody told it in time. It may come later.
    pub(super) async fn outcome(&self, fingerprint: Fingerprint, sessions: &Sessions) -> Option<Outcome> {
        let (begun, mut pauses) = (Moment::now(&*sessions.clock), AGAIN);
        loop {
            let before = self.backing.before_read(&self.name);
            // If the store fails, the outcome may come all the same.
            if let Ok(Found { entry, now }) = self.backing.get(&self.name).await
                && entry.as_ref().is_none_or(|entry| !entry.value.is_empty())
            {
                let opened = entry.and_then(|entry| self.open(&entry, fingerprint, now.into()));
                return Some(opened.unwrap_or(Outcome::Used));
            }
            if sessions.is_shutting_down() || begun.age(&*sessions.clock) >= LONGEST {
                return None;
            }
            let is_notified = self.backing.coherence().is_trusted(Instant::now());
            let pause = if is_notified { LOOK_ANYWAY } else { pauses.next() };
            let change = Box::pin(self.backing.coherence().change(&self.name, before));
            let stopping = Box::pin(sessions.shutting_down());
            select(select(change, sessions.clock.sleep(pause)), stopping).await;
        }
    }

    /// Opens an outcome of the same answer, if it is not too old.
    fn open(&self, entry: &Entry, fingerprint: Fingerprint, now: Timestamp) -> Option<Outcome> {
        let (_, sealed) = entry.value.split_first()?;
        let plain: Plain = self.key().open_json(sealed, self.pending.id().as_bytes())?;
        if plain.fingerprint != fingerprint || now.since(plain.ended_at) >= KEPT_FOR {
            return None;
        }
        Some(match plain.outcome {
            Ok(id) => Outcome::SignedIn { id: SessionId::parse(id.as_bytes())?, is_relayed: true },
            Err(error) => {
                let refusal = TOLD.into_iter().find(|refusal| error == refusal.error());
                Outcome::Refused(refusal.unwrap_or(Refusal::SignInFailed))
            }
        })
    }

    /// Notes that this node hands the session over. Returns false if the node that began it has withdrawn it.
    pub(super) async fn claim(&self) -> Result<bool, StoreError> {
        Ok(self.mark(CLAIMED).await? == Some(CLAIMED))
    }

    /// Returns true if no other node hands the session over, and none will.
    pub(super) async fn withdraw(&self) -> Result<bool, StoreError> {
        Ok(self.mark(WITHDRAWN).await? != Some(CLAIMED))
    }

    /// Marks the entry, unless it is claimed or withdrawn already. Returns the mark that counts. `None` if there is no entry.
    async fn mark(&self, mark: u8) -> Result<Option<u8>, StoreError> {
        loop {
            let Some(Entry { mut value, version, .. }) = self.backing.get(&self.name).await?.entry else {
                return Ok(None);
            };
            if let Some(&marked @ (CLAIMED | WITHDRAWN)) = value.first() {
                return Ok(Some(marked));
            }
            match value.first_mut() {
                Some(first) if mark == CLAIMED => *first = mark,
                None if mark == CLAIMED => return Ok(None),
                // Nobody may get an outcome that was withdrawn.
                _ => value = vec![mark],
            }
            if let Swapped::Done { .. } = self.put(version, Version::random(), &value).await? {
                return Ok(Some(mark));
            }
        }
    }

    async fn put(&self, expected: Version, version: Version, value: &[u8]) -> Result<Swapped, StoreError> {
        let swap = Swap { expected: Some(expected), version, value, expires_in: None, group: None };
        self.backing.swap(&self.name, swap).await
    }

    fn key(&self) -> SealingKey {
        let verifier = self.pending.verifier.expose().as_bytes();
        SealingKey::derive(verifier, b"osc-auth-layer/v1 outcome of a sign-in for other nodes")
    }
}
