//! The process's sessions, found by id: bounded, and swept of the expired ones.

#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use parking_lot::RwLock;

use super::{OscToken, Session, SessionId, State};
use crate::clock::Timestamp;
use crate::config::Timing;

/// How many sessions a part of a full table holds.
const PER_PART: usize = 256;

/// More parts than that would take much memory from a table that is mostly empty. Those of a table for more than a million
/// sessions are larger instead.
const MOST_PARTS: usize = 4096;

/// Enough for the threads of a small table not to wait for each other.
const FEWEST_PARTS: usize = 16;

/// How many sessions are compared to find the one unused for longest. If a twentieth of all is unused, the sample misses it
/// once in half a million times.
const SAMPLE: usize = 256;

/// How many sessions a sweep looks through before requests have their turn.
const SLICE: usize = 1_000;

/// How many parts the sample is taken from. A part taken alone would be emptied of its unused sessions before others are.
const SAMPLED_PARTS: usize = 32;

/// In parts, each under a lock of its own, and keyed at random in each process. Only ids that this process made or found in
/// the store are ever inserted, so nobody can aim at a part.
///
/// A set of sessions with their current tokens, since that is what nearly every request comes for: so one look brings it.
/// A token changes under the session's own lock, hence nobody may take a session's lock inside of the table's.
pub(crate) struct Table {
    parts: Box<[Part]>,
    hasher: RandomState,
    most: usize,
    held: AtomicUsize,
    /// How many sessions were pushed out since the log was last told.
    pushed_out: AtomicUsize,
}

/// As large as a line of the cache, so that a request touches one.
#[repr(align(64))]
struct Part(RwLock<HashSet<ById, RandomState>>);

struct ById(Session);

impl ById {
    fn session(&self) -> &Session {
        #[cfg(test)]
        tests::VISITS.set(tests::VISITS.get() + 1);
        &self.0
    }
}

impl Borrow<SessionId> for ById {
    fn borrow(&self) -> &SessionId {
        self.session().id()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.session().id() == other.session().id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.session().id().hash(state);
    }
}

impl Table {
    pub(crate) fn new(most: usize) -> Self {
        let parts = (most / PER_PART).clamp(FEWEST_PARTS, MOST_PARTS).next_power_of_two();
        let hasher = RandomState::default();
        let part = |_| Part(RwLock::new(HashSet::with_hasher(hasher.clone())));
        Self {
            parts: (0..parts).map(part).collect(),
            hasher: hasher.clone(),
            most,
            held: AtomicUsize::new(0),
            pushed_out: AtomicUsize::new(0),
        }
    }

    fn part(&self, id: &SessionId) -> &RwLock<HashSet<ById, RandomState>> {
        // The set itself goes by the lowest bits and the highest.
        let index = (self.hasher.hash_one(id) >> 32) as usize & (self.parts.len() - 1);
        &self.parts[index].0
    }

    /// Calls `look` on a session with its current token, under the table's lock.
    pub(crate) fn look<T>(&self, id: &SessionId, look: impl FnOnce(&Session) -> T) -> Option<T> {
        self.part(id).read().get(id).map(|found| look(found.session()))
    }

    pub(crate) fn find(&self, id: &SessionId) -> Option<Session> {
        self.look(id, Session::clone)
    }

    /// Returns the session that has its place: one that was there already stays.
    pub(crate) fn insert(&self, session: Session, timing: &Timing, now: Timestamp) -> Session {
        self.make_room(timing, now);
        let mut part = self.part(session.id()).write();
        if let Some(found) = part.get(session.id()) {
            return found.session().clone();
        }
        part.insert(ById(session.clone()));
        self.held.fetch_add(1, Ordering::Relaxed);
        session
    }

    /// The token that requests get; `None` once the session ended or its refresh was refused.
    pub(crate) fn current(&self, session: &Session) -> Option<OscToken> {
        // Another one may have taken its place, read from the store.
        self.look(session.id(), |found| found.is_same(session).then(|| found.token()))??
    }

    /// The one way to another token, or to none. `_state` shows that the session is locked.
    pub(super) fn show(&self, _state: &mut State, session: &Session, token: Option<OscToken>) {
        let shown = token.map_or_else(|| session.without_token(), |token| token.held_by().clone());
        let mut part = self.part(session.id()).write();
        let is_here = part.get(session.id()).is_some_and(|found| found.session().is_same(session));
        let replaced = if is_here { part.replace(ById(shown)) } else { None };
        drop(part);
        drop(replaced);
    }

    pub(crate) fn remove(&self, id: &SessionId) -> Option<Session> {
        self.remove_if(id, |_| true)
    }

    fn remove_if(&self, id: &SessionId, is_meant: impl FnOnce(&Session) -> bool) -> Option<Session> {
        let mut part = self.part(id).write();
        if !is_meant(part.get(id)?.session()) {
            return None;
        }
        let removed = part.take(id)?;
        self.held.fetch_sub(1, Ordering::Relaxed);
        Some(removed.0)
    }

    /// Drops expired sessions, of about a thousand, from this part of the table on. Returns the part where to go on.
    ///
    /// Sessions that somebody holds stay, as in [`make_room`](Self::make_room).
    pub(crate) fn sweep(&self, first: usize, timing: &Timing, now: Timestamp) -> Option<usize> {
        let mut seen = 0;
        for (index, part) in self.parts.iter().enumerate().skip(first) {
            if seen >= SLICE {
                return Some(index);
            }
            let mut part = part.0.write();
            let before = part.len();
            part.retain(|entry| {
                let session = entry.session();
                session.is_shared() || !session.has_expired(timing, now)
            });
            self.held.fetch_sub(before - part.len(), Ordering::Relaxed);
            seen += before;
        }
        None
    }

    /// Makes room for one more session in a full table: of a random sample, expired sessions go first, and then those
    /// unused for longest. So a sign-in costs the same however many sessions there are.
    ///
    /// Sessions that somebody holds stay, a refresh under way for example: whoever has a session finds it here, and its
    /// token.
    fn make_room(&self, timing: &Timing, now: Timestamp) {
        let excess = (self.len() + 1).saturating_sub(self.most);
        if excess == 0 {
            return;
        }
        let mut sample = self.sample(timing, now);
        sample.sort_unstable_by_key(|(last_seen, _)| *last_seen);
        let dropped = sample.iter().filter_map(|(_, id)| self.remove_if(id, |session| !session.is_shared()));
        self.pushed_out.fetch_add(dropped.take(excess).count(), Ordering::Relaxed);
    }

    /// Returns when some sessions, taken at random, were last used, and [never](Timestamp::default) for expired ones.
    fn sample(&self, timing: &Timing, now: Timestamp) -> Vec<(Timestamp, SessionId)> {
        let mut sample = Vec::with_capacity(SAMPLE);
        let parts = SAMPLED_PARTS.min(self.parts.len());
        let first = rand::random_range(0..self.parts.len());
        for part in self.parts.iter().cycle().skip(first).take(parts) {
            let part = part.0.read();
            // The order within a part is that of the hashes.
            let passed = if part.is_empty() { 0 } else { rand::random_range(0..part.len()) };
            let some = part.iter().cycle().skip(passed).take(part.len().min(SAMPLE / parts));
            sample.extend(some.map(ById::session).map(|session| {
                let last_seen = Some(session.last_seen()).filter(|_| !session.has_expired(timing, now));
                (last_seen.unwrap_or_default(), session.id().clone())
            }));
        }
        sample
    }

    /// Logs how many sessions were pushed out since it did so last.
    pub(crate) fn log_pushed_out(&self) {
        let pushed_out = self.pushed_out.swap(0, Ordering::Relaxed);
        if pushed_out > 0 {
            tracing::warn!(pushed_out, max_sessions = self.most, "the table of sessions is full");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}
