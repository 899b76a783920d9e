//! Interleaved rounds: every contender in each, so that what the machine does meanwhile happens to all of them.

use std::time::Instant;

/// Nanoseconds per request, the median over the rounds, for each contender.
pub(crate) struct Medians(Vec<Vec<f64>>);

/// Runs each contender's `requests` requests once per round, in turns, and takes the time.
pub(crate) fn interleaved(
    rounds: usize,
    requests: usize,
    contenders: &mut [&mut dyn FnMut(usize)],
) -> Medians {
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    // The first round warms caches and branch predictors, and does not count.
    for round in 0..=rounds {
        // Whoever comes first finds the caches as the last one left them.
        for turn in 0..contenders.len() {
            let who = (round + turn) % contenders.len();
            let began_at = Instant::now();
            contenders[who](requests);
            let time = began_at.elapsed().as_secs_f64() * 1e9 / requests as f64;
            if round > 0 {
                times[who].push(time);
            }
        }
    }
    Medians(times)
}

impl Medians {
    /// Of one contender.
    pub(crate) fn of(&self, who: usize) -> f64 {
        median(self.0[who].clone())
    }

    /// The median of the rounds' own ratios: a slow moment slows both.
    pub(crate) fn ratio(&self, who: usize, to: usize) -> f64 {
        median(self.0[who].iter().zip(&self.0[to]).map(|(one, other)| one / other).collect())
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
