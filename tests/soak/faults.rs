//! What goes wrong at the provider and the platform, when, and what a visitor may therefore be told.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mock_osc::{Endpoint, Fault, MockOsc, Recorded};
use tokio::time::{Instant, sleep};

/// One kind of trouble for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// Tokens come late.
    Slow,
    /// The answer to the first use of a refresh token is lost, when that has been rotated already.
    LostAnswers,
    /// Every few platform calls fail, each time in another way.
    Platform,
    /// Every few token requests fail, each time in another way, before any effect.
    Tokens,
    /// Nothing is answered, then nobody listens.
    Outage,
}

pub(crate) const TROUBLES: [Trouble; 5] =
    [Trouble::Slow, Trouble::LostAnswers, Trouble::Platform, Trouble::Tokens, Trouble::Outage];

/// Who may have failed a visitor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Provider,
    Platform,
}

impl Trouble {
    /// What is slow, or answers at the second try, excuses nothing.
    fn excuses(self, part: Part) -> bool {
        match self {
            Self::Slow | Self::LostAnswers => false,
            Self::Platform => part == Part::Platform,
            Self::Tokens | Self::Outage => true,
        }
    }

    /// How long its effects last when it is over. The layer leaves a provider alone that fails, for twice as long each
    /// time and up to half as long again: never for more than about one and a half times what the trouble took.
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
    /// Aftermath included.
    over: Option<Instant>,
}

/// All trouble there was.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    windows: Mutex<Vec<Window>>,
    lost: Arc<AtomicUsize>,
}

impl Weather {
    /// Whether a request that was under way then may have failed for it.
    pub(crate) fn excuses(&self, part: Part, from: Instant, to: Instant) -> bool {
        let windows = self.windows.lock().expect("nobody panics with it");
        windows.iter().any(|window| {
            let overlaps = window.began <= to && window.over.is_none_or(|over| from <= over);
            overlaps && window.trouble.excuses(part)
        })
    }

    /// For the report of what no trouble excuses: how long ago each of the last began.
    pub(crate) fn lately(&self) -> String {
        let windows = self.windows.lock().expect("nobody panics with it");
        let last = windows.iter().rev().take(3);
        let last = last
            .map(|window| format!("{:?} {:.1} s ago", window.trouble, window.began.elapsed().as_secs_f64()));
        last.collect::<Vec<_>>().join(", ")
    }

    /// How many rotations had their answer lost.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// Makes trouble, and waits for its aftermath.
    pub(crate) async fn bring(&self, trouble: Trouble, osc: &MockOsc, lasts: Duration) {
        let window = Window { trouble, began: Instant::now(), over: None };
        self.windows.lock().expect("nobody panics with it").push(window);
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
                // First nothing takes effect, so that no answer is lost when the connections are cut.
                for endpoint in [Endpoint::Token, Endpoint::Revoke].into_iter().chain(PLATFORM) {
                    osc.fault(endpoint, Fault::HangUp);
                }
                sleep(lasts / 2).await;
                osc.stop_listening().await;
            }
        }
        sleep(if trouble == Trouble::Outage { lasts / 2 } else { lasts }).await;
        osc.resume_listening().await.expect("its port is still its own");
        osc.clear_faults();
        let aftermath = trouble.aftermath(lasts);
        if let Some(window) = self.windows.lock().expect("nobody panics with it").last_mut() {
            window.over = Some(Instant::now() + aftermath);
        }
        sleep(aftermath).await;
    }

    fn lose_answers(&self, osc: &MockOsc) {
        // Half of them never begin, half of them break off.
        for (turn, fault) in [Fault::LostAnswer, Fault::HalfAnswer].into_iter().enumerate() {
            let (lost, seen) = (self.lost.clone(), Mutex::new(HashSet::new()));
            osc.fault(Endpoint::Token, fault).when(move |request| {
                let Some(token) = request.field("refresh_token") else {
                    return false;
                };
                let is_first = seen.lock().expect("nobody panics with it").insert(token.to_owned());
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

/// Three of four requests fail, each in the next of these ways.
fn mix(osc: &MockOsc, endpoint: Endpoint, faults: Vec<Fault>) {
    let (requests, kinds) = (Arc::new(AtomicUsize::new(0)), faults.len());
    for (at, fault) in faults.into_iter().enumerate() {
        // The first of the plans counts, and all look at the same count.
        let requests = requests.clone();
        let is_hit = move |_: &Recorded| {
            let count = requests.fetch_add(usize::from(at == 0), Ordering::Relaxed) + usize::from(at == 0);
            count % 4 != 0 && count % kinds == at
        };
        osc.fault(endpoint, fault).when(is_hit);
    }
}
