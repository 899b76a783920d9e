//! Interleaved rounds. Every contender takes a turn in each round, so that other load on the machine affects all
//! alike.

use std::fmt;
use std::time::Instant;

/// The times of each contender, round by round, in nanoseconds per request.
pub(crate) struct Rounds(Vec<Vec<f64>>);

/// Measures the wall time for `requests` requests of each contender in each round.
pub(crate) fn interleaved(
    rounds: usize,
    requests: usize,
    contenders: &mut [&mut dyn FnMut(usize)],
) -> Rounds {
    turns(rounds, contenders.len(), |contender| {
        let began_at = Instant::now();
        contenders[contender](requests);
        began_at.elapsed().as_secs_f64() * 1e9 / requests as f64
    })
}

/// Calls `measure` for each contender in each round.
pub(crate) fn turns(rounds: usize, contenders: usize, mut measure: impl FnMut(usize) -> f64) -> Rounds {
    let mut times = vec![Vec::with_capacity(rounds); contenders];
    // The first round only warms caches and branch predictors.
    for round in 0..=rounds {
        // A contender finds the caches as the one before it left them, so the order changes.
        for turn in 0..contenders {
            let contender = (round + turn) % contenders;
            let time = measure(contender);
            if round > 0 {
                times[contender].push(time);
            }
        }
    }
    Rounds(times)
}

impl Rounds {
    /// Returns the median over the rounds.
    pub(crate) fn of(&self, contender: usize) -> f64 {
        Spread::of(self.0[contender].clone()).median
    }

    /// Compares two contenders within each round: a slow moment slows both.
    pub(crate) fn ratio(&self, contender: usize, other: usize) -> Spread {
        self.spread(|times| times[contender] / times[other])
    }

    /// Returns the spread over the rounds of a figure that `compute` makes from the times of all contenders in a round.
    pub(crate) fn spread(&self, compute: impl Fn(&[f64]) -> f64) -> Spread {
        let of_round = |round| {
            let times: Vec<f64> = self.0.iter().map(|times| times[round]).collect();
            compute(&times)
        };
        Spread::of((0..self.0[0].len()).map(of_round).collect())
    }
}

/// The median and the quartiles of a figure: half of all rounds are between these.
pub(crate) struct Spread {
    lower: f64,
    pub(crate) median: f64,
    upper: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| values[values.len() * quarters / 4];
        Self { lower: at(1), median: at(2), upper: at(3) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "quartiles {:.2} and {:.2}", self.lower, self.upper)
    }
}
