//! The processor time of a refresh, relative to a bare reqwest call of the same request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use cpu_time::ProcessTime;
use http::{HeaderValue, Request, header};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{Clock, OscAuth};
use reqwest::Url;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;
use tower_layer::Layer;

use crate::contenders::{App, Body};
use crate::instructions::per_repetition;
use crate::loopback::runtime;
use crate::provider::{LIFETIME, Provider, grant, spendable};
use crate::rounds::turns;
use crate::stage::{CLIENT_ID, CLIENT_SECRET, builder, request, template, with_others};
use crate::table::Row;

pub(crate) const ARGUMENT: &str = "--renewal";
const SESSIONS: usize = 1_000;
const ROUNDS: usize = 41;
/// The most refreshes that the layer sends at a time, so the bare client sends as many.
const AT_ONCE: usize = 64;
/// The sessions of a run that counts instructions.
const COUNTED: u32 = 100;

/// The system's clock, and an offset that the benchmark moves on to let all tokens expire.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicU64>);

impl Clock for Ahead {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[derive(Clone, Copy)]
enum Pace {
    OneByOne,
    /// Each in a task of its own.
    AtOnce,
}

/// Signed-in users, and a client that sends the same requests as their refreshes.
struct Users {
    layer: OscAuth<App>,
    cookies: Vec<HeaderValue>,
    clock: Ahead,
    client: reqwest::Client,
    token_endpoint: Url,
    calls: AtomicUsize,
    permits: Semaphore,
}

impl Users {
    async fn new(provider: &str, sessions: usize) -> Arc<Self> {
        let clock = Ahead::default();
        let auth = builder().issuer(provider).clock(clock.clone()).build().expect("the layer builds");
        let mut cookies = Vec::new();
        for user in 0..sessions {
            let cookie = auth.sign_in_for_test(TestToken::from_answer(grant(user))).await;
            cookies.push(with_others(&cookie));
        }
        Arc::new(Self {
            layer: auth.layer(App),
            cookies,
            clock,
            client: reqwest::Client::new(),
            token_endpoint: format!("{provider}/token").parse().expect("a URL"),
            calls: AtomicUsize::default(),
            permits: Semaphore::new(AT_ONCE),
        })
    }

    /// Lets all tokens expire, and returns a request of each user.
    fn expire(&self) -> Vec<Request<Body>> {
        self.clock.0.fetch_add(LIFETIME, Ordering::Relaxed);
        let template = template("/");
        self.cookies.iter().map(|cookies| request(&template, Some(cookies))).collect()
    }

    /// Sends a request that waits for the refresh of its session.
    async fn refresh(self: Arc<Self>, request: Request<Body>) {
        let Ok(answer) = self.layer.clone().oneshot(request).await;
        assert_eq!(answer.status(), 200);
    }

    /// Sends the request of such a refresh, and reads the answer.
    async fn call(self: Arc<Self>, user: usize) {
        let _permit = self.permits.acquire().await.expect("nobody closes it");
        let token = spendable(user, self.calls.fetch_add(1, Ordering::Relaxed));
        let body = format!(
            "grant_type=refresh_token&refresh_token={token}&client_id={CLIENT_ID}&client_secret={}",
            CLIENT_SECRET.replace(' ', "+")
        );
        let request = self
            .client
            .post(self.token_endpoint.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::USER_AGENT, concat!("osc-auth-layer/", env!("CARGO_PKG_VERSION")))
            .body(body);
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let answer = answer.expect("the provider answers");
        assert!(answer.bytes().await.expect("the provider answers").len() > 1_000);
    }

    async fn refreshes(self: Arc<Self>, requests: Vec<Request<Body>>, pace: Pace) {
        let refreshes = requests.into_iter().map(|request| self.clone().refresh(request));
        all(refreshes, pace).await;
    }

    async fn calls(self: Arc<Self>, pace: Pace) {
        all((0..self.cookies.len()).map(|user| self.clone().call(user)), pace).await;
    }
}

async fn all<F: Future<Output = ()> + Send + 'static>(work: impl Iterator<Item = F>, pace: Pace) {
    let mut tasks = JoinSet::new();
    for work in work {
        match pace {
            Pace::OneByOne => work.await,
            Pace::AtOnce => drop(tasks.spawn(work)),
        }
    }
    tasks.join_all().await;
}

/// Measures refreshes one by one, and of 1,000 sessions at once.
pub(crate) fn renewal(rows: &mut Vec<Row>) {
    let provider = Provider::start();
    let runtime = runtime();
    let users = runtime.block_on(Users::new(&provider.url, SESSIONS));
    let figure = "processor time of a refresh, relative to a bare reqwest call";
    rows.push(measured(figure, &runtime, &users, Pace::OneByOne));
    rows.push(measured("the same with 1,000 refreshes at once", &runtime, &users, Pace::AtOnce));
    let figure = "instructions of a refresh, relative to the call's";
    rows.push(match ["refresh", "call"].map(|work| instructions(&provider.url, work)) {
        [Some(refresh), Some(call)] => Row::observed(figure, format!("{:.2}", refresh / call))
            .detail(format!("refresh {refresh:.0}, call {call:.0}")),
        _ => Row::missing(figure, "valgrind is not installed, or it failed"),
    });
}

fn measured(figure: &str, runtime: &Runtime, users: &Arc<Users>, pace: Pace) -> Row {
    let times = turns(ROUNDS, 2, |contender| {
        let requests = users.expire();
        let began_at = ProcessTime::now();
        match contender {
            0 => run_in_task(runtime, users.clone().refreshes(requests, pace)),
            _ => run_in_task(runtime, users.clone().calls(pace)),
        }
        began_at.elapsed().as_secs_f64() * 1e6 / SESSIONS as f64
    });
    let ratio = times.ratio(0, 1);
    let detail = format!("{ratio}; refresh {:.1} µs, call {:.1} µs", times.of(0), times.of(1));
    Row::ratio(figure, ratio.median, 1.3).detail(detail)
}

/// Runs work as servers do. Outside a task, the runtime would write to a file descriptor for each wake-up.
fn run_in_task(runtime: &Runtime, work: impl Future<Output = ()> + Send + 'static) {
    runtime.block_on(runtime.spawn(work)).expect("it does not panic");
}

fn instructions(provider: &str, work: &str) -> Option<f64> {
    Some(per_repetition(&[ARGUMENT, provider, work], 1, 5)? / f64::from(COUNTED))
}

/// Refreshes some sessions round by round, or sends as many calls.
pub(crate) fn run(provider: &str, work: &str, rounds: usize) {
    let runtime = runtime();
    let users = runtime.block_on(Users::new(provider, COUNTED as usize));
    for _ in 0..rounds {
        match work {
            "refresh" => run_in_task(&runtime, users.clone().refreshes(users.expire(), Pace::OneByOne)),
            _ => run_in_task(&runtime, users.clone().calls(Pace::OneByOne)),
        }
    }
}
