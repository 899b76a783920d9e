//! The start of an app, the first request of a session at a node, and requests while others write to the store.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cpu_time::ProcessTime;
use futures_util::future::join_all;
use http::{HeaderValue, StatusCode};
use osc_auth_layer::store::{
    Found, RedisStore, SessionStore, SqliteStore, StoreFuture, Swap, Swapped, Version, Watcher,
};
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{OscAuth, OscAuthLayerBuilder};
use tokio::time::interval;
use tower_layer::Layer;
use tower_service::Service;

use crate::contenders::App;
use crate::redis::Redis;
use crate::stage::{builder, request, signed_in, template, with_others};
use crate::table::{Row, grouped};

pub(crate) const ARGUMENT: &str = "--startup";
const NO_STORE: &str = "none";
const MEMORY: &str = "memory";

/// A store that counts its questions: all operations.
struct Counted<S> {
    store: S,
    questions: Arc<AtomicUsize>,
}

impl<S: SessionStore> Counted<S> {
    fn new(store: S) -> (Self, Arc<AtomicUsize>) {
        let questions = Arc::<AtomicUsize>::default();
        (Self { store, questions: questions.clone() }, questions)
    }

    fn asked(&self) -> &S {
        self.questions.fetch_add(1, Ordering::SeqCst);
        &self.store
    }
}

impl<S: SessionStore> SessionStore for Counted<S> {
    fn namespace(&self) -> &str {
        self.store.namespace()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.asked().get(key)
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.asked().swap(key, swap)
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.asked().touch(key, expected, expires_in)
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.asked().delete(key, expected)
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.asked().members(group)
    }

    fn watch(&self, watcher: Watcher) {
        self.store.watch(watcher);
    }
}

/// A SQLite file, which is deleted in the end.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("osc-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }

    fn url(&self) -> String {
        format!("sqlite:{}/sessions.db", self.0.display())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sqlite(url: &str) -> SqliteStore {
    SqliteStore::from_url(url).expect("a valid URL")
}

fn app(builder: OscAuthLayerBuilder) -> OscAuth<App> {
    builder.build().expect("the bench's layer builds").layer(App)
}

async fn status(app: &mut OscAuth<App>, cookies: &HeaderValue) -> StatusCode {
    let Ok(answer) = app.call(request(&template("/"), Some(cookies))).await;
    answer.status()
}

/// Measures the time from `build()` to the answer of the first request, in new processes. The first one creates SQLite's file.
pub(crate) fn startup(rows: &mut Vec<Row>) {
    let file = File::new();
    for (name, store) in [("no store", NO_STORE), ("MemoryStore", MEMORY), ("SQLite", &file.url())] {
        let figure = format!("from `build()` to the first answer, {name}");
        let Some(mut times) = (0..11).map(|_| started(store)).collect::<Option<Vec<_>>>() else {
            rows.push(Row::missing(&figure, "the process failed"));
            continue;
        };
        times.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let (processor, clock) = times[times.len() / 2];
        rows.push(Row::millis(&figure, processor, 5.0).detail(format!("by the clock {clock:.1} ms")));
    }
}

fn started(store: &str) -> Option<(f64, f64)> {
    let run = Command::new(env::current_exe().ok()?).args([ARGUMENT, store]).output().ok()?;
    let output = String::from_utf8_lossy(&run.stdout).into_owned();
    let (processor, clock) = output.trim().split_once(' ')?;
    Some((processor.parse().ok()?, clock.parse().ok()?))
}

/// Starts in this process with this store, or SQLite's URL, and prints the milliseconds of processor time and of the clock.
pub(crate) async fn run_startup(store: &str) {
    let id = URL_SAFE_NO_PAD.encode([7; 32]);
    let cookies = HeaderValue::try_from(format!("__Host-osc_session={id}")).expect("a valid header");
    let (clock, processor) = (Instant::now(), ProcessTime::now());
    let builder = match store {
        NO_STORE => builder(),
        MEMORY => builder().store(MemoryStore::new()),
        url => builder().store(sqlite(url)),
    };
    let mut app = app(builder);
    let status = status(&mut app, &cookies).await;
    let times = (processor.elapsed(), clock.elapsed());
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    println!("{} {}", times.0.as_secs_f64() * 1e3, times.1.as_secs_f64() * 1e3);
}

/// Counts the questions of a session's first request at a node.
pub(crate) async fn cold(rows: &mut Vec<Row>) {
    let memory = MemoryStore::new();
    rows.push(questions("MemoryStore", memory.clone(), memory).await);
    let file = File::new();
    rows.push(questions("SQLite", sqlite(&file.url()), sqlite(&file.url())).await);
}

async fn questions(name: &str, there: impl SessionStore, here: impl SessionStore) -> Row {
    const SESSIONS: usize = 200;
    let there = builder().store(there).build().expect("the bench's layer builds");
    let cookies = signed_in(&there, SESSIONS + 1).await;
    let (here, questions) = Counted::new(here);
    let mut app = app(builder().store(here));
    // The node's very first request also opens the file.
    assert_eq!(status(&mut app, &with_others(&cookies[SESSIONS])).await, 200);
    let mut pass = async || {
        let before = questions.load(Ordering::SeqCst);
        for cookies in &cookies[..SESSIONS] {
            assert_eq!(status(&mut app, &with_others(cookies)).await, 200);
        }
        (questions.load(Ordering::SeqCst) - before) as f64 / SESSIONS as f64
    };
    let (first, second) = (pass().await, pass().await);
    let figure = format!("questions of a session's first request at a node, {name}");
    Row::ratio(&figure, first, 1.0).detail(format!("second request {second:.2}"))
}

/// Counts the requests that ask the store while other nodes write to it.
pub(crate) async fn warm(rows: &mut Vec<Row>) {
    const SESSIONS: usize = 1_000;
    const WRITES_A_SECOND: usize = 16_700;
    const PASSES: usize = 4;
    for (seconds, most) in [(1, Some(1.0)), (5, Some(1.0)), (10, None)] {
        let store = MemoryStore::new();
        let (counted, questions) = Counted::new(store.clone());
        let layer = builder().store(counted).build().expect("the bench's layer builds");
        let cookies: Vec<_> = signed_in(&layer, SESSIONS).await.iter().map(with_others).collect();
        let mut app = layer.layer(App);
        let (mut requests, mut asked) = (0, 0);
        for pass in 0..=PASSES {
            for cookies in &cookies {
                // Until the session's next request, the others write as much as in `seconds`.
                for _ in 0..WRITES_A_SECOND * seconds / SESSIONS {
                    write(&store).await;
                }
                let before = questions.load(Ordering::SeqCst);
                assert_eq!(status(&mut app, cookies).await, 200);
                if pass > 0 {
                    requests += 1;
                    asked += usize::from(questions.load(Ordering::SeqCst) > before);
                }
            }
        }
        let figure = format!(
            "requests that ask the store, in percent, one each {seconds} s of a session, {} foreign writes a second",
            grouped(WRITES_A_SECOND)
        );
        let percent = asked as f64 * 100.0 / requests as f64;
        rows.push(match most {
            Some(most) => Row::ratio(&figure, percent, most),
            None => Row::observed(&figure, format!("{percent:.2}")),
        });
    }
}

/// Counts the same in real time, with a Redis server: each millisecond a request comes, after writes of another client.
pub(crate) async fn warm_redis(rows: &mut Vec<Row>) {
    const FIGURE: &str = "requests that ask Redis, in percent, one each second of a session";
    const SESSIONS: usize = 1_000;
    const WRITES: usize = 17;
    const SECONDS: usize = 5;
    let Some(redis) = Redis::start().await else {
        rows.push(Row::missing(FIGURE, "redis-server is not installed"));
        return;
    };
    let store = || RedisStore::from_url(&redis.url).expect("a URL").with_namespace("bench");
    let (counted, questions) = Counted::new(store());
    let layer = builder().store(counted).build().expect("the bench's layer builds");
    let cookies: Vec<_> = signed_in(&layer, SESSIONS).await.iter().map(with_others).collect();
    let (mut app, others) = (layer.layer(App), store());
    let mut asked = 0;
    let mut ticks = interval(Duration::from_millis(1));
    let mut begun = Instant::now();
    for second in 0..=SECONDS {
        // The first second reads every session once, and does not count.
        if second == 1 {
            (begun, asked) = (Instant::now(), 0);
        }
        for cookies in &cookies {
            ticks.tick().await;
            join_all((0..WRITES).map(|_| write(&others))).await;
            let before = questions.load(Ordering::SeqCst);
            assert_eq!(status(&mut app, cookies).await, 200);
            asked += usize::from(questions.load(Ordering::SeqCst) > before);
        }
    }
    let requests = SECONDS * SESSIONS;
    let a_second = (requests * WRITES) as f64 / begun.elapsed().as_secs_f64();
    let percent = asked as f64 * 100.0 / requests as f64;
    let detail =
        format!("{} foreign writes a second, {} requests", grouped(a_second as usize), grouped(requests));
    rows.push(Row::ratio(FIGURE, percent, 1.0).detail(detail));
}

/// Writes a record of another session.
async fn write(store: &impl SessionStore) {
    let key = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let version = Version::from_bytes(rand::random());
    let expires_in = Some(Duration::from_secs(1));
    let swap = Swap { expected: None, version, value: b"a record", expires_in, group: None };
    assert!(matches!(store.swap(&key, swap).await, Ok(Swapped::Done { .. })), "a new key is free");
}
