//! The longest time for which the layer keeps a thread of the runtime from other tasks.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cpu_time::ThreadTime;
use osc_auth_layer::OscAuthLayer;
use osc_auth_layer::test_util::{MemoryStore, TestClock, TestToken};
use tokio::runtime;
use tokio::task::yield_now;

use crate::stage::{ACCESS_TOKEN, builder};
use crate::table::{Row, grouped};

const AIM: f64 = 5.0;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);
const USERS: usize = 1_000;

pub(crate) fn stalls(rows: &mut Vec<Row>) {
    // With a single thread, a poll of the watching task shows that no other task was running.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let memory = MemoryStore::with_clock as fn(TestClock) -> MemoryStore;
    for (sessions, has_listener, store) in [
        (100_000, true, None),
        (1_000_000, false, None),
        (1_000_000, true, None),
        (100_000, true, Some(memory)),
    ] {
        let clock = TestClock::new();
        let layer = builder().max_sessions(sessions).idle_timeout(IDLE_TIMEOUT).clock(clock.clone());
        let (layer, listener) = match has_listener {
            true => (layer.on_session_event(|_| {}), "a listener"),
            false => (layer, "no listener"),
        };
        let (layer, name) = match store {
            None => (layer, "no store"),
            Some(store) => (layer.store(store(clock.clone())), "MemoryStore"),
        };
        let layer = layer.build().expect("the bench's layer builds");
        let mut row = |figure: &str, watch: Watch| {
            let figure =
                format!("longest stall, {figure}, {} sessions, {name}, {listener}", grouped(sessions));
            rows.push(watch.row(&figure));
        };
        row("a sign-in while the table fills", runtime.block_on(sign_in(&layer, sessions)));
        row("a sign-in at a full table", runtime.block_on(sign_in(&layer, 20_000)));
        row("a list of a user's sessions", runtime.block_on(search(&layer)));
        row("the sweep of expired sessions", runtime.block_on(sweep(&clock, sessions)));
    }
}

async fn sign_in(layer: &OscAuthLayer, sessions: usize) -> Watch {
    let mut watch = Watch::new();
    for n in 0..sessions {
        let token = TestToken::new(token_of(n % USERS));
        watch.lap(layer.sign_in_for_test(token)).await;
        // Then the listener hears of it.
        watch.lap(yield_now()).await;
    }
    watch
}

/// A token that names a user, and is as long as OSC's.
fn token_of(user: usize) -> String {
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"tenantId":"bench","userId":"user{user}"}}"#));
    let token = format!("e30.{claims}.");
    format!("{token}{}", "s".repeat(ACCESS_TOKEN - token.len()))
}

async fn search(layer: &OscAuthLayer) -> Watch {
    let mut watch = Watch::new();
    let key = "https%3A%2F%2Fapp.osaas.io/bench/user7";
    let found = watch.lap(layer.sessions_of(key).list()).await;
    assert!(!found.expect("the store works").is_empty(), "the user has sessions");
    watch
}

async fn sweep(clock: &TestClock, sessions: usize) -> Watch {
    let mut watch = Watch::new();
    // The sweeper doubts longer jumps of the clock.
    for _ in 0..7 {
        clock.advance(Duration::from_secs(10 * 60));
        for _ in 0..sessions / 50 {
            watch.lap(yield_now()).await;
        }
    }
    watch
}

/// The longest time that a task waited for its next poll, or was polled: by the clock, and in processor time of the thread, in which
/// other work on the machine does not count.
#[derive(Default)]
struct Watch {
    clock: Duration,
    processor: Duration,
}

impl Watch {
    fn new() -> Self {
        Self::default()
    }

    /// Runs the work, and measures from poll to poll.
    async fn lap<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut last = (Instant::now(), ThreadTime::now());
        poll_fn(|cx| {
            self.note(last);
            last = (Instant::now(), ThreadTime::now());
            let polled = work.as_mut().poll(cx);
            self.note(last);
            last = (Instant::now(), ThreadTime::now());
            polled
        })
        .await
    }

    fn note(&mut self, (clock, processor): (Instant, ThreadTime)) {
        self.clock = self.clock.max(clock.elapsed());
        self.processor = self.processor.max(processor.elapsed());
    }

    fn row(&self, figure: &str) -> Row {
        let detail = format!("by the clock {:.1} ms", self.clock.as_secs_f64() * 1e3);
        Row::millis(figure, self.processor.as_secs_f64() * 1e3, AIM).detail(detail)
    }
}
