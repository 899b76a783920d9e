//! The setting, and the figures that follow from it on paper.

use std::ops::Range;

use crate::store::Kind;

pub(crate) const USERS: usize = 1_000_000;
pub(crate) const NODES: usize = 3;
/// Each user sends a request this often on average, in seconds.
pub(crate) const REQUEST_EVERY: f64 = 60.0;
/// The lifetime of an access token, in seconds.
pub(crate) const LIFETIME: u64 = 3600;
/// Refreshes start so long before the expiry, in seconds. Each session has its own moment in this range.
pub(crate) const AHEAD: Range<u64> = 180..300;
/// The layer's limit of refreshes at a time, per node.
pub(crate) const AT_ONCE: usize = 64;
/// The provider's time for an answer, in seconds.
pub(crate) const ANSWERS_AFTER: f64 = 0.1;

/// A node notes a use of a session in the store this often at most, in seconds.
const NOTED_EVERY: f64 = 60.0;
/// The changes in the store that a node remembers.
const REMEMBERED: f64 = 524_288.0;
/// A request waits for a refresh this long at most, in seconds.
const PATIENCE: f64 = 10.0;
/// The longest pause between two probes in an outage, in seconds. Random times shorten it by a third at most.
const LONGEST_PAUSE: f64 = 90.0;

const ALL: f64 = USERS as f64;
const HOUR: f64 = 3600.0;

/// All users' requests a second.
pub(crate) fn requests() -> f64 {
    ALL / REQUEST_EVERY
}

/// The seconds from a refresh to the next one of a session, on average. The first request within the range ahead brings it.
pub(crate) fn between_refreshes() -> f64 {
    (LIFETIME - (AHEAD.start + AHEAD.end) / 2) as f64 + REQUEST_EVERY
}

pub(crate) fn refreshes() -> f64 {
    ALL / between_refreshes()
}

/// The refreshes a second that all nodes can do.
pub(crate) fn most_refreshes() -> f64 {
    (AT_ONCE * NODES) as f64 / ANSWERS_AFTER
}

/// The writes of records: each refresh takes a lease, and writes the tokens.
pub(crate) fn writes(kind: Kind) -> f64 {
    if kind == Kind::None { 0.0 } else { 2.0 * refreshes() }
}

/// The seconds between two requests of a user that meet the same node.
fn between_visits() -> f64 {
    REQUEST_EVERY * NODES as f64
}

pub(crate) fn reads(kind: Kind) -> f64 {
    match kind {
        Kind::None => 0.0,
        // Any write by another node within a quarter of a second ends the trust in all copies.
        Kind::Counter => requests(),
        Kind::Notified => {
            let remembered_for = REMEMBERED / writes(kind);
            let forgotten = (-remembered_for / between_visits()).exp();
            // Each node reads a refreshed session once, also the one that refreshed it.
            requests() * forgotten + refreshes() * NODES as f64 * (1.0 - forgotten)
        }
    }
}

/// The uses that nodes note. A node that reads learns of the uses that others noted.
pub(crate) fn renewals(kind: Kind) -> f64 {
    match kind {
        Kind::None => 0.0,
        Kind::Notified => ALL * NODES as f64 / (NOTED_EVERY + between_visits()),
        Kind::Counter => ALL / (NOTED_EVERY + REQUEST_EVERY),
    }
}

pub(crate) fn in_memory(kind: Kind) -> f64 {
    if kind == Kind::None { ALL / NODES as f64 } else { ALL }
}

/// The reads a second in a span after a node's start. Nobody's session is in its memory at first.
pub(crate) fn reads_after_start(kind: Kind, seconds: Range<usize>) -> f64 {
    let middle = (seconds.start + seconds.end) as f64 / 2.0;
    match kind {
        Kind::None => 0.0,
        Kind::Counter => requests(),
        Kind::Notified => {
            let nodes = NODES as f64;
            requests() / nodes * (-middle / between_visits()).exp() + reads(kind) * (nodes - 1.0) / nodes
        }
    }
}

pub(crate) fn sign_ins(kind: Kind) -> f64 {
    if kind == Kind::None { ALL } else { 0.0 }
}

/// The part of the requests in an outage of an hour whose token has expired. The first tokens last as long as a refresh is ahead.
pub(crate) fn refused() -> f64 {
    let first = AHEAD.start as f64;
    (HOUR - first).powi(2) / 2.0 / (HOUR - first) / HOUR
}

/// The requests to the provider in an outage of an hour. Each try is sent twice: those of three users, and the probes.
pub(crate) fn probes() -> f64 {
    // The pauses double from a second on, six times.
    let (short, mean) = (63.0, 5.0 / 6.0);
    let probes = 6.0 + (HOUR - short * LONGEST_PAUSE / 60.0 * mean) / (LONGEST_PAUSE * mean);
    NODES as f64 * 2.0 * (3.0 + probes)
}

/// The shortest and the longest time until all users have a valid token again, in seconds.
pub(crate) fn recovery() -> Range<f64> {
    let shortest = ALL / most_refreshes();
    shortest..shortest + LONGEST_PAUSE
}

pub(crate) fn longest_until_probe() -> f64 {
    LONGEST_PAUSE
}

/// The requests that wait at a time after an outage: all, until their patience ends.
pub(crate) fn waiting() -> f64 {
    requests() * PATIENCE
}

/// The refreshes that wait without a store, when most do: when as many users ask in a second as get a token.
pub(crate) fn queued() -> f64 {
    let at = REQUEST_EVERY * (requests() / most_refreshes()).ln();
    ALL * (1.0 - (-at / REQUEST_EVERY).exp()) - most_refreshes() * at
}
