//! The table of the process's sessions by id. It is bounded, and expired sessions are swept out.

#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::RwLock;
use tokio::task::yield_now;

use super::{OscToken, Session, SessionId, Timing};
use crate::bells::Bells;
use crate::clock::Timestamp;
use crate::meter;

/// How many sessions a part of a full table holds, while that takes no more than [`USUAL_PARTS`].
const PER_PART: usize = 256;

/// Enough for the threads of a small table not to wait for each other.
const FEWEST_PARTS: usize = 16;

/// More parts would not stay in the cache, and finding the part would cost a request as much as finding the session. So only very
/// large tables have more.
const USUAL_PARTS: usize = 64;

/// The most sessions that a part is planned for. When a part grows, its sessions move while requests wait, for about a millisecond.
const MOST_PER_PART: usize = 8_192;

/// How many sessions are compared to find the one unused for longest. If a twentieth of all is unused, the sample misses it
/// once in half a million times.
const SAMPLE: usize = 256;

/// How many parts the sample is taken from. A part taken alone would be emptied of its unused sessions before others are.
const SAMPLED_PARTS: usize = 32;

/// How many places for a session a sweep looks at before requests have their turn.
const SLICE: usize = 2_048;

/// How many sessions a sweep drops before requests have their turn. To free a session, and to tell the app of it, takes far longer
/// than to look at it.
const DROPPED_AT_ONCE: usize = 256;

/// The sessions with their current tokens. Nearly every request needs just that, and one look brings it.
///
/// The table has parts, each under its own lock, and hashes are keyed at random in each process. Only ids that this process made
/// or found in the store are inserted, so nobody can aim at a part.
///
/// A token changes under the session's lock, so nobody may take a session's lock inside the table's.
pub(crate) struct Table {
    parts: Box<[Part]>,
    hasher: RandomState,
    most: usize,
    held: AtomicUsize,
    /// Rung when a session ends or is pushed out, for those who wait.
    gone: Arc<Bells>,
    /// How many sessions were pushed out since the log was last told.
    pushed_out: AtomicUsize,
}

/// As large as a line of the cache, so that a request touches one.
#[repr(align(64))]
#[derive(Default)]
struct Part(RwLock<HashTable<Session>>);

/// Where a sweep goes on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    part: usize,
    bucket: usize,
}

impl Table {
    pub(crate) fn new(most: usize) -> Self {
        let parts = (most / PER_PART).next_power_of_two().clamp(FEWEST_PARTS, USUAL_PARTS);
        let parts = parts.max((most / MOST_PER_PART).next_power_of_two());
        Self {
            parts: (0..parts).map(|_| Part::default()).collect(),
            hasher: RandomState::default(),
            most,
            held: AtomicUsize::new(0),
            gone: Arc::default(),
            pushed_out: AtomicUsize::new(0),
        }
    }

    fn hash(&self, id: &SessionId) -> u64 {
        self.hasher.hash_one(id)
    }

    fn part(&self, hash: u64) -> &RwLock<HashTable<Session>> {
        // There are 2ⁿ parts. The middle bits choose one, because the lowest and the highest decide within it.
        &self.parts[(hash >> 32) as usize & (self.parts.len() - 1)].0
    }

    /// Calls `look` on a session with its current token, under the table's lock.
    pub(crate) fn look<T>(&self, id: &SessionId, look: impl FnOnce(&Session) -> T) -> Option<T> {
        let hash = self.hash(id);
        self.part(hash).read().find(hash, |session| visited(session).id() == id).map(look)
    }

    pub(crate) fn find(&self, id: &SessionId) -> Option<Session> {
        self.look(id, Session::clone)
    }

    /// Inserts a session, unless there is one with this id already. Returns the one that is in the table.
    /// Adds the sessions that had to make room to `dropped`.
    pub(crate) fn insert(
        &self,
        session: Session,
        timing: &Timing,
        now: Timestamp,
        dropped: &mut Vec<Session>,
    ) -> Session {
        self.make_room(timing, now, dropped);
        let hash = self.hash(session.id());
        let mut part = self.part(hash).write();
        let is_same = |other: &Session| visited(other).id() == session.id();
        let (held, is_new) = match part.entry(hash, is_same, |other| self.hash(visited(other).id())) {
            Entry::Occupied(entry) => (entry.get().clone(), false),
            Entry::Vacant(entry) => {
                self.held.fetch_add(1, Ordering::Relaxed);
                (entry.insert(session).get().clone(), true)
            }
        };
        drop(part);
        if is_new {
            meter::sessions_changed(1);
        }
        held
    }

    /// Returns the token that requests get. `None` after the session ended or its refresh was refused.
    pub(crate) fn current(&self, session: &Session) -> Option<OscToken> {
        // Another one may have taken its place, read from the store.
        self.look(session.id(), |found| found.is_same(session).then(|| found.token()))??
    }

    /// Shows requests another token of the session, or none. The caller holds the session's lock, so that no older token follows.
    pub(super) fn show(&self, session: &Session, token: Option<OscToken>) {
        let is_end = token.is_none();
        let shown = token.map_or_else(|| session.without_token(), |token| token.held_by().clone());
        let hash = self.hash(session.id());
        let mut part = self.part(hash).write();
        let found = part.find_mut(hash, |other| visited(other).is_same(session));
        let replaced = found.map(|found| std::mem::replace(found, shown));
        drop(part);
        drop(replaced);
        if is_end {
            self.gone.ring(session.id().prefix());
        }
    }

    /// Returns the bells that ring when sessions end, each under the [prefix](SessionId::prefix) of the session's id.
    pub(super) fn gone(&self) -> &Arc<Bells> {
        &self.gone
    }

    pub(crate) fn remove(&self, id: &SessionId) -> Option<Session> {
        self.remove_if(id, |_| true)
    }

    fn remove_if(&self, id: &SessionId, is_meant: impl Fn(&Session) -> bool) -> Option<Session> {
        let hash = self.hash(id);
        let mut part = self.part(hash).write();
        let found = part.find_entry(hash, |session| visited(session).id() == id && is_meant(session));
        let (removed, _) = found.ok()?.remove();
        self.held.fetch_sub(1, Ordering::Relaxed);
        drop(part);
        meter::sessions_changed(-1);
        Some(removed)
    }

    /// Returns the sessions with the tag of a user. Between the parts of the table, requests have their turn.
    ///
    /// A part is read in one go: a part that grows moves its sessions, and a search that goes on afterwards may miss some.
    pub(super) async fn of_user(&self, tag: u64) -> Vec<Session> {
        let mut found = Vec::new();
        for part in &self.parts {
            found.extend(part.0.read().iter().map(visited).filter(|session| session.is_tagged(tag)).cloned());
            yield_now().await;
        }
        found
    }

    /// Moves expired sessions in one slice of the table to `dropped`, which is empty. Returns where the next slice begins.
    ///
    /// Sessions that somebody holds stay, as in [`make_room`](Self::make_room).
    pub(crate) fn sweep(
        &self,
        at: Place,
        timing: &Timing,
        now: Timestamp,
        dropped: &mut Vec<Session>,
    ) -> Option<Place> {
        let next = self.sweep_slice(at, timing, now, dropped);
        meter::sessions_changed(-dropped.len().cast_signed());
        next
    }

    fn sweep_slice(
        &self,
        mut at: Place,
        timing: &Timing,
        now: Timestamp,
        dropped: &mut Vec<Session>,
    ) -> Option<Place> {
        let has_expired = |session: &Session| !session.is_shared() && session.has_expired(timing, now);
        let mut left = SLICE;
        while let Some(part) = self.parts.get(at.part) {
            let mut part = part.0.write();
            while at.bucket < part.num_buckets() {
                if left == 0 || dropped.len() == DROPPED_AT_ONCE {
                    return Some(at);
                }
                if let Ok(entry) = part.get_bucket_entry(at.bucket)
                    && has_expired(visited(entry.get()))
                {
                    dropped.push(entry.remove().0);
                    self.held.fetch_sub(1, Ordering::Relaxed);
                }
                at.bucket += 1;
                left -= 1;
            }
            at = Place { part: at.part + 1, bucket: 0 };
        }
        None
    }

    /// Makes room for one more session in a full table: of a random sample, expired sessions go first, and then those
    /// unused for longest. So a sign-in costs the same however many sessions there are.
    ///
    /// Sessions that somebody holds stay, a refresh under way for example: whoever has a session finds it here, and its
    /// token.
    fn make_room(&self, timing: &Timing, now: Timestamp, dropped: &mut Vec<Session>) {
        let excess = (self.len() + 1).saturating_sub(self.most);
        if excess == 0 {
            return;
        }
        let mut sample = self.sample(timing, now);
        sample.sort_unstable_by_key(|(last_seen, _)| *last_seen);
        let unused = sample.iter().filter_map(|(_, id)| self.remove_if(id, |session| !session.is_shared()));
        for session in unused.take(excess) {
            self.pushed_out.fetch_add(1, Ordering::Relaxed);
            // A session in a store lives on there.
            if session.stored().is_none() {
                self.gone.ring(session.id().prefix());
            }
            dropped.push(session);
        }
    }

    /// Returns when some sessions, taken at random, were last used, and [never](Timestamp::default) for expired ones.
    fn sample(&self, timing: &Timing, now: Timestamp) -> Vec<(Timestamp, SessionId)> {
        let mut sample = Vec::with_capacity(SAMPLE);
        let parts = SAMPLED_PARTS.min(self.parts.len());
        let first = rand::random_range(0..self.parts.len());
        for part in self.parts.iter().cycle().skip(first).take(parts) {
            let part = part.0.read();
            // Hashes decide where in a part a session is.
            let buckets = 0..part.num_buckets();
            let passed = rand::random_range(buckets.clone());
            let sessions = buckets.clone().cycle().skip(passed).take(buckets.len());
            let sessions = sessions.filter_map(|bucket| part.get_bucket(bucket)).map(visited);
            sample.extend(sessions.take(SAMPLE / parts).map(|session| {
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
            tracing::warn!(
                pushed_out,
                max_sessions = self.most,
                "The session table is full, and the layer evicted sessions. Raise max_sessions."
            );
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        meter::sessions_changed(-self.len().cast_signed());
        self.gone.ring_all();
    }
}

/// Every look at a session in the table goes through here, for tests to count.
fn visited(session: &Session) -> &Session {
    #[cfg(test)]
    tests::VISITS.set(tests::VISITS.get() + 1);
    session
}
