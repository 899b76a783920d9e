//! The process's sessions, found by id: bounded, and swept of what has expired.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use dashmap::{DashMap, Entry};
use foldhash::quality::RandomState;

use super::{OscToken, Session, SessionId, State};
use crate::clock::Timestamp;
use crate::config::Timing;

/// Keyed at random in each process. Only ids this process made or found in the store are ever inserted, so nobody can aim
/// at a bucket.
///
/// A set of sessions with their current tokens, since that is what nearly every request comes for: so one look brings it.
/// A token changes under the session's own lock, hence nobody may take a session's lock inside of the table's.
pub(crate) struct Table {
    sessions: DashMap<ById, (), RandomState>,
    most: usize,
}

struct ById(Session);

impl Borrow<SessionId> for ById {
    fn borrow(&self) -> &SessionId {
        self.0.id()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl Table {
    pub(crate) fn new(most: usize) -> Self {
        Self { sessions: DashMap::with_hasher(RandomState::default()), most }
    }

    /// Calls `look` on a session with its current token, under the table's lock.
    pub(crate) fn look<T>(&self, id: &SessionId, look: impl FnOnce(&Session) -> T) -> Option<T> {
        self.sessions.get(id).map(|entry| look(&entry.key().0))
    }

    pub(crate) fn find(&self, id: &SessionId) -> Option<Session> {
        self.look(id, Session::clone)
    }

    /// Returns the session that has its place: one that was there already stays.
    pub(crate) fn insert(&self, session: Session, timing: &Timing, now: Timestamp) -> Session {
        if self.sessions.len() >= self.most {
            self.sweep(timing, now);
            self.make_room();
        }
        match self.sessions.entry(ById(session.clone())) {
            Entry::Occupied(entry) => entry.key().0.clone(),
            Entry::Vacant(entry) => {
                entry.insert(());
                session
            }
        }
    }

    /// The token that requests get; `None` once the session ended or its refresh was refused.
    pub(crate) fn current(&self, session: &Session) -> Option<OscToken> {
        // Another one may have taken its place, read from the store.
        self.look(session.id(), |found| found.is_same(session).then(|| found.token()))??
    }

    /// The one way to another token, or to none. `_state` shows that the session is locked.
    pub(super) fn show(&self, _state: &mut State, session: &Session, token: Option<OscToken>) {
        let shown = token.map_or_else(|| session.without_token(), |token| token.held_by().clone());
        if let Entry::Occupied(entry) = self.sessions.entry(ById(shown))
            && entry.key().0.is_same(session)
        {
            entry.replace_entry(());
        }
    }

    pub(crate) fn remove(&self, id: &SessionId) -> Option<Session> {
        self.sessions.remove(id).map(|(entry, ())| entry.0)
    }

    /// Drops what has expired.
    pub(crate) fn sweep(&self, timing: &Timing, now: Timestamp) {
        self.drop_if(|session| session.has_expired(timing, now));
    }

    /// Drops the sessions unused for longest, a hundredth of them at a time so that the search costs each sign-in
    /// little. The newest are kept: somebody who signs in again and again pushes out only what nobody uses.
    fn make_room(&self) {
        let excess = (self.sessions.len() + 1).saturating_sub(self.most);
        if excess == 0 {
            return;
        }
        let mut seen: Vec<_> = self.sessions.iter().map(|entry| entry.key().0.last_seen()).collect();
        let dropped = excess.max(self.most / 100).min(seen.len());
        let Some(last) = dropped.checked_sub(1) else {
            return;
        };
        let (_, bound, _) = seen.select_nth_unstable(last);
        let bound = *bound;
        let mut left = dropped;
        // Those in use are passed over, so it may be fewer.
        self.drop_if(|session| {
            let drops = left > 0 && session.last_seen() <= bound;
            left -= usize::from(drops);
            drops
        });
        let dropped = dropped - left;
        tracing::warn!(dropped, max_sessions = self.most, "the table of sessions is full");
    }

    /// Leaves what somebody holds, a refresh under way for example: so whoever has a session finds it here, and its token.
    fn drop_if(&self, mut drops: impl FnMut(&Session) -> bool) {
        self.sessions.retain(|entry, ()| entry.0.is_shared() || !drops(&entry.0));
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Tokens;
    use std::sync::Weak;
    use std::time::Duration;

    const TIMING: Timing = Timing {
        refresh_leeway: Duration::from_secs(1),
        refresh_ahead: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(100),
        absolute_timeout: Duration::from_secs(1000),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn signed_in(now: Timestamp) -> OscToken {
        let tokens = Tokens {
            bearer: http::HeaderValue::from_static("Bearer t"),
            refresh_token: None,
            lifetime: Duration::from_secs(60),
        };
        Session::begin(tokens, None, &TIMING, now, Weak::new(), false)
    }

    fn insert(table: &Table, token: OscToken, now: Timestamp) -> SessionId {
        let id = token.held_by().id().clone();
        // Not `token` itself: nobody holds it but the table.
        table.insert(token.held_by().clone(), &TIMING, now);
        id
    }

    fn touch(table: &Table, id: &SessionId, now: Timestamp) {
        table.look(id, |session| session.touch(&TIMING, now)).unwrap();
    }

    fn has(table: &Table, id: &SessionId) -> bool {
        table.look(id, |_| ()).is_some()
    }

    #[test]
    fn a_full_table_drops_what_was_unused_for_longest() {
        let table = Table::new(3);
        let sessions: Vec<_> = (0..3).map(|age| insert(&table, signed_in(at(age)), at(3))).collect();
        touch(&table, &sessions[0], at(50));
        let newest = insert(&table, signed_in(at(51)), at(51));
        assert_eq!(table.len(), 3);
        assert!(!has(&table, &sessions[1]));
        for kept in [&sessions[0], &sessions[2], &newest] {
            assert!(has(&table, kept));
        }
    }

    #[test]
    fn what_somebody_holds_stays_until_it_is_let_go() {
        let table = Table::new(2);
        let (by_its_token, by_itself) = (signed_in(at(0)), signed_in(at(1)));
        let session = by_itself.held_by().clone();
        let ids = [insert(&table, by_its_token.clone(), at(1)), insert(&table, by_itself, at(1))];
        for now in 2..5 {
            insert(&table, signed_in(at(now)), at(now));
        }
        assert!(ids.iter().all(|id| has(&table, id)));
        assert!(table.current(&session).is_some());
        drop((by_its_token, session));
        insert(&table, signed_in(at(5)), at(5));
        assert_eq!(table.len(), 2);
        assert!(!ids.iter().any(|id| has(&table, id)));
    }

    #[test]
    fn sessions_of_one_moment_are_not_all_dropped_at_once() {
        let table = Table::new(10);
        for _ in 0..25 {
            insert(&table, signed_in(at(7)), at(7));
        }
        assert_eq!(table.len(), 10);
    }

    #[test]
    fn s26_s27_the_sweep_drops_what_was_idle_or_is_too_old() {
        let table = Table::new(10);
        let [idle, old, active] = [0, 0, 990].map(|begun| insert(&table, signed_in(at(begun)), at(0)));
        table.sweep(&TIMING, at(99));
        assert_eq!(table.len(), 3);
        for step in 1..=20 {
            touch(&table, &old, at(50 * step));
        }
        table.sweep(&TIMING, at(999));
        assert!(!has(&table, &idle) && has(&table, &old) && has(&table, &active));
        table.sweep(&TIMING, at(1000));
        assert!(!has(&table, &old) && has(&table, &active));
    }

    #[test]
    fn a_clock_that_went_back_expires_nothing() {
        let token = signed_in(at(5000));
        let session = token.held_by();
        assert!(!session.has_expired(&TIMING, at(0)));
        session.touch(&TIMING, at(10));
        assert!(!session.has_expired(&TIMING, at(109)) && session.has_expired(&TIMING, at(110)));
    }

    #[test]
    fn public_ids_are_stable_and_lead_nowhere() {
        let token = signed_in(at(0));
        let session = token.held_by();
        assert_eq!(session.id().public(), session.id().public());
        assert_eq!(session.id().public().len(), 22);
        assert!(!session.id().cookie_value().contains(&session.id().public()));
        assert_eq!(format!("{:?}", session.id()), "[redacted]");
    }
}
