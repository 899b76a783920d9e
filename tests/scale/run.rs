//! The course of events, and what it brought.

use std::time::Duration;

use crate::crowd::{Crowd, millis};
use crate::paper::{NODES, USERS, between_refreshes};
use crate::store::Kind;
use crate::tally::{Event, Span};

const HOUR: Duration = Duration::from_secs(3600);
/// The refreshes are spread evenly already, so less than an hour shows them all.
const STEADY: Duration = Duration::from_secs(1800);
/// In a rolling deploy, a node is away for this long. The next one follows after the longer time.
pub(crate) const AWAY: Duration = Duration::from_secs(10);
const NEXT_NODE: Duration = Duration::from_secs(290);

/// The results of a run, phase by phase.
pub(crate) struct Course {
    pub(crate) kind: Kind,
    /// Each user of the simulation stands for so many.
    pub(crate) scale: usize,
    pub(crate) steady: Span,
    pub(crate) deploy: Span,
    pub(crate) outage: Span,
    /// The first hour after the outage, and the second.
    pub(crate) after: [Span; 2],
    /// The sessions in the memory of a node after the steady time.
    pub(crate) in_memory: usize,
    /// The seconds from the end of the outage until the last node's probe noticed it.
    pub(crate) noticed_after: Option<f64>,
    /// Events that fail the run.
    pub(crate) failures: Vec<String>,
}

impl Course {
    /// Returns the seconds from the end of the outage until 999 of 1,000 users have a valid token. `None` if an hour is too short.
    pub(crate) fn recovered_after(&self) -> Option<usize> {
        self.after[0].seconds_until_fewer_expired((USERS / self.scale / 1000).max(1))
    }

    /// Returns the part of the requests in a time that were answered 503.
    pub(crate) fn refused(span: &Span) -> f64 {
        span.count(Event::Unavailable) / span.count(Event::Request).max(1.0)
    }

    fn check(&mut self) {
        if self.noticed_after.is_none() || self.recovered_after().is_none() {
            self.failures.push("the users got no new tokens within an hour of the outage".to_owned());
        }
        if Self::refused(&self.deploy) + Self::refused(&self.steady) > 0.0 {
            self.failures.push("requests were refused although the provider worked".to_owned());
        }
    }
}

/// Runs all phases, on a runtime with this thread alone.
///
/// # Panics
/// If the runtime does not start.
pub(crate) fn run(kind: Kind, scale: usize) -> Course {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(phases(kind, scale))
}

async fn phases(kind: Kind, scale: usize) -> Course {
    let mut crowd = Crowd::start(kind, scale).await;
    crowd.sign_all_in(Duration::from_secs_f64(between_refreshes())).await;
    let steady = stay(&mut crowd, STEADY).await;
    let in_memory = crowd.sessions_in_memory() / NODES;
    // Without a store, all users sign in again. Their tokens would expire together in the outage.
    let early = if kind == Kind::None { None } else { Some(deploy(&mut crowd).await) };
    crowd.provider.set_down(true);
    let outage = stay(&mut crowd, HOUR).await;
    crowd.provider.set_down(false);
    let works_again_at = crowd.now();
    let after = [stay(&mut crowd, HOUR).await, stay(&mut crowd, HOUR).await];
    let noticed_at = crowd.provider.used_by_all_since();
    let deploy = match early {
        Some(deploy) => deploy,
        None => deploy(&mut crowd).await,
    };
    let noticed_after = noticed_at.map(|at| (at - works_again_at) as f64 / 1000.0);
    let failures = crowd.tally.failures();
    let mut course =
        Course { kind, scale, steady, deploy, outage, after, in_memory, noticed_after, failures };
    course.check();
    course
}

async fn stay(crowd: &mut Crowd, time: Duration) -> Span {
    let began = crowd.now();
    crowd.run_for(time).await;
    crowd.tally.between(began..began + millis(time))
}

async fn deploy(crowd: &mut Crowd) -> Span {
    let began = crowd.now();
    for number in 0..NODES {
        crowd.restart(number, AWAY).await;
        crowd.run_for(NEXT_NODE).await;
    }
    crowd.tally.between(began..crowd.now())
}
