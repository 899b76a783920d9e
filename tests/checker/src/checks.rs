use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::guard::Guard;
use crate::model::{Action, Config};
use crate::properties::EVERY_REFRESH;
use crate::state::{Faults, NEVER, State};

const NONE: Faults = Faults {
    crashes: 0,
    lost_replies: 0,
    lost_answers: 0,
    set_backs: 0,
    sign_outs: 0,
    foreign_endings: 0,
    touches: 0,
    slow_reads: 0,
};

/// Two nodes, one refresh, no fault.
const BASE: Config =
    Config { nodes: 2, refreshes: 1, ticks: 4, faults: NONE, expires_at: NEVER, outage: None, without: None };

const OUTAGE: Config = Config { ticks: 7, outage: Some((1, 5)), ..BASE };
const SLOW_READ: Config = Config { faults: Faults { slow_reads: 1, ..NONE }, ..BASE };
const LOST_REPLY: Config = Config { faults: Faults { lost_replies: 1, ..NONE }, ..BASE };
const CRASH: Config = Config { faults: Faults { crashes: 1, ..NONE }, ..BASE };
const SIGN_OUT: Config = Config { ticks: 3, faults: Faults { sign_outs: 1, ..NONE }, ..BASE };
const SET_BACK: Config = Config { refreshes: 2, ticks: 1, faults: Faults { set_backs: 1, ..NONE }, ..BASE };

/// Visits every state, and fails with the shortest way to a state that breaks a property.
fn check(name: &str, config: Config) {
    let begun = Instant::now();
    let checker = config.checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, {:.1} s", checker.unique_state_count(), begun.elapsed().as_secs_f64());
    let mut found = checker.discoveries();
    assert!(found.remove(EVERY_REFRESH).is_some(), "{name}: no way leads to the end");
    if let Some((property, path)) = found.into_iter().next() {
        panic!("{name}: broken: {property}\n{}", way(path));
    }
}

/// Fails unless the property breaks without the guard.
fn breaks(guard: Guard, property: &'static str, config: Config) {
    let config = Config { without: Some(guard), ..config };
    let until = HasDiscoveries::AllOf([property].into());
    let checker = config.checker().threads(2).finish_when(until).spawn_bfs().join();
    let found = checker.discoveries();
    let path =
        found.get(property).unwrap_or_else(|| panic!("without {guard:?}, this still holds: {property}"));
    println!("without {guard:?}: {property}: broken after {} steps", path.clone().into_actions().len());
}

/// Writes a way as one line per step.
fn way(path: Path<State, Action>) -> String {
    let steps = path.into_vec().into_iter();
    let lines =
        steps.map(|(state, action)| format!("tick {}: {action:?}, store: {:?}", state.time, state.store));
    lines.collect::<Vec<_>>().join("\n")
}

macro_rules! configurations {
    ($($name:ident: $config:expr;)*) => { $(#[test] fn $name() { check(stringify!($name), $config); })* };
}

configurations! {
    no_fault: BASE;
    two_refreshes: Config { refreshes: 2, ..BASE };
    three_nodes: Config { nodes: 3, ticks: 2, ..BASE };
    an_outage_of_the_store: OUTAGE;
    a_slow_read: SLOW_READ;
    a_lost_reply: LOST_REPLY;
    a_lost_answer: Config { faults: Faults { lost_answers: 1, ..NONE }, ..BASE };
    a_crash: CRASH;
    a_sign_out: SIGN_OUT;
    an_ending_by_somebody_without_the_id: Config { faults: Faults { foreign_endings: 1, ..NONE }, ..BASE };
    an_expiry_and_a_use: Config { faults: Faults { touches: 1, ..NONE }, expires_at: 2, ..BASE };
    a_store_that_is_set_back: SET_BACK;
    a_set_back_and_a_sign_out: Config { ticks: 1, faults: Faults { set_backs: 1, sign_outs: 1, ..NONE }, ..BASE };
}

#[test]
fn every_guard_is_needed() {
    breaks(Guard::ExpectedVersion, "no refresh token is sent twice", BASE);
    breaks(Guard::OthersLease, "no refresh token is sent twice", BASE);
    breaks(Guard::ExactTime, "no refresh token is sent twice", BASE);
    breaks(Guard::Confirmation, "no refresh token is sent twice", BASE);
    breaks(Guard::LastWrite, "no refresh token is sent twice", OUTAGE);
    breaks(
        Guard::NewerRotation,
        "no write replaces a newer record",
        Config { refreshes: 2, ticks: 1, ..LOST_REPLY },
    );
    breaks(Guard::Ended, "an ended session stays ended", SIGN_OUT);
    breaks(Guard::Fence, "no lease is left behind", LOST_REPLY);
    breaks(Guard::ReadBeforeRelease, "no lease is left behind", SLOW_READ);
    breaks(Guard::NoOlderRecord, "no node forgets anything newer", SLOW_READ);
    breaks(Guard::BringForward, "a store that was set back is brought forward", SET_BACK);
    breaks(Guard::RevokeLateTokens, "a sign-out revokes the newest tokens", SIGN_OUT);
    breaks(Guard::RevokeWhatWasFound, "a sign-out revokes the newest tokens", SIGN_OUT);
}
