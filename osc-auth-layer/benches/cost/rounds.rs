//! Interleaved rounds. Every contender takes a turn in each round, so that other load on the machine affects all
//! alike.

use std::time::Instant;

/// The times of each contender, round by round, in nanoseconds per request.
pub(crate) struct Medians(Vec<Vec<f64>>);

/// Measures the time for `requests` requests of each contender in each round.
pub(crate) fn interleaved(
    rounds: usize,
    requests: usize,
    contenders: &mut [&mut dyn FnMut(usize)],
) -> Medians {
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    // The first round only warms caches and branch predictors.
    for round in 0..=rounds {
        // A contender finds the caches as the one before it left them, so the order changes.
        for turn in 0..contenders.len() {
            let contender = (round + turn) % contenders.len();
            let began_at = Instant::now();
            contenders[contender](requests);
            let time = began_at.elapsed().as_secs_f64() * 1e9 / requests as f64;
            if round > 0 {
                times[contender].push(time);
            }
        }
    }
    Medians(times)
}

impl Medians {
    /// Returns the median over the rounds, in nanoseconds per request.
    pub(crate) fn of(&self, contender: usize) -> f64 {
        median(self.0[contender].clone())
    }

    /// Returns the median of each round's ratio: a slow moment slows both contenders.
    pub(crate) fn ratio(&self, contender: usize, other: usize) -> f64 {
        median(self.0[contender].iter().zip(&self.0[other]).map(|(one, other)| one / other).collect())
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
