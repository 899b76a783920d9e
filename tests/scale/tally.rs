//! Counts what happens in each second of the simulation.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::VirtualClock;

/// The events that are counted.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// A user's request.
    Request,
    /// It was answered 503.
    Unavailable,
    /// It was answered 401, so its user has to sign in.
    Unknown,
    /// The store was asked for a record.
    Read,
    /// The store was asked to write a record.
    Swap,
    /// The store was asked to note a use.
    Renewal,
    /// A request for a refresh arrived at the provider.
    Tried,
    /// The provider gave new tokens.
    Refreshed,
}

const EVENTS: usize = Event::Refreshed as usize + 1;

/// States, of which a second has the highest.
#[derive(Clone, Copy, Default)]
pub(crate) struct Levels {
    /// Users whose access token has expired.
    pub(crate) expired: usize,
    /// Requests that wait for an answer.
    pub(crate) waiting: usize,
    /// Tasks of all layers.
    pub(crate) tasks: usize,
}

#[derive(Clone, Copy, Default)]
struct Second {
    events: [u32; EVENTS],
    /// Not taken in each second.
    levels: Option<Levels>,
    /// In milliseconds, of a request that was answered in this second.
    longest_wait: u64,
}

#[derive(Default)]
struct Inner {
    seconds: Vec<Second>,
    /// Events that fail the run.
    failures: Vec<String>,
}

/// The counts. Clones share them.
#[derive(Clone)]
pub(crate) struct Tally(VirtualClock, Arc<Mutex<Inner>>);

impl Tally {
    pub(crate) fn new(clock: VirtualClock) -> Self {
        Self(clock, Arc::default())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_this_second(&self, note: impl FnOnce(&mut Second)) {
        let second = second_of(self.0.millis());
        let seconds = &mut self.inner().seconds;
        if seconds.len() <= second {
            seconds.resize(second + 1, Second::default());
        }
        note(&mut seconds[second]);
    }

    pub(crate) fn add(&self, event: Event) {
        self.in_this_second(|second| second.events[event as usize] += 1);
    }

    pub(crate) fn waited(&self, millis: u64) {
        self.in_this_second(|second| second.longest_wait = second.longest_wait.max(millis));
    }

    pub(crate) fn level(&self, levels: Levels) {
        self.in_this_second(|second| second.levels = Some(levels));
    }

    /// Notes something that must not happen. A few of them are enough.
    pub(crate) fn fail(&self, failure: impl FnOnce() -> String) {
        let failures = &mut self.inner().failures;
        if failures.len() < 10 {
            failures.push(failure());
        }
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.inner().failures.clone()
    }

    /// Returns what happened between two times in milliseconds.
    pub(crate) fn between(&self, times: Range<u64>) -> Span {
        let seconds = &self.inner().seconds;
        let end = second_of(times.end).min(seconds.len());
        Span(seconds[second_of(times.start).min(end)..end].to_vec())
    }
}

fn second_of(millis: u64) -> usize {
    usize::try_from(millis / 1000).unwrap_or(usize::MAX)
}

/// Some seconds, one after the other.
pub(crate) struct Span(Vec<Second>);

impl Span {
    pub(crate) fn count(&self, event: Event) -> f64 {
        self.0.iter().map(|second| f64::from(second.events[event as usize])).sum()
    }

    /// Returns the mean of a second.
    pub(crate) fn mean(&self, event: Event) -> f64 {
        self.count(event) / self.0.len().max(1) as f64
    }

    /// Returns the mean of a second in the busiest minute. Single seconds have too few events of a scaled-down crowd.
    pub(crate) fn busiest(&self, event: Event) -> f64 {
        let mean = |minute: &[Second]| Self(minute.to_vec()).mean(event);
        self.0.chunks_exact(60).map(mean).fold(0.0, f64::max)
    }

    /// Returns a part of it, in seconds from its start.
    pub(crate) fn part(&self, seconds: Range<usize>) -> Self {
        let end = seconds.end.min(self.0.len());
        Self(self.0[seconds.start.min(end)..end].to_vec())
    }

    pub(crate) fn highest(&self, level: impl Fn(Levels) -> usize) -> f64 {
        self.0.iter().filter_map(|second| second.levels.map(&level)).max().unwrap_or_default() as f64
    }

    pub(crate) fn longest_wait(&self) -> f64 {
        self.0.iter().map(|second| second.longest_wait).max().unwrap_or_default() as f64 / 1000.0
    }

    /// Returns the seconds until fewer users than this have no valid token. `None` if that is never so.
    pub(crate) fn seconds_until_fewer_expired(&self, than: usize) -> Option<usize> {
        self.0.iter().position(|second| second.levels.is_some_and(|levels| levels.expired < than))
    }
}
