//! Rounds in which everybody takes a turn, so that what the machine does meanwhile happens to all alike. Counted is this
//! thread's processor time: the turns of the slow outlast a time slice, and would pay for what else runs here.

use cpu_time::ThreadTime;

/// Nanoseconds per request: of everybody, round by round.
pub(crate) struct Times(Vec<Vec<f64>>);

pub(crate) fn take_turns(rounds: usize, requests: usize, contenders: &mut [&mut dyn FnMut(usize)]) -> Times {
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            // Nobody always has the same one before it.
            let who = if round % 2 == 0 { turn } else { contenders.len() - 1 - turn };
            let began_at = ThreadTime::now();
            contenders[who](requests);
            times[who].push(began_at.elapsed().as_nanos() as f64 / requests as f64);
        }
    }
    Times(times)
}

impl Times {
    pub(crate) fn median(&self, who: usize) -> f64 {
        median(self.0[who].iter().copied())
    }

    /// How many times as long as `other` takes, the median over the rounds.
    pub(crate) fn ratio(&self, who: usize, other: usize) -> f64 {
        median(self.0[who].iter().zip(&self.0[other]).map(|(one, other)| one / other))
    }

    /// The same for what each takes longer than `bare`.
    pub(crate) fn net_ratio(&self, who: usize, other: usize, bare: usize) -> f64 {
        (self.median(who) - self.median(bare)) / (self.median(other) - self.median(bare))
    }
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<_> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
