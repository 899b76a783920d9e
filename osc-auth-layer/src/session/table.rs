//! The process's sessions, found by id: bounded, and swept of what has expired.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dashmap::DashSet;
use foldhash::quality::RandomState;

use super::{Session, SessionId};
use crate::clock::Timestamp;
use crate::config::Timing;

/// Keyed at random in each process. Only ids this process made or found in the store are ever inserted, so nobody can aim
/// at a bucket.
pub(crate) struct Table {
    sessions: DashSet<Arc<Session>, RandomState>,
    most: usize,
}

impl Table {
    pub(crate) fn new(most: usize) -> Self {
        Self { sessions: DashSet::with_hasher(RandomState::default()), most }
    }

    /// Calls `look` on the session, under a lock it must not hold for long nor take again.
    pub(crate) fn look<T>(&self, id: &SessionId, look: impl FnOnce(&Arc<Session>) -> T) -> Option<T> {
        self.sessions.get(id).map(|session| look(&session))
    }

    /// Returns the session that has its place: one that was there already stays.
    pub(crate) fn insert(&self, session: Arc<Session>, timing: &Timing, now: Timestamp) -> Arc<Session> {
        if self.sessions.len() >= self.most {
            self.sweep(timing, now);
            self.make_room();
        }
        if !self.sessions.insert(session.clone()) {
            return self.look(session.id(), Arc::clone).unwrap_or(session);
        }
        session
    }

    pub(crate) fn remove(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.sessions.remove(id)
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
        let mut seen: Vec<_> = self.sessions.iter().map(|session| session.last_seen()).collect();
        let dropped = excess.max(self.most / 100).min(seen.len());
        let Some(last) = dropped.checked_sub(1) else {
            return;
        };
        let (_, bound, _) = seen.select_nth_unstable(last);
        let bound = *bound;
        let mut left = dropped;
        self.drop_if(|session| {
            let drops = left > 0 && session.last_seen() <= bound;
            left -= usize::from(drops);
            drops
        });
        tracing::warn!(dropped, max_sessions = self.most, "the table of sessions is full");
    }

    fn drop_if(&self, mut drops: impl FnMut(&Session) -> bool) {
        self.sessions.retain(|session| {
            let drops = drops(session);
            if drops {
                // One with a record lives on in the store, and is read again when it is asked for.
                if session.stored().is_none() {
                    session.drop_out();
                }
            }
            !drops
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }
}

impl Borrow<SessionId> for Arc<Session> {
    fn borrow(&self) -> &SessionId {
        &self.id
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Session {}

impl Hash for Session {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Credentials, Tokens};
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

    fn session(now: Timestamp) -> Arc<Session> {
        let tokens = Tokens {
            bearer: http::HeaderValue::from_static("Bearer t"),
            refresh_token: None,
            lifetime: Duration::from_secs(60),
        };
        let credentials = Credentials { id: "id".to_owned(), secret: None, auth_method: None };
        Session::begin(tokens, Arc::new(credentials), &TIMING, now, Weak::new(), false)
    }

    fn has(table: &Table, session: &Session) -> bool {
        table.look(session.id(), |_| ()).is_some()
    }

    #[test]
    fn a_full_table_drops_what_was_unused_for_longest() {
        let table = Table::new(3);
        let sessions: Vec<_> = (0..3).map(|age| session(at(age))).collect();
        for session in &sessions {
            table.insert(session.clone(), &TIMING, at(3));
        }
        sessions[0].touch(&TIMING, at(50));
        let newest = session(at(51));
        table.insert(newest.clone(), &TIMING, at(51));
        assert_eq!(table.len(), 3);
        assert!(!has(&table, &sessions[1]));
        for kept in [&sessions[0], &sessions[2], &newest] {
            assert!(has(&table, kept));
        }
        assert!(sessions[1].current().is_none());
    }

    #[test]
    fn sessions_of_one_moment_are_not_all_dropped_at_once() {
        let table = Table::new(10);
        for _ in 0..25 {
            table.insert(session(at(7)), &TIMING, at(7));
        }
        assert_eq!(table.len(), 10);
    }

    #[test]
    fn s26_s27_the_sweep_drops_what_was_idle_or_is_too_old() {
        let table = Table::new(10);
        let (idle, old, active) = (session(at(0)), session(at(0)), session(at(990)));
        for session in [&idle, &old, &active] {
            table.insert(session.clone(), &TIMING, at(0));
        }
        table.sweep(&TIMING, at(99));
        assert_eq!(table.len(), 3);
        for step in 1..=20 {
            old.touch(&TIMING, at(50 * step));
        }
        table.sweep(&TIMING, at(999));
        assert!(!has(&table, &idle) && has(&table, &old) && has(&table, &active));
        table.sweep(&TIMING, at(1000));
        assert!(!has(&table, &old) && has(&table, &active));
    }

    #[test]
    fn a_clock_that_went_back_expires_nothing() {
        let session = session(at(5000));
        assert!(!session.has_expired(&TIMING, at(0)));
        session.touch(&TIMING, at(10));
        assert!(!session.has_expired(&TIMING, at(109)) && session.has_expired(&TIMING, at(110)));
    }

    #[test]
    fn public_ids_are_stable_and_lead_nowhere() {
        let session = session(at(0));
        assert_eq!(session.id().public(), session.id().public());
        assert_eq!(session.id().public().len(), 22);
        assert!(!session.id().cookie_value().contains(&session.id().public()));
        assert_eq!(format!("{:?}", session.id()), "[redacted]");
    }
}
