//! Random orders of events: nodes that share a store, visitors, outages.
//!
//! These properties must hold after any order:
//!
//! - A refresh token is used once.
//! - A session that nobody ended is valid.
//! - A session that was signed out gets no token.

mod cluster;
mod shuffled;

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use self::cluster::Cluster;

/// The number of nodes.
const NODES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Concurrent requests of the visitor at these nodes.
    Requests(Vec<usize>),
    /// Time passes.
    Pass(Duration),
    /// The visitor signs out at the first node while these other requests are running.
    SignOut(usize, Vec<usize>),
    /// The visitor signs in, possibly again.
    SignIn(usize),
    /// An API refused the token, and jobs at these nodes want a newer one.
    Rejected(Vec<usize>),
    /// A node is replaced by a new one with an empty cache.
    Restart(usize),
    /// The store goes down (false) or comes back (true).
    Store(bool),
    /// The store goes down at the moment when the provider answers a refresh of this node.
    Rotated(usize),
    /// The store starts (true) or stops (false) to notify nodes of changes.
    Word(bool),
    /// The next grants fail in this way.
    Provider(Trouble),
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Overloaded,
    TooMany,
    HangUp,
    Html,
    /// The grant is spent and the answer is lost. Only in this case does the provider answer a retry, for
    /// some seconds.
    LostAnswer,
}

fn node() -> impl Strategy<Value = usize> {
    0..NODES
}

fn nodes(most: usize) -> impl Strategy<Value = Vec<usize>> {
    vec(node(), 0..=most)
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::Overloaded),
        Just(Trouble::TooMany),
        Just(Trouble::HangUp),
        Just(Trouble::Html),
        Just(Trouble::LostAnswer),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let minutes = prop_oneof![Just(1_u64), Just(10), Just(57), Just(60), Just(61)];
    prop_oneof![
        6 => nodes(12).prop_map(Step::Requests),
        4 => minutes.prop_map(|minutes| Step::Pass(Duration::from_secs(60 * minutes))),
        1 => (node(), nodes(4)).prop_map(|(at, others)| Step::SignOut(at, others)),
        1 => node().prop_map(Step::SignIn),
        1 => nodes(6).prop_map(Step::Rejected),
        1 => node().prop_map(Step::Restart),
        1 => any::<bool>().prop_map(Step::Store),
        1 => node().prop_map(Step::Rotated),
        1 => any::<bool>().prop_map(Step::Word),
        1 => trouble().prop_map(Step::Provider),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 150, max_shrink_iters: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_order_of_events_loses_a_session_or_revives_one(seed: u64, steps in vec(step(), 1..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let loses_answers = |step: &Step| matches!(step, Step::Provider(Trouble::LostAnswer));
            let mut cluster = Cluster::new(seed, steps.iter().any(loses_answers)).await;
            for step in &steps {
                cluster.take(step).await;
                cluster.check().await;
            }
            cluster.calm_down().await;
        });
    }
}
