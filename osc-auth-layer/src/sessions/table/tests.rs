use super::*;
use crate::oauth::Tokens;
use crate::sessions::Device;
use futures_util::FutureExt;
use std::cell::Cell;
use std::sync::Weak;
use std::thread;
use std::time::Duration;

thread_local! {
    /// How often this thread looked at a session of a table.
    pub(super) static VISITS: Cell<usize> = const { Cell::new(0) };
}

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
    Session::begin(tokens, None, &TIMING, now, Weak::new(), false, Device::default())
}

fn insert(table: &Table, token: OscToken, now: Timestamp) -> SessionId {
    let id = token.held_by().id().clone();
    // Not `token` itself: nobody holds it but the table.
    table.insert(token.held_by().clone(), &TIMING, now, &mut Vec::new());
    id
}

fn sign_in(table: &Table, sessions: usize, now: Timestamp) {
    for _ in 0..sessions {
        insert(table, signed_in(now), now);
    }
}

fn touch(table: &Table, id: &SessionId, now: Timestamp) {
    table.look(id, |session| session.touch(&TIMING, now)).unwrap();
}

fn sweep(table: &Table, now: Timestamp) {
    let mut next = Some(Place::default());
    while let Some(place) = next {
        next = table.sweep(place, &TIMING, now, &mut Vec::new());
    }
}

/// The most sessions that any of the calls looks at.
fn most_visits(mut calls: impl Iterator<Item = ()>) -> usize {
    let mut most = 0;
    loop {
        let before = VISITS.get();
        if calls.next().is_none() {
            return most;
        }
        most = most.max(VISITS.get() - before);
    }
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
    sweep(&table, at(99));
    assert_eq!(table.len(), 3);
    for step in 1..=20 {
        touch(&table, &old, at(50 * step));
    }
    sweep(&table, at(999));
    assert!(!has(&table, &idle) && has(&table, &old) && has(&table, &active));
    sweep(&table, at(1000));
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

/// The sample, and what a part that grows moves now and then.
const VISITS_OF_A_SIGN_IN: usize = 1_500;

#[test]
fn s75_a_sign_in_at_a_full_table_looks_at_as_many_sessions_however_many_there_are() {
    for size in [1_000, 100_000, 1_000_000] {
        let table = Table::new(size);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let moved = most_visits((0..size / 4).map(|_| sign_in(&table, 1, at(1))));
                    assert!(moved <= MOST_PER_PART, "{moved} of {size}");
                });
            }
        });
        assert_eq!(table.len(), size);
        let visits = most_visits((0..2_000).map(|_| {
            insert(&table, signed_in(at(2)), at(2));
            assert!(table.len() <= size);
        }));
        assert!(visits <= VISITS_OF_A_SIGN_IN, "{visits} of {size}");

        let mut next = Some(Place::default());
        let visits = most_visits(std::iter::from_fn(|| {
            let mut dropped = Vec::new();
            next = table.sweep(next?, &TIMING, at(101), &mut dropped);
            assert!(dropped.len() <= DROPPED_AT_ONCE);
            Some(())
        }));
        assert!(visits <= SLICE, "{visits} of {size}");
        assert_eq!(table.len(), size.min(2_000));
    }
}

#[test]
fn a_search_for_a_users_sessions_yields_after_each_part_and_finds_all() {
    const SIZE: usize = 100_000;
    let table = Table::new(SIZE);
    sign_in(&table, SIZE, at(1));
    let mut search = Box::pin(table.of_user(0));
    let mut found = None;
    let visits = most_visits(std::iter::from_fn(|| {
        if found.is_none() {
            found = (&mut search).now_or_never();
            Some(())
        } else {
            None
        }
    }));
    assert!(visits <= MOST_PER_PART, "{visits}");
    assert_eq!(found.unwrap().len(), SIZE);
}

/// Three quarters are used every ten seconds, in which half as many sign in as there is room for besides.
#[test]
fn s75_a_full_table_pushes_out_none_of_the_sessions_that_are_used() {
    const SIZE: usize = 20_000;
    let table = Table::new(SIZE);
    let used: Vec<_> = (0..SIZE * 3 / 4).map(|_| insert(&table, signed_in(at(0)), at(0))).collect();
    for turn in 0..8 {
        let now = at(10 * turn);
        used.iter().for_each(|id| touch(&table, id, now));
        sign_in(&table, SIZE / 8, now);
    }
    let gone = used.iter().filter(|id| !has(&table, id)).count();
    assert_eq!((gone, table.len()), (0, SIZE));
}

#[test]
fn s75_a_full_table_drops_expired_sessions_before_those_that_are_only_old() {
    let table = Table::new(3);
    // Used since, and past their end all the same.
    let expired = [0, 1].map(|begun| insert(&table, signed_in(at(begun)), at(begun)));
    expired.iter().for_each(|id| touch(&table, id, at(990)));
    let unused = insert(&table, signed_in(at(950)), at(950));
    for now in [1_001, 1_002] {
        insert(&table, signed_in(at(now)), at(now));
    }
    assert!(has(&table, &unused) && !expired.iter().any(|id| has(&table, id)));
}

#[test]
fn s75_a_table_full_of_sessions_that_are_held_costs_no_more() {
    let table = Table::new(20_000);
    let held: Vec<_> = (0..20_000).map(|_| signed_in(at(0))).collect();
    for token in &held {
        insert(&table, token.clone(), at(0));
    }
    let visits = most_visits((0..100).map(|_| sign_in(&table, 1, at(1))));
    assert!(visits <= VISITS_OF_A_SIGN_IN, "{visits}");
    assert!(held.iter().all(|token| has(&table, token.held_by().id())));
}
