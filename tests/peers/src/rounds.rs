//! Rounds in which every contender takes a turn, so that other load on the machine affects all alike. They measure
//! the thread's processor time: the turns of slow contenders outlast a time slice, and would include other processes.

use cpu_time::ThreadTime;

/// The times of each contender, round by round, in nanoseconds per request.
pub(crate) struct Times(Vec<Vec<f64>>);

pub(crate) fn take_turns(rounds: usize, requests: usize, contenders: &mut [&mut dyn FnMut(usize)]) -> Times {
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            // The order changes, so that no contender always follows the same one.
            let contender = if round % 2 == 0 { turn } else { contenders.len() - 1 - turn };
            let began_at = ThreadTime::now();
            contenders[contender](requests);
            times[contender].push(began_at.elapsed().as_nanos() as f64 / requests as f64);
        }
    }
    Times(times)
}

impl Times {
    /// Returns the median over the rounds, in nanoseconds per request.
    pub(crate) fn median(&self, contender: usize) -> f64 {
        median(self.0[contender].iter().copied())
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
    let mut times: Vec<_> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
