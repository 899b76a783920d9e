//! Soaks the axum sample: a crowd of visitors uses it while its provider fails in every way.
//!
//! `cargo run -p osc-tests --release --bin soak -- --minutes 10`. Without an argument it takes half a minute.

mod answer;
mod crowd;
mod faults;
mod measure;
mod report;
mod strangers;
mod visitor;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{NodeSetup, Sample, SampleNode};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::crowd::{Crowd, PORT, Tally};
use crate::faults::{TROUBLES, Weather};
use crate::measure::{Course, Reading, Trend};
use crate::report::{Findings, Flood, report};
use crate::visitor::Visitor;

/// The size and duration of a run.
#[derive(Clone, Copy, Debug)]
struct Scale {
    come_and_go: u64,
    stay: u64,
    sleep: u64,
    token_ttl: Duration,
    trouble: Duration,
    /// Rounds of all kinds of trouble repeat for this long. The first round is the warm-up.
    lasts: Duration,
    strangers_requests: usize,
    /// At the end, waits until the app has closed its unused connections to the provider, which takes 15 s.
    waits_at_the_end: bool,
}

const SHORT: Scale = Scale {
    come_and_go: 40,
    stay: 30,
    sleep: 20,
    token_ttl: Duration::from_secs(3),
    trouble: Duration::from_secs(1),
    lasts: Duration::ZERO,
    strangers_requests: 4_000,
    waits_at_the_end: false,
};

const LONG: Scale = Scale {
    come_and_go: 300,
    stay: 150,
    sleep: 150,
    token_ttl: Duration::from_secs(10),
    trouble: Duration::from_secs(5),
    lasts: Duration::ZERO,
    strangers_requests: 50_000,
    waits_at_the_end: true,
};

/// The time limit for the app to close unused connections and threads.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let scale = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => SHORT,
        ["--minutes", minutes] => match minutes.parse::<u64>() {
            Ok(minutes) => Scale { lasts: Duration::from_secs(60 * minutes), ..LONG },
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    if soak(scale).await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("Usage: soak [--minutes MINUTES]");
    ExitCode::FAILURE
}

async fn soak(scale: Scale) -> bool {
    let mock = MockOsc::builder().token_ttl(scale.token_ttl).refresh_grace(Duration::from_secs(10));
    let osc = mock.start().await.expect("the mock starts");
    // Without a store, so that sessions live in the process.
    let sample = NodeSetup::new(Sample::Axum, &osc, PORT, "memory:").with("RUST_LOG", "error").start().await;
    let idle = Reading::of(sample.id());
    let crowd = Arc::new(Crowd {
        osc,
        app: sample.addr(),
        token_ttl: scale.token_ttl,
        weather: Weather::default(),
        tally: Tally::default(),
        going_on: watch::Sender::new(true),
    });
    let requests = Arc::new(AtomicUsize::new(0));
    let counting = tokio::spawn(count_requests(crowd.clone(), requests.clone()));

    let visitors = gather(&crowd, scale);
    let trend = weather(&crowd, &sample, scale).await;
    crowd.going_on.send_replace(false);
    let (mut signed_in, survivors) = check(&crowd, visitors).await;
    let all_survive = survivors == signed_in.len();
    counting.abort();
    let _ = counting.await;
    let counted = requests.load(Ordering::Relaxed) + forget(&crowd);

    let flood = flood(&crowd, &sample, &mut signed_in, scale).await;
    join_all(signed_in.iter_mut().map(Visitor::sign_out)).await;
    drop(signed_in);
    if !scale.waits_at_the_end {
        crowd.osc.stop_listening().await;
    }
    let left = closed(&sample, idle).await;

    let log = sample.log();
    let complaints = log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked"));
    let complaints = complaints.take(5).map(str::to_owned).collect();
    let uses = crowd.osc.grant_uses();
    report(
        &crowd,
        &Findings { requests: counted, uses, trend, survivors, all_survive, flood, idle, left, complaints },
    )
}

fn gather(crowd: &Arc<Crowd>, scale: Scale) -> Vec<JoinHandle<Visitor>> {
    let mut numbers = 0..;
    let mut visitor = || Visitor::new(crowd.clone(), numbers.next().unwrap_or_default());
    let mut visitors = Vec::new();
    visitors.extend((0..scale.come_and_go).map(|_| tokio::spawn(visitor().come_and_go())));
    visitors.extend((0..scale.stay).map(|_| tokio::spawn(visitor().stay())));
    visitors.extend((0..scale.sleep).map(|_| tokio::spawn(visitor().sleep())));
    visitors
}

/// Causes all kinds of trouble in turn. After the warm-up, rounds follow as long as there is time.
async fn weather(crowd: &Arc<Crowd>, sample: &SampleNode, scale: Scale) -> Trend {
    let began = Instant::now();
    round(crowd, scale).await;
    let (process, end) = (sample.id(), began + scale.lasts.max(began.elapsed() + Duration::from_secs(4)));
    let watched = crowd.clone();
    let watching = tokio::spawn(async move {
        let mut course = Course::default();
        course.record(process, &watched, end).await;
        course.trend()
    });
    // A round starts only if it can end in time.
    let one = began.elapsed();
    while Instant::now() + one <= end {
        round(crowd, scale).await;
    }
    watching.await.expect("the sample lives")
}

async fn round(crowd: &Crowd, scale: Scale) {
    for trouble in TROUBLES {
        crowd.weather.bring(trouble, &crowd.osc, scale.trouble).await;
    }
}

/// Returns the visitors who are signed in, and how many of them get every page.
async fn check(crowd: &Crowd, visitors: Vec<JoinHandle<Visitor>>) -> (Vec<Visitor>, usize) {
    let mut signed_in = Vec::new();
    for ended in join_all(visitors).await {
        match ended {
            Ok(visitor) if visitor.is_signed_in() => signed_in.push(visitor),
            Ok(_) => {}
            Err(panic) => crowd.tally.strange.note(format!("a visitor: {panic}")),
        }
    }
    let seen = join_all(signed_in.iter_mut().map(Visitor::sees_all)).await;
    (signed_in, seen.into_iter().filter(|&all| all).count())
}

/// Floods the app with strangers' requests while some visitors use it. All visitors check their pages afterwards. A
/// first, smaller flood is not measured: it only makes the app allocate buffers for its connections.
async fn flood(crowd: &Arc<Crowd>, sample: &SampleNode, visitors: &mut [Visitor], scale: Scale) -> Flood {
    let exchanged = crowd.osc.count_grants("authorization_code");
    strangers::flood(crowd, scale.strangers_requests / 5).await;
    let before = Reading::of(sample.id());
    let some = join_all(visitors.iter_mut().take(10).map(Visitor::sees_all));
    tokio::join!(strangers::flood(crowd, scale.strangers_requests), some);
    let after = Reading::of(sample.id());
    let exchanges = crowd.osc.count_grants("authorization_code") - exchanged;
    join_all(visitors.iter_mut().map(Visitor::sees_all)).await;
    Flood { requests: scale.strangers_requests, before, after, exchanges }
}

/// Counts the mock's requests and makes it forget them. It would keep all of them in memory.
async fn count_requests(crowd: Arc<Crowd>, requests: Arc<AtomicUsize>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        requests.fetch_add(forget(&crowd), Ordering::Relaxed);
    }
}

fn forget(crowd: &Crowd) -> usize {
    let endpoints = [
        Endpoint::Metadata,
        Endpoint::Token,
        Endpoint::Revoke,
        Endpoint::Catalog,
        Endpoint::ServiceToken,
        Endpoint::Money,
        Endpoint::Instances,
    ];
    let count = endpoints.map(|endpoint| crowd.osc.count(endpoint)).iter().sum();
    crowd.osc.forget_requests();
    count
}

/// Polls the process until it has closed its connections and threads down to `idle`: there is no event for it.
async fn closed(sample: &SampleNode, idle: Reading) -> Reading {
    let deadline = Instant::now() + CLOSED_WITHIN;
    loop {
        let now = Reading::of(sample.id());
        let is_idle = now.descriptors <= idle.descriptors && now.threads <= idle.threads;
        if is_idle || Instant::now() > deadline {
            return now;
        }
        sleep(Duration::from_millis(250)).await;
    }
}
