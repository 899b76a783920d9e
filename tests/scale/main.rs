//! A model of a million users on three nodes: an hour of work, an outage of the provider, the hours after it, and a deploy.
//!
//! It is arithmetic with the layer's rules in it, and runs none of the layer's code. Nodes are alike, so one is modelled.

const USERS: usize = 1_000_000;
const NODES: usize = 3;
/// Each user sends a request this often, in seconds.
const REQUEST_EVERY: f64 = 60.0;
const LIFETIME: usize = 3600;
/// Refreshes start so long before the expiry, in seconds. Each token has its own moment within this range.
const AHEAD: (usize, usize) = (180, 300);
const LEEWAY: usize = 60;
/// The layer's limit of refreshes at a time, per node.
const AT_ONCE: usize = 64;
/// The provider's time for a refresh, in seconds.
const REFRESH_TIME: f64 = 0.1;
const HOUR: usize = 3600;
/// The longest pause before the probe that notices the end of an outage: 60 seconds and half as much jitter.
const LONGEST_PAUSE: usize = 90;

/// A node's sessions by the age of their tokens, in seconds. Older ones count as expired.
struct Node {
    /// The number of sessions whose token has this age.
    ages: Vec<f64>,
    expired: f64,
    /// The refreshes that the node can do in a second.
    most: f64,
}

/// A second of a node.
#[derive(Clone, Copy, Default)]
struct Second {
    refreshes: f64,
    /// Sessions without a valid token.
    expired: f64,
}

impl Node {
    /// Sessions whose tokens were issued evenly over the time until a refresh.
    fn steady(sessions: f64) -> Self {
        let mut ages = vec![0.0; LIFETIME];
        let until = LIFETIME - AHEAD.1;
        ages[..until].fill(sessions / until as f64);
        Self { ages, expired: 0.0, most: AT_ONCE as f64 / REFRESH_TIME }
    }

    /// Passes a second. Requests come at random, so a due session gets its refresh with this chance in a second.
    fn pass(&mut self, provider_works: bool) -> Second {
        let chance = 1.0 - (-1.0 / REQUEST_EVERY).exp();
        let mut wanted: Vec<f64> =
            self.ages.iter().enumerate().map(|(age, count)| count * due(age) * chance).collect();
        let mut late = self.expired * chance;
        let all = wanted.iter().sum::<f64>() + late;
        let share = if provider_works { (self.most / all.max(f64::MIN_POSITIVE)).min(1.0) } else { 0.0 };
        wanted.iter_mut().for_each(|count| *count *= share);
        late *= share;
        for (count, gone) in self.ages.iter_mut().zip(&wanted) {
            *count -= gone;
        }
        self.expired += self.ages.pop().unwrap_or_default() - late;
        let refreshes = all * share;
        self.ages.insert(0, refreshes);
        Second { refreshes, expired: self.expired }
    }

    fn run(&mut self, seconds: usize, provider_works: bool) -> Vec<Second> {
        (0..seconds).map(|_| self.pass(provider_works)).collect()
    }
}

/// Returns the part of the tokens of this age that are due for a refresh.
fn due(age: usize) -> f64 {
    let left = LIFETIME - age;
    let range = (AHEAD.1 - AHEAD.0) as f64;
    if left <= LEEWAY { 1.0 } else { ((AHEAD.1 as f64 - left as f64) / range).clamp(0.0, 1.0) }
}

/// Returns the most questions a second that a restarted node asks its store: each session's first request asks one.
fn cold_questions(sessions: f64) -> f64 {
    sessions * (1.0 - (-1.0 / REQUEST_EVERY).exp())
}

fn row(phase: &str, seconds: &[Second]) {
    let nodes = NODES as f64;
    let mean = seconds.iter().map(|second| second.refreshes).sum::<f64>() / seconds.len() as f64 * nodes;
    let most = seconds.iter().map(|second| second.refreshes).fold(0.0, f64::max) * nodes;
    let expired = seconds.iter().map(|second| second.expired).fold(0.0, f64::max) * nodes / USERS as f64;
    println!("| {phase} | {mean:.0} | {most:.0} | {:.1} % |", expired * 100.0);
}

/// Returns the seconds until fewer than one session in a thousand is without a valid token.
fn recovery(seconds: &[Second]) -> Option<usize> {
    seconds.iter().position(|second| second.expired * NODES as f64 * 1000.0 < USERS as f64)
}

fn main() {
    let mut node = Node::steady(USERS as f64 / NODES as f64);
    node.run(3 * HOUR, true);
    println!("| phase | refreshes a second, mean | most | sessions without a valid token, most |");
    println!("|---|---|---|---|");
    row("a steady hour", &node.run(HOUR, true));
    row("an outage of an hour, and the wait for the probe", &node.run(HOUR + LONGEST_PAUSE, false));
    let after = node.run(HOUR, true);
    row("the first hour after it", &after);
    for hour in ["second", "third"] {
        row(&format!("the {hour} hour after it"), &node.run(HOUR, true));
    }
    println!();
    println!("| figure | modelled |");
    println!("|---|---|");
    let recovered = recovery(&after).map_or("more than an hour".to_owned(), |seconds| format!("{seconds} s"));
    println!("| provider works again, until 999 of 1,000 sessions have a valid token | {recovered} |");
    let cold = cold_questions(USERS as f64 / NODES as f64);
    println!("| questions in the first second after a node's restart, with a store | {cold:.0} |");
    println!("| the same a minute later | {:.0} |", cold * (-60.0 / REQUEST_EVERY).exp());
    println!("| sessions that end with a node's restart, without a store | {} |", USERS / NODES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_session_gets_lost_in_an_outage_and_after() {
        let mut node = Node::steady(1000.0);
        node.run(HOUR, false);
        node.run(HOUR, true);
        let sessions = node.ages.iter().sum::<f64>() + node.expired;
        assert!((sessions - 1000.0).abs() < 1e-6, "{sessions}");
    }

    #[test]
    fn all_tokens_expire_without_a_provider_and_recover_with_it() {
        let mut node = Node::steady(1000.0);
        assert!(node.run(LIFETIME, false).iter().all(|second| second.refreshes == 0.0));
        assert!((node.expired - 1000.0).abs() < 1e-6);
        assert!(recovery(&node.run(HOUR, true)).is_some());
    }

    #[test]
    fn a_node_never_exceeds_its_limit_of_refreshes() {
        let mut node = Node::steady(1_000_000.0);
        node.run(HOUR, false);
        let most = node.most;
        assert!(node.run(HOUR, true).iter().all(|second| second.refreshes <= most + 1e-6));
    }

    #[test]
    fn refreshes_are_due_from_the_range_ahead_on() {
        let at = |left| due(LIFETIME - left);
        assert_eq!([at(301), at(300), at(240), at(180), at(60), at(1)], [0.0, 0.0, 0.5, 1.0, 1.0, 1.0]);
    }
}
