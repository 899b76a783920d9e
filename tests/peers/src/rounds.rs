//! Rounds in which every contender takes a turn, so that other load on the machine affects all alike. They measure
//! the thread's processor time: the turns of slow contenders outlast a time slice, and would include other processes.

use std::time::Duration;

use cpu_time::ThreadTime;

/// The times of each contender, round by round, in nanoseconds per request.
pub(crate) struct Times(Vec<Vec<f64>>);

pub(crate) fn take_turns(rounds: usize, requests: usize, contenders: &mut [&mut dyn FnMut(usize)]) -> Times {
    let mut times = Times::new(contenders.len());
    for round in 0..rounds {
        for contender in order(round, contenders.len()) {
            let began_at = ThreadTime::now();
            contenders[contender](requests);
            times.note(contender, began_at.elapsed(), requests);
        }
    }
    times
}

/// Returns who takes a turn in a round. The order changes, so that no contender always follows the same one.
pub(crate) fn order(round: usize, contenders: usize) -> impl Iterator<Item = usize> {
    (0..contenders).map(move |turn| if round.is_multiple_of(2) { turn } else { contenders - 1 - turn })
}

impl Times {
    pub(crate) fn new(contenders: usize) -> Self {
        Self(vec![Vec::new(); contenders])
    }

    /// Notes the time of a contender's turn in a round.
    pub(crate) fn note(&mut self, contender: usize, time: Duration, requests: usize) {
        self.0[contender].push(time.as_nanos() as f64 / requests as f64);
    }

    /// Returns the median over the rounds, in nanoseconds per request.
    pub(crate) fn median(&self, contender: usize) -> f64 {
        median(self.0[contender].iter().copied())
    }

    /// Returns the first quartile, the median and the third quartile, in nanoseconds per request.
    pub(crate) fn quartiles(&self, contender: usize) -> [f64; 3] {
        quartiles(self.0[contender].iter().copied())
    }

    /// Returns the quartiles of each round's difference to `bare`.
    pub(crate) fn beyond(&self, contender: usize, bare: usize) -> [f64; 3] {
        quartiles(self.0[contender].iter().zip(&self.0[bare]).map(|(one, bare)| one - bare))
    }

    /// Returns the median of each round's ratio to `other`.
    pub(crate) fn ratio(&self, contender: usize, other: usize) -> f64 {
        median(self.0[contender].iter().zip(&self.0[other]).map(|(one, other)| one / other))
    }

    /// Returns the ratio of the times beyond that of `bare`.
    pub(crate) fn net_ratio(&self, contender: usize, other: usize, bare: usize) -> f64 {
        (self.median(contender) - self.median(bare)) / (self.median(other) - self.median(bare))
    }
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    quartiles(times)[1]
}

fn quartiles(times: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut times: Vec<_> = times.collect();
    times.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| times[times.len() * quarter / 4])
}

/// Marks a missed aim.
pub(crate) fn mark(aim: String, met: bool) -> String {
    if met { aim } else { format!("{aim} **missed**") }
}
