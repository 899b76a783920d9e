//! The trouble at the provider and the platform, and the failures that each kind of trouble excuses.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mock_osc::{Endpoint, Fault, MockOsc, Recorded};
use tokio::time::{Instant, sleep};

/// One kind of trouble, for a limited time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// Tokens arrive late.
    Slow,
    /// The first use of each refresh token rotates it, but the answer is lost.
    LostAnswers,
    /// Three of four platform calls fail, each in another way.
    Platform,
    /// Three of four token requests fail, each in another way, before they have any effect.
    Tokens,
    /// The servers do not answer, then do not listen.
    Outage,
}

pub(crate) const TROUBLES: [Trouble; 5] =
    [Trouble::Slow, Trouble::LostAnswers, Trouble::Platform, Trouble::Tokens, Trouble::Outage];

/// The part that failed a visitor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Provider,
    Platform,
}

impl Trouble {
    /// Returns whether a failure of `part` is excused. Slowness, and an answer at the second try, excuse nothing.
    fn excuses(self, part: Part) -> bool {
        match self {
            Self::Slow | Self::LostAnswers => false,
            Self::Platform => part == Part::Platform,
            Self::Tokens | Self::Outage => true,
        }
    }

    /// Returns how long the effects outlast the trouble. The layer's back-off doubles at each failure and adds up to
    /// a half, so it never exceeds about one and a half times the duration of the trouble.
    fn aftermath(self, lasts: Duration) -> Duration {
        match self {
            Self::Slow | Self::LostAnswers | Self::Platform => Duration::from_millis(1500),
            Self::Tokens | Self::Outage => {
                (lasts + Duration::from_secs(1)).mul_f64(1.5) + Duration::from_secs(3)
            }
        }
    }
}

#[derive(Debug)]
struct Window {
    trouble: Trouble,
    began: Instant,
    /// Includes the aftermath.
    over: Option<Instant>,
}

/// All trouble so far.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    windows: Mutex<Vec<Window>>,
    lost: Arc<AtomicUsize>,
}

impl Weather {
    /// Returns whether trouble excuses a failed request that ran from `from` to `to`.
    pub(crate) fn excuses(&self, part: Part, from: Instant, to: Instant) -> bool {
        let windows = self.windows.lock().expect("no holder of the lock panics");
        windows.iter().any(|window| {
            let overlaps = window.began <= to && window.over.is_none_or(|over| from <= over);
            overlaps && window.trouble.excuses(part)
        })
    }

    /// Describes when the latest trouble began, for reports of failures that no trouble excuses.
    pub(crate) fn lately(&self) -> String {
        let windows = self.windows.lock().expect("no holder of the lock panics");
        let last = windows.iter().rev().take(3);
        let last = last
            .map(|window| format!("{:?} {:.1} s ago", window.trouble, window.began.elapsed().as_secs_f64()));
        last.collect::<Vec<_>>().join(", ")
    }

    /// Returns the number of rotations whose answer was lost.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// Causes trouble and waits for its aftermath.
    pub(crate) async fn bring(&self, trouble: Trouble, osc: &MockOsc, lasts: Duration) {
        let window = Window { trouble, began: Instant::now(), over: None };
        self.windows.lock().expect("no holder of the lock panics").push(window);
        match trouble {
            Trouble::Slow => {
                osc.fault(Endpoint::Token, Fault::Latency(Duration::from_millis(400)));
                osc.fault(Endpoint::Money, Fault::Latency(Duration::from_millis(200)));
                osc.fault(Endpoint::Catalog, Fault::Latency(Duration::from_millis(200)));
            }
            Trouble::LostAnswers => self.lose_answers(osc),
            Trouble::Platform => {
                for endpoint in PLATFORM {
                    mix(osc, endpoint, platform_faults());
                }
            }
            Trouble::Tokens => mix(osc, Endpoint::Token, token_faults()),
            Trouble::Outage => {
                // Hang up before any effect first, so that no answer is lost when the connections are cut.
                for endpoint in [Endpoint::Token, Endpoint::Revoke].into_iter().chain(PLATFORM) {
                    osc.fault(endpoint, Fault::HangUp);
                }
                sleep(lasts / 2).await;
                osc.stop_listening().await;
            }
        }
        sleep(if trouble == Trouble::Outage { lasts / 2 } else { lasts }).await;
        osc.resume_listening().await.expect("the port is still free");
        osc.clear_faults();
        let aftermath = trouble.aftermath(lasts);
        if let Some(window) = self.windows.lock().expect("no holder of the lock panics").last_mut() {
            window.over = Some(Instant::now() + aftermath);
        }
        sleep(aftermath).await;
    }

    fn lose_answers(&self, osc: &MockOsc) {
        // Half of the answers never begin, and half break off.
        for (turn, fault) in [Fault::LostAnswer, Fault::HalfAnswer].into_iter().enumerate() {
            let (lost, seen) = (self.lost.clone(), Mutex::new(HashSet::new()));
            osc.fault(Endpoint::Token, fault).when(move |request| {
                let Some(token) = request.field("refresh_token") else {
                    return false;
                };
                let is_first = seen.lock().expect("no holder of the lock panics").insert(token.to_owned());
                let is_hit = is_first && token.bytes().map(usize::from).sum::<usize>() % 2 == turn;
                lost.fetch_add(usize::from(is_hit), Ordering::Relaxed);
                is_hit
            });
        }
    }
}

const PLATFORM: [Endpoint; 4] =
    [Endpoint::Money, Endpoint::Catalog, Endpoint::ServiceToken, Endpoint::Instances];

fn token_faults() -> Vec<Fault> {
    vec![
        Fault::Status(500),
        Fault::Status(503),
        Fault::RetryAfter(429, "1".to_owned()),
        Fault::RetryAfter(503, "2".to_owned()),
        Fault::HangUp,
        Fault::Html,
        Fault::Answer(400, "text/html", "<h1>Bad Request</h1>".to_owned()),
        Fault::Empty,
        Fault::MalformedJson,
        Fault::WrongTypes,
        Fault::Huge,
        Fault::OAuth("server_error"),
        Fault::Redirect("http://127.0.0.1:1/".to_owned()),
    ]
}

fn platform_faults() -> Vec<Fault> {
    vec![
        Fault::Status(401),
        Fault::Status(500),
        Fault::RetryAfter(429, "1".to_owned()),
        Fault::HangUp,
        Fault::HalfAnswer,
        Fault::Html,
        Fault::Empty,
        Fault::MalformedJson,
        Fault::WrongTypes,
        Fault::Huge,
        Fault::Latency(Duration::from_millis(300)),
    ]
}

/// Makes three of four requests fail, each in the next of these ways.
fn mix(osc: &MockOsc, endpoint: Endpoint, faults: Vec<Fault>) {
    let (requests, kinds) = (Arc::new(AtomicUsize::new(0)), faults.len());
    for (at, fault) in faults.into_iter().enumerate() {
        // The first plan counts the requests for all plans.
        let requests = requests.clone();
        let is_hit = move |_: &Recorded| {
            let count = requests.fetch_add(usize::from(at == 0), Ordering::Relaxed) + usize::from(at == 0);
            count % 4 != 0 && count % kinds == at
        };
        osc.fault(endpoint, fault).when(is_hit);
    }
}
