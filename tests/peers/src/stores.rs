//! Measures a signed-in request whose session is in a database: the questions to the database, and the time.

mod apps;
mod postgres;
mod questions;
mod redis;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use osc_auth_layer::store::{PostgresStore, RedisStore, SqliteStore};
use sqlx::sqlite as ours;
use tower_sessions_14::{CachingSessionStore, SessionStore};
use tower_sessions_moka_store::MokaStore;
use tower_sessions_redis_store::RedisStore as TheirRedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::sqlx::sqlite as theirs;
use tower_sessions_sqlx_store::sqlx::{ConnectOptions, PgPool};
use tower_sessions_sqlx_store::{PostgresStore as TheirPostgresStore, SqliteStore as TheirSqliteStore};

use self::apps::Contender;
use self::questions::{Counted, Questions};
use crate::rounds::{Times, order};

const SESSIONS: usize = 200;
const ROUNDS: usize = 41;
const NODES: [&str; 2] = ["warm", "cold"];

/// The mean number of questions for a request to a warm node, and to a cold one.
type Counts = Vec<[f64; 2]>;

pub(crate) async fn run() {
    let directory = std::env::temp_dir().join(format!("osc-peers-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the databases");
    println!("| database | contender | node | questions | µs | relative |\n|---|---|---|---|---|---|");

    let statements = questions::of_sqlx();
    let counts = counts(&sqlite(&directory.join("counted"), true, &statements).await, &statements).await;
    table("SQLite", &sqlite(&directory.join("timed"), false, &statements).await, &counts).await;

    let server = postgres::Server::start(&directory).await;
    let packets = Questions::default();
    let wire = questions::wire(server.addr(), packets.clone()).await;
    let counts = self::counts(&in_postgres(&server.url(wire)).await, &packets).await;
    table("PostgreSQL", &in_postgres(&server.url(server.addr())).await, &counts).await;

    let redis_server = redis::Server::start(&directory).await;
    let wire = questions::wire(redis_server.addr(), packets.clone()).await;
    let counts = self::counts(&in_redis(wire).await, &packets).await;
    table("Redis", &in_redis(redis_server.addr()).await, &counts).await;

    drop((server, redis_server));
    std::fs::remove_dir_all(&directory).expect("the directory of the databases");
}

/// Each of the layer's stores has a file of its own, because each write by another connection would empty the cache.
async fn sqlite(file: &Path, logs: bool, statements: &Questions) -> Vec<Contender> {
    let our_file = file.with_extension("ours");
    let our_store = SqliteStore::from_url(&format!("sqlite://{}", our_file.display())).expect("a valid URL");

    let options = theirs::SqliteConnectOptions::new().filename(file.with_extension("theirs"));
    let options = options.create_if_missing(true).journal_mode(theirs::SqliteJournalMode::Wal);
    let options = if logs { options } else { options.disable_statement_logging() };
    let pool = theirs::SqlitePool::connect_with(options).await.expect("a new file");
    let their_store = TheirSqliteStore::new(pool);
    their_store.migrate().await.expect("a new table");
    let mut contenders = contenders(Counted(our_store, statements.clone()), their_store).await;

    let options = ours::SqliteConnectOptions::new().filename(file.with_extension("pool"));
    let options = options.create_if_missing(true).journal_mode(ours::SqliteJournalMode::Wal);
    let options = if logs { options } else { sqlx::ConnectOptions::disable_statement_logging(options) };
    let pool = ours::SqlitePool::connect_with(options).await.expect("a new file");
    let name = "osc-auth-layer, in the app's pool";
    contenders.push(Contender::ours(name, SqliteStore::from_pool(pool), SESSIONS, false).await);
    contenders
}

async fn in_postgres(url: &str) -> Vec<Contender> {
    let our_store = PostgresStore::from_url(url).expect("a valid URL");
    let their_store = TheirPostgresStore::new(PgPool::connect(url).await.expect("a connection"));
    their_store.migrate().await.expect("a table");
    contenders(our_store, their_store).await
}

/// Each contender gets connections of its own, and opens them before the measurement.
async fn in_redis(addr: SocketAddr) -> Vec<Contender> {
    let url = format!("redis://{addr}");
    let our_store = RedisStore::from_url(&url).expect("a valid URL");
    let pool = Pool::new(Config::from_url(&url).expect("a valid URL"), None, None, None, 6).expect("a pool");
    pool.init().await.expect("connections");
    contenders(our_store, TheirRedisStore::new(pool)).await
}

async fn contenders(
    ours: impl osc_auth_layer::store::SessionStore + Clone,
    theirs: impl SessionStore + Clone,
) -> Vec<Contender> {
    let [plain, saving, cached] = [(); 3].map(|()| theirs.clone());
    let cached = move || CachingSessionStore::new(MokaStore::new(None), cached.clone());
    vec![
        Contender::ours("osc-auth-layer", ours, SESSIONS, true).await,
        Contender::tower_sessions("tower-sessions", SESSIONS, move || plain.clone(), [false, false]).await,
        Contender::tower_sessions(
            "tower-sessions, always saving",
            SESSIONS,
            move || saving.clone(),
            [true, false],
        )
        .await,
        Contender::tower_sessions("tower-sessions, caching", SESSIONS, cached, [false, true]).await,
    ]
}

async fn counts(contenders: &[Contender], questions: &Questions) -> Counts {
    let mut counts = Vec::new();
    for contender in contenders {
        let warm = contender.warm().await;
        let mut count = [0.0; 2];
        for (count, node) in count.iter_mut().zip([&mut warm.clone(), &mut contender.cold()]) {
            questions.take();
            contender.visit(node).await;
            *count = questions.take() as f64 / SESSIONS as f64;
        }
        // Until here, so that the store never stops to listen to changes.
        drop(warm);
        counts.push(count);
    }
    counts
}

async fn table(database: &str, contenders: &[Contender], counts: &Counts) {
    let mut warm = Vec::new();
    for contender in contenders {
        warm.push(contender.warm().await);
    }
    let mut times = NODES.map(|_| Times::new(contenders.len()));
    for round in 0..ROUNDS {
        for place in order(round, contenders.len()) {
            for (times, node) in times.iter_mut().zip([&mut warm[place], &mut contenders[place].cold()]) {
                let began_at = Instant::now();
                contenders[place].visit(node).await;
                times.note(place, began_at.elapsed(), SESSIONS);
            }
        }
    }
    for (state, node) in NODES.iter().enumerate() {
        for (place, contender) in contenders.iter().enumerate() {
            let (name, count, times) = (contender.name, counts[place][state], &times[state]);
            let (time, ratio) = (times.median(place) / 1000.0, times.ratio(place, 0));
            println!("| {database} | {name} | {node} | {count:.1} | {time:.1} | {ratio:.2} |");
        }
    }
}
